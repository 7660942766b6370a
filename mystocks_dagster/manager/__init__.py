"""The project as a Python object: what the REST interface and the command line do, for programs and notebooks."""
