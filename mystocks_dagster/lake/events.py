"""Derive `adjust_events` from `daily_bars` whenever bars, completeness, calendar or corporate actions change."""

from collections.abc import Collection, Sequence
from datetime import date, timedelta

import polars as pl

from mystocks_dagster.lake.data_files import DataFile, data_files
from mystocks_dagster.lake.evidence import silent_days_between
from mystocks_dagster.lake.last_bars import bars_with_last, changed_bars
from mystocks_dagster.lake.loads import whole_days
from mystocks_dagster.lake.reading import TableReader
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.stored_bars import StoredBars
from mystocks_dagster.market.adjust import changed_closes, derive_events, next_bar_days, runs
from mystocks_dagster.market.calendar import TradingCalendar, shanghai
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS, CORPORATE_ACTIONS

#: From so many days on, it pays to derive the events from the rows in memory.
_BULK = 20
#: Days further apart than this are read separately, without the days between.
_APART = timedelta(days=60)


def refresh_events(
    lake: Lake,
    days: Sequence[date],
    *,
    complete: Collection[date] | None = None,
    calendar: TradingCalendar | None = None,
) -> int:
    """Derive again the events that depend on the bars of `days`; call it after each change of `daily_bars`.

    Those are the events of the days themselves and of every symbol's next stored bar after them: filling a gap makes
    the unknown ratio after it known, and loading the past gives a first bar a history. When the table of events does
    not exist, the events of all stored bars are derived.

    Args:
        lake: Where `daily_bars` is.
        days: The days whose bars, or whose completeness, have changed.
        complete: Days that are completely loaded and lack no row; None reads them from `loaded_days`. Pass them to
            derive the events before the load is recorded, so that a run killed in between loads the days again.
        calendar: The published calendar; None is Shanghai's.

    Returns:
        The number of events written.
    """
    if not days:
        return 0
    calendar = calendar or shanghai()
    complete = whole_days(lake, "daily_bars") if complete is None else complete
    if not lake.exists("adjust_events"):
        days = sorted({*days, *lake.days("daily_bars")})
    touched = sorted({*days, *_next_days(lake, days, calendar), *_days_after_suspensions(lake, days, StoredBars(lake))})
    events = [_events(lake, changed_bars(lake, block), complete, calendar) for block in _blocks(touched)]
    return lake.replace_days("adjust_events", pl.concat(events), touched)


def add_events(
    lake: Lake,
    days: Sequence[date],
    changes: pl.DataFrame | None,
    *,
    complete: Collection[date],
    rows: int | None = None,
    stored: StoredBars | None = None,
    calendar: TradingCalendar | None = None,
) -> int:
    """Derive the events of the bars of `days`, which were just stored, without reading these bars again.

    It gives the same events as `refresh_events`, which it calls if other days lie between `days`.

    Args:
        lake: Where `daily_bars` is.
        days: The days whose bars were stored.
        changes: Of these bars, those whose previous close is unknown or not the close of the bar before: `symbol`,
            `date`, `prev_close`, `last_date` and `last_close`; the last two are null where the caller does not know the
            bar before. None: not known.
        complete: Days that are completely loaded and lack no row.
        rows: The number of stored bars of `days`, if it is known.
        stored: Answers questions about the bars of other days; None asks the lake.
        calendar: The published calendar; None is Shanghai's.

    Returns:
        The number of events written.
    """
    days, calendar = sorted(days), calendar or shanghai()
    if changes is None or len(days) < _BULK:
        return refresh_events(lake, days, complete=complete, calendar=calendar)
    others = _has_other_days(lake, days, rows)
    if others or (not lake.exists("adjust_events") and len(lake.days("daily_bars")) > len(days)):
        return refresh_events(lake, days, complete=complete, calendar=calendar)
    unknown = changes.filter(pl.col("last_date").is_null())
    stored = stored or StoredBars(lake)
    earlier = stored.last_before(unknown["symbol"].unique().to_list(), days[0])
    bars = changes.join(earlier, on="symbol", how="left").with_columns(
        last_date=pl.coalesce("last_date", "earlier_date"), last_close=pl.coalesce("last_close", "earlier_close")
    )
    later = sorted({*_next_bar_days(lake, days[-1]), *_days_after_suspensions(lake, days, stored)} - {*days})
    events = [_events(lake, changed_closes(bars.select(changes.columns)), complete, calendar, stored)]
    events += [_events(lake, changed_bars(lake, block), complete, calendar) for block in _blocks(later)]
    return lake.replace_days("adjust_events", pl.concat(events), sorted({*days, *later}))


def _next_bar_days(lake: Lake, end: date) -> list[date]:
    """Return the days of every symbol's first bar after a day."""
    files = _files(lake)
    if files and all(file.last and file.last <= end for file in files):
        # The log shows it, without reading a row.
        return []
    return next_bar_days(lake.scan("daily_bars", columns=["symbol", "date"], start=end + timedelta(days=1)), [end])


def _files(lake: Lake) -> list[DataFile]:
    opened = lake.log("daily_bars")
    return data_files(opened, DAILY_BARS.stored) if opened is not None else []


