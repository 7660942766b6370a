"""The task functions, independent of Dagster: data sync, indicators, backtests, maintenance."""
