"""The task functions, which know nothing of Dagster: data sync, indicators, backtests, maintenance."""
