"""China A-share data, kept fresh by the tasks in tasks.yaml and run by Dagster."""
