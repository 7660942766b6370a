"""Start times of tasks: switches, due times of schedules and intervals, missed starts."""
