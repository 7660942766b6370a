"""The days of bars that are recorded as loaded."""

from dataclasses import dataclass
from datetime import date

from mystocks_dagster.lake.loads import complete_days, incomplete_days, lacking_days
from mystocks_dagster.lake.store import Lake


@dataclass(kw_only=True)
class KnownDays:
    """The recorded days of a table of bars, each with its number of rows.

    Attributes:
        complete: Days that are not loaded again.
        lacking: Complete days that lack rows: a missing bar on them is not evidence of a suspension.
        before: Days that lacked rows when this run began.
    """

    complete: dict[date, int]
    lacking: set[date]
    before: dict[date, int]

    @classmethod
    def of(cls, lake: Lake, table: str = "daily_bars") -> "KnownDays":
        """Read the recorded days of a table of a lake."""
        lacking = lacking_days(lake, table)
        return cls(
            complete=complete_days(lake, table), lacking=set(lacking), before=incomplete_days(lake, table) | lacking
        )