def _has_other_days(lake: Lake, days: Sequence[date], rows: int | None) -> bool:
    """Return whether bars of other days lie between the first and the last of `days`, which have so many rows."""
    files = _files(lake)
    if files and all(file.first and file.last and file.rows is not None for file in files):
        near = (file for file in files if file.first <= days[-1] and file.last >= days[0])  # ty: ignore[unsupported-operator]
        if sum(file.rows or 0 for file in near) == rows:
            # The log shows it, without reading a row.
            return False
    span = lake.scan("daily_bars", columns=["date"], start=days[0], end=days[-1])
    return bool({*span.select(pl.col("date").unique()).collect()["date"]} - {*days})


def derive_unknown(lake: Lake, *, calendar: TradingCalendar | None = None) -> int:
    """Derive the unknown events again from the current calendar, complete days and corporate actions.

    Only the bars of symbols with an unknown event are read. When the table of events is missing, it is derived from
    all bars; when the table of bars is missing, all events are removed.

    Returns:
        The number of events that became known.
    """
    if not lake.exists("daily_bars"):
        if lake.exists("adjust_events"):
            lake.replace_all("adjust_events", ADJUST_EVENTS.empty())
        return 0
    if not lake.exists("adjust_events"):
        return refresh_events(lake, lake.days("daily_bars"), calendar=calendar)
    unknown = unknown_events(lake)
    if unknown.is_empty():
        return 0
    bars = bars_with_last(lake, unknown["date"].unique().sort().to_list(), unknown["symbol"].unique().to_list())
    bars = bars.join(unknown, on=["symbol", "date"], how="semi")
    events = _events(lake, changed_closes(bars), whole_days(lake, "daily_bars"), calendar or shanghai())
    settled = unknown.join(events.filter(pl.col("ratio").is_null()), on=["symbol", "date"], how="anti")
    if settled.height:
        days = settled["date"].unique().to_list()
        others = (
            lake.read("adjust_events")
            .filter(pl.col("date").is_in(days))
            .join(settled, on=["symbol", "date"], how="anti")
        )
        lake.replace_days("adjust_events", pl.concat([others, events.drop_nulls()]), days)
    return settled.height


def unknown_events(lake: TableReader, *, symbols: Sequence[str] | None = None) -> pl.DataFrame:
    """Return `symbol` and `date` of the events with an unknown ratio, sorted by both."""
    if not lake.exists("adjust_events"):
        return ADJUST_EVENTS.empty().select("symbol", "date")
    events = lake.scan("adjust_events", symbols=symbols)
    return events.filter(pl.col("ratio").is_null()).select("symbol", "date").sort("symbol", "date").collect()


def _events(
    lake: Lake,
    changed: pl.DataFrame,
    complete: Collection[date],
    calendar: TradingCalendar,
    stored: StoredBars | None = None,
) -> pl.DataFrame:
    if changed.is_empty():
        return ADJUST_EVENTS.empty()
    silent = silent_days_between(lake, changed, complete, calendar, stored.suspended_days if stored else None)
    return derive_events(changed, silent, _actions(lake, changed) if silent else CORPORATE_ACTIONS.empty())


def _actions(lake: Lake, changed: pl.DataFrame) -> pl.DataFrame:
    if not lake.exists("corporate_actions"):
        return CORPORATE_ACTIONS.empty()
    return lake.read("corporate_actions", symbols=changed["symbol"].unique().to_list())


def _next_days(lake: Lake, days: Sequence[date], calendar: TradingCalendar) -> list[date]:
    """Return the days of every symbol's first bar after each run of `days`, whose event depends on them."""
    ends = [end for _, end in runs(days, {day: session_before(day, calendar) for day in days})]
    return next_bar_days(lake.scan("daily_bars", columns=["symbol", "date"], start=min(days)), ends)


def session_before(day: date, calendar: TradingCalendar) -> date:
    """Return the previous session; beyond the calendar, each weekday counts as one."""
    day -= timedelta(days=1)
    while not calendar.is_probable_session(day)[0]:
        day -= timedelta(days=1)
    return day


def _days_after_suspensions(lake: Lake, days: Sequence[date], stored: StoredBars) -> list[date]:
    """Return the days of stored events from the years on whose first stored suspensions are among `days`.

    In such a year a missing bar no longer counts as a suspension, so those events may become unknown.
    """
    years = {day.year for day in days}
    suspended = {day for day in stored.suspended_days(years) if day.year in years}
    first = {day.year for day in suspended} - {day.year for day in suspended - {*days}}
    if not first or not lake.exists("adjust_events"):
        return []
    events = lake.scan("adjust_events", columns=["date"], start=date(min(first), 1, 1))
    return events.select(pl.col("date").unique()).collect()["date"].to_list()


def _blocks(days: Sequence[date]) -> list[list[date]]:
    blocks: list[list[date]] = []
    for day in days:
        if blocks and day - blocks[-1][-1] <= _APART:
            blocks[-1].append(day)
        else:
            blocks.append([day])
    return blocks
