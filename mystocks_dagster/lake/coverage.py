"""Which trading days of which tables are complete, partial, missing, quarantined or not published yet.

Computed from `loaded_days`, `quarantine` and the calendar only; no table of data is read. A table is expected to have
every trading day from its first loaded one on.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import polars as pl

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import TradingCalendar, shanghai
from mystocks_dagster.market.clock import SHANGHAI, now
from mystocks_dagster.market.publication import Publication
from mystocks_dagster.market.table import Table
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables import table as table_of
from mystocks_dagster.market.tables.system import LOADED_DAYS, QUARANTINE


class DayState:
    """The states of a trading day of a table.

    `partial` is a loaded day that lacks rows; `quarantined` one whose rows are set aside, in part or all of them.
    """

    COMPLETE: Final = "complete"
    PARTIAL: Final = "partial"
    MISSING: Final = "missing"
    QUARANTINED: Final = "quarantined"
    NOT_PUBLISHED: Final = "not_published"


#: The states by the letter that stands for each in compact listings.
LETTERS: Mapping[str, str] = {
    "c": DayState.COMPLETE,
    "p": DayState.PARTIAL,
    "m": DayState.MISSING,
    "q": DayState.QUARANTINED,
    "n": DayState.NOT_PUBLISHED,
}
#: The states of a day that a load can improve.
OPEN: frozenset[str] = frozenset({DayState.PARTIAL, DayState.MISSING, DayState.QUARANTINED})

#: Columns of `coverage`.
SCHEMA = {
    "table": pl.String,
    "date": pl.Date,
    "status": pl.String,
    "rows": pl.Int64,
    "set_aside": pl.Int64,
    #: The source that loaded the day last; null if none did.
    "source": pl.String,
    #: Whether that source has no more rows of the day, so that only another one can complete it.
    "exhausted": pl.Boolean,
}


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Consecutive trading days of a table with the same state.

    Attributes:
        days: Number of trading days.
        rows: Number of stored rows.
        set_aside: Number of rows in the quarantine.
    """

    table: str
    status: str
    first: date
    last: date
    days: int
    rows: int
    set_aside: int


def datasets() -> tuple[str, ...]:
    """Return the tables that are loaded by trading day from a source."""
    return tuple(name for name, table in TABLES.items() if is_dataset(table))


def is_dataset(table: Table) -> bool:
    """Return whether a table is loaded by trading day from a source."""
    return table.by_day and table.origin == "source"


def coverage(
    lake: Lake,
    tables: Collection[str] | None = None,
    *,
    start: date | None = None,
    end: date | None = None,
    published: Mapping[str, Publication] | None = None,
    moment: datetime | None = None,
) -> pl.DataFrame:
    """Return the state of each expected trading day, sorted by table and date; columns as in `SCHEMA`.

    A table without any loaded day has no rows. Weekdays beyond the calendar's end that are not loaded may be holidays
    and have no rows, except the newest published one and later.

    Args:
        lake: The lake.
        tables: Names of datasets; None means all of them.
        start: First day; None is each table's first loaded day. Days before that are missing.
        end: Last day; None is today.
        published: When a table's days are published, where it is not as the table declares.
        moment: The present moment.

    Raises:
        UnknownName: A table does not exist or is not loaded by trading day from a source.
    """
    names = tuple(dict.fromkeys(tables)) if tables is not None else datasets()
    for name in names:
        _check(name)
    moment, calendar = moment or now(), shanghai()
    entries, aside = _entries(lake, names), _set_aside(lake, names)
    parts = []
    for name in names:
        loaded = entries.filter(pl.col("table") == name)
        if loaded.is_empty() and start is None:
            continue
        newest = (published or {}).get(name, TABLES[name].available_after).newest(moment, calendar)
        first: date = start or loaded["date"].min()  # ty: ignore[invalid-assignment]
        days = _expected(first, end, newest, moment.astimezone(SHANGHAI).date(), calendar, loaded["date"].to_list())
        parts.append(_states(name, days, newest, loaded, aside.filter(pl.col("table") == name)))
    return pl.concat(parts) if parts else pl.DataFrame(schema=SCHEMA)


def stretches(frame: pl.DataFrame) -> list[Stretch]:
    """Return the rows of `coverage` as stretches of consecutive trading days with the same state."""
    turn = pl.struct("table", "status").rle_id()
    grouped = frame.group_by(turn.alias("turn"), maintain_order=True).agg(
        pl.col("table", "status").first(),
        first=pl.col("date").min(),
        last=pl.col("date").max(),
        days=pl.len(),
        rows=pl.col("rows").sum(),
        set_aside=pl.col("set_aside").sum(),
    )
    return [Stretch(**row) for row in grouped.drop("turn").iter_rows(named=True)]


