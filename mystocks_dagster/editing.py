"""Changes of tasks.yaml, each followed by a reload: what the command line, REST and Python share."""
