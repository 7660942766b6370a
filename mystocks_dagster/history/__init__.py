"""What ran and how it ended: Dagster's run and event storage holds it, a roll-up in a file makes it fast (decision 9)."""

from mystocks_dagster.history.models import CleanupResult, Execution, Statistics
from mystocks_dagster.history.reading import of_run

__all__ = ["CleanupResult", "Execution", "Statistics", "of_run"]
