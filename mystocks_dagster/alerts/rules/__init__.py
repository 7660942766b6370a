"""Alert rules: late data, missed starts, outcomes of runs, problems in the task file."""
