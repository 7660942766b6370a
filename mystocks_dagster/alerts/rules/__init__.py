"""The rules: late data, missed starts, outcomes of runs, mistakes in the task file."""
