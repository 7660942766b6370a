"""Runs of Dagster: launched, stopped, limited, refused, backfilled."""
