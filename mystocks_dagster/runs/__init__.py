"""Dagster runs: launch, stop, limits, disabled groups and backfills."""