def gaps(frame: pl.DataFrame) -> list[Stretch]:
    """Return the stretches of days that are not complete."""
    return [stretch for stretch in stretches(frame) if stretch.status != DayState.COMPLETE]


def never_loaded(lake: Lake, frame: pl.DataFrame, tables: Collection[str]) -> list[str]:
    """Return the tables of which `coverage` has no day because none was ever loaded."""
    left = [name for name in tables if name not in set(frame["table"].unique())]
    loaded = set(_entries(lake, left)["table"].unique()) if left else set()
    return [name for name in left if name not in loaded]


def heat_map(frame: pl.DataFrame) -> tuple[list[date], dict[str, str]]:
    """Return the days of `coverage`, ascending, and per table one letter of `LETTERS` a day.

    A point stands for a day that is not expected of the table.
    """
    days = frame["date"].unique().sort().to_list()
    letters = {status: letter for letter, status in LETTERS.items()}
    columns = {}
    for (name,), rows in frame.group_by("table", maintain_order=True):
        by_day = dict(rows.select("date", "status").iter_rows())
        columns[f"{name}"] = "".join(letters.get(by_day.get(day, ""), ".") for day in days)
    return days, columns


def _check(name: str) -> None:
    if not is_dataset(table_of(name)):
        raise UnknownName(
            f"{name} is not loaded by trading day, so no day of it can be missing; these tables are: "
            f"{', '.join(datasets())}."
        )


def _entries(lake: Lake, names: Collection[str]) -> pl.DataFrame:
    if not lake.exists("loaded_days"):
        return LOADED_DAYS.empty()
    existing = [name for name in names if lake.exists(name)]
    entries = lake.read("loaded_days", columns=["table", "date", "rows", "complete", "lacking", "source"])
    return entries.filter(pl.col("table").is_in(existing))


def _set_aside(lake: Lake, names: Collection[str]) -> pl.DataFrame:
    """Return `table`, `date` and `set_aside` (number of rows in the quarantine that are not stored)."""
    stored = [(name, rule.name) for name in names for rule in TABLES[name].rules if rule.severity == "value"]
    rows = lake.read("quarantine", columns=["table", "key", "rule", "date"]) if lake.exists("quarantine") else None
    rows = QUARANTINE.empty().select("table", "key", "rule", "date") if rows is None else rows
    values = pl.DataFrame(stored, schema={"table": pl.String, "rule": pl.String}, orient="row")
    rows = rows.filter(pl.col("table").is_in(list(names)), pl.col("date").is_not_null())
    unstored = rows.join(values, on=["table", "rule"], how="anti")
    return unstored.group_by("table", "date").agg(set_aside=pl.col("key").n_unique().cast(pl.Int64))


def _expected(
    first: date, end: date | None, newest: date, today: date, calendar: TradingCalendar, loaded: Collection[date]
) -> list[date]:
    """Return the trading days from `first` to `end` or today, and the loaded ones among later days."""
    last = min(end or today, max(today, newest))
    begin, until = max(first, calendar.first), min(last, calendar.last)
    days = set(calendar.sessions(begin, until)) if begin <= until else set()
    days |= {day for day in loaded if first <= day <= last}
    beyond = (
        date.fromordinal(number) for number in range(max(newest, calendar.last).toordinal(), last.toordinal() + 1)
    )
    days |= {day for day in beyond if day >= first and calendar.is_probable_session(day)[0]}
    return sorted(days)


def _states(name: str, days: list[date], newest: date, loaded: pl.DataFrame, aside: pl.DataFrame) -> pl.DataFrame:
    complete, set_aside = pl.col("complete"), pl.col("set_aside").fill_null(0) > 0
    lacking = pl.col("lacking").fill_null(value=False)
    status = (
        pl.when(complete.is_null() & (pl.col("date") > newest))
        .then(pl.lit(DayState.NOT_PUBLISHED))
        .when(complete & ~lacking & ~set_aside)
        .then(pl.lit(DayState.COMPLETE))
        .when(set_aside)
        .then(pl.lit(DayState.QUARANTINED))
        .when(complete.is_null())
        .then(pl.lit(DayState.MISSING))
        .otherwise(pl.lit(DayState.PARTIAL))
    )
    frame = pl.DataFrame({"date": days}, schema={"date": pl.Date})
    frame = frame.join(loaded.select("date", "rows", "complete", "lacking", "source"), on="date", how="left")
    frame = frame.join(aside.select("date", "set_aside"), on="date", how="left", maintain_order="left")
    frame = frame.with_columns(pl.col("rows", "set_aside").fill_null(0), table=pl.lit(name), status=status)
    frame = frame.with_columns(exhausted=(complete & (pl.col("status") != DayState.COMPLETE)).fill_null(value=False))
    return frame.sort("date").select(pl.col(key).cast(kind) for key, kind in SCHEMA.items())
