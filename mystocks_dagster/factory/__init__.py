"""Translates tasks.yaml into Dagster's ops, assets, jobs, schedules and sensors."""
