"""What ran and how it ended: Dagster's run and event storage holds it, a roll-up in a file makes it fast (decision 9)."""

from mystocks_dagster.history.reading import ASSET_SUFFIX, of_run
from mystocks_dagster.history.values import Cleaned, Execution, Statistics

__all__ = ["ASSET_SUFFIX", "Cleaned", "Execution", "Statistics", "of_run"]
