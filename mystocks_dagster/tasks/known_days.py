"""The days of bars that are recorded as loaded."""

from dataclasses import dataclass
from datetime import date

from mystocks_dagster.lake.loads import complete_days, incomplete_days, lacking_days
from mystocks_dagster.lake.store import Lake


@dataclass(kw_only=True)
class KnownDays:
    """The recorded days of `daily_bars`, each with its number of rows.

    Attributes:
        complete: Days that are not loaded again.
        lacking: Complete days that lack rows: a missing bar on them is not evidence of a suspension.
        before: Days that lacked rows when this run began.
    """

    complete: dict[date, int]
    lacking: set[date]
    before: dict[date, int]

    @classmethod
    def of(cls, lake: Lake) -> "KnownDays":
        """Read the recorded days of a lake."""
        lacking = lacking_days(lake, "daily_bars")
        return cls(
            complete=complete_days(lake, "daily_bars"),
            lacking=set(lacking),
            before=incomplete_days(lake, "daily_bars") | lacking,
        )
