"""Which computed tables are older than the tables they were computed from.

Known from watermarks and transaction logs, so it goes by what has changed and not by the clock: writing an old day of a
computed table makes it no newer.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterator
from datetime import date, datetime

import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import BEGINNING, Version, first_change, last_seen, versions
from mystocks_dagster.market.table import Table
from mystocks_dagster.market.tables import BUILT_IN

#: Columns of `outdated`.
SCHEMA = {
    "table": pl.String,
    #: The table that has changed since.
    "input": pl.String,
    #: The first of its days that have changed; null if it is not known.
    "date": pl.Date,
    #: Its newest day.
    "newest": pl.Date,
}


def computed_tables() -> tuple[str, ...]:
    """Return the tables that our own tasks compute from others."""
    return tuple(name for name, table in BUILT_IN.items() if table.computed_from)


def outdated(lake: Lake, table: Table) -> pl.DataFrame:
    """Return the inputs that have changed since a table was computed, columns as in `SCHEMA`.

    A table of backtests is as old as the newest backtest of each strategy, and only changes within its window count. A
    table without watermarks, of an older version, is compared by its newest day.
    """
    existing = [name for name in table.computed_from if lake.exists(name)]
    changed = _backtests if table.name == "backtests" else _computed
    rows = []
    if existing and lake.exists(table.name):
        for version in versions(lake, existing):
            first = changed(lake, table, version)
            if first is not None:
                day = None if first == BEGINNING else first
                rows.append((table.name, version.table, day, _newest(lake, version.table)))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def all_outdated(lake: Lake, tables: Collection[str] | None = None) -> pl.DataFrame:
    """Return `outdated` of some computed tables, or of all."""
    names = computed_tables() if tables is None else tables
    return pl.concat([pl.DataFrame(schema=SCHEMA), *(outdated(lake, BUILT_IN[name]) for name in names)])


def _computed(lake: Lake, table: Table, version: Version) -> date | None:
    seen = last_seen(lake, table.name, version)
    if seen is not None:
        return first_change(lake, seen, version)
    if table.domain != "indicators":  # signals are not there on each day
        return None
    newest, own = _newest(lake, version.table), _newest(lake, table.name)
    return newest if newest and (own is None or own < newest) and version.table == "daily_bars" else None


def _backtests(lake: Lake, table: Table, version: Version) -> date | None:
    """Return the first changed day within the window of a strategy's newest backtest."""
    runs = lake.read(table.name, columns=["strategy", "end_date", "run_at"]).sort("run_at")
    newest = runs.unique("strategy", keep="last", maintain_order=True)
    changes = (
        (first_change(lake, number, version), end)
        for end, number in _versions_then(lake, version, newest.select("end_date", "run_at").rows())
    )
    return min((day for day, end in changes if day is not None and day <= end), default=None)


def _versions_then(lake: Lake, version: Version, runs: list[tuple[date, datetime]]) -> Iterator[tuple[date, int]]:
    """Yield the end of each window with the version of the input at the time of the run, where the log has it."""
    opened = lake.log(version.table)
    if opened is None:
        return
    commits = sorted((commit["timestamp"], commit["version"]) for commit in opened.history() if "timestamp" in commit)
    for end, moment in runs:
        place = bisect_right(commits, (moment.timestamp() * 1000, version.number))
        if place:
            yield end, commits[place - 1][1]


def _newest(lake: Lake, table: str) -> date | None:
    return lake.scan(table, columns=["date"]).select(pl.col("date").max()).collect().item()
