"""Executions and statistics, read from Dagster's storage through a roll-up in a file (decision 9)."""

from mystocks_dagster.history.models import CleanupResult, Execution, Statistics
from mystocks_dagster.history.reading import of_run

__all__ = ["CleanupResult", "Execution", "Statistics", "of_run"]
