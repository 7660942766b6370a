"""Keep `adjust_events` true to `daily_bars` after days were loaded, replaced or filled in."""

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.adjust import derive_events, next_bar_days, runs
from mystocks_dagster.market.calendar import shanghai


def refresh_events(lake: Lake, days: Sequence[date]) -> int:
    """Derive the events again that depend on the bars of `days`; call it after each change of `daily_bars`.

    Those are the events of the days themselves and of every symbol's next stored bar after them: a filled gap turns
    the unknown ratio behind it into the true one, and a loaded past turns a first bar into one with a history.

    Returns:
        The number of events written.
    """
    if not days:
        return 0
    stored = lake.scan("daily_bars", columns=["symbol", "date"], start=min(days))
    ends = [end for _, end in runs(days, {day: _previous(day) for day in days})]
    touched = sorted({*days, *next_bar_days(stored, ends)})
    previous = {day: _previous(day) for day in touched}
    bars = _bars(lake, {*previous, *previous.values()})
    events = derive_events(bars, previous, _first_days(lake, bars, previous))
    return lake.replace_days("adjust_events", events, touched)


def _bars(lake: Lake, days: set[date]) -> pl.DataFrame:
    columns = ["symbol", "date", "close", "prev_close"]
    frame = lake.scan("daily_bars", columns=columns, start=min(days), end=max(days))
    return frame.filter(pl.col("date").is_in(list(days))).collect()


def _first_days(lake: Lake, bars: pl.DataFrame, previous: dict[date, date]) -> pl.DataFrame:
    """Return the first stored day of the symbols that lack a bar on the trading day before one of theirs."""
    before = pl.DataFrame({"date": list(previous), "before": list(previous.values())}, schema={"date": pl.Date, "before": pl.Date})
    lacking = bars.join(before, on="date").join(bars, left_on=["symbol", "before"], right_on=["symbol", "date"], how="anti")
    stored = lake.scan("daily_bars", columns=["symbol", "date"], symbols=lacking["symbol"].unique().to_list(), end=max(previous))
    return stored.group_by("symbol").agg(first=pl.col("date").min()).collect()


def _previous(day: date) -> date:
    """Return the trading day before; beyond the published calendar every weekday is taken for one."""
    day -= timedelta(days=1)
    while not shanghai().is_probable_session(day)[0]:
        day -= timedelta(days=1)
    return day
