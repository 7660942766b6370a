"""When tasks start: switches, fire times of schedules and intervals, starts that were missed."""
