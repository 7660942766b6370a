"""The bars that a screen needs: forward-adjusted to its day, of traded days, and no older than its formula reaches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from mystocks_dagster.lake.delta import translate_errors
from mystocks_dagster.lake.events import unknown_events
from mystocks_dagster.lake.sorting import sort_by_symbol
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.adjust import PRICES, factors
from mystocks_dagster.market.periods import Period, period_bars, period_start
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS

#: The length of a period in polars' language.
_EVERY = {"weekly": "1w", "monthly": "1mo"}
#: The earliest day of a read of the whole history.
_BEGINNING = date(1990, 1, 1)
#: Days of the calendar for each bar, and those by which holidays and short suspensions prolong a span of bars.
_DAYS = {"daily": 365 / 242, "weekly": 7.0, "monthly": 30.5}
_HOLIDAYS = 15


@dataclass(frozen=True, kw_only=True)
class ScreenBars:
    """Bars of the symbols that can be screened.

    Attributes:
        rows: `symbol` (an `Enum`), `date` and the columns asked for, sorted by symbol and date.
        doubtful: Symbol to the newest day of an unknown adjustment ratio, for symbols that are left out for it.
        read: Number of daily bars that were read.
    """

    rows: pl.DataFrame
    doubtful: dict[str, date]
    read: int

    @property
    def offsets(self) -> np.ndarray:
        """Rows `offsets[s]:offsets[s + 1]` belong to the symbol `s`."""
        lengths = self.rows["symbol"].rle().struct.field("len").to_numpy()
        return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def screen_bars(
    lake: Lake,
    day: date,
    columns: Sequence[str],
    needed: int | None,
    period: Period,
    symbols: Sequence[str] | None = None,
) -> ScreenBars:
    """Read the bars up to a day.

    Prices are those of a chart forward-adjusted on that day: the bar of the day has its raw prices. A symbol is left
    out when an unknown adjustment ratio lies among the bars that the formula reaches.

    Args:
        lake: Where `daily_bars` and `adjust_events` are.
        day: The last day.
        columns: Columns of `daily_bars` besides `symbol` and `date`.
        needed: Bars before the last one that the formula reaches; None reads the whole history.
        period: The period of the bars.
        symbols: Only these symbols; None means all.
    """
    names = ["symbol", "date", *columns]
    start = _BEGINNING if needed is None else _start(day, needed, period)
    frame = _traded(lake, names, symbols=symbols, start=start, end=day)
    if needed is not None:
        short = _short(frame, needed, period) - _listed_since(lake, start)
        if short:
            older = _traded(lake, names, symbols=sorted(short), end=start - timedelta(days=1))
            frame = pl.concat([older, frame])
    unknown = _newest_unknown(lake, day)
    read = frame.height
    frame = frame.join(unknown, on="symbol", how="left", maintain_order="left")
    frame = frame.filter((pl.col("date") >= pl.col("unknown")).fill_null(value=True)).drop("unknown")
    doubtful = _doubtful(frame, unknown, needed, period)
    frame = frame.filter(~pl.col("symbol").is_in(list(doubtful)))
    if frame.is_empty():
        return ScreenBars(rows=frame, doubtful=doubtful, read=read)
    events = _events(lake, day)

    def factors_of(symbols: pl.Series, days: pl.Series) -> np.ndarray:
        return factors(symbols, days, events, anchored=True, anchor=day)

    multiplied = [name for name in PRICES if name in columns]
    rows = sort_by_symbol(frame, factors=factors_of, multiplied=multiplied).drop("factor")
    return ScreenBars(rows=period_bars(rows, period), doubtful=doubtful, read=read)


def _start(day: date, needed: int, period: Period) -> date:
    """Return a day from which a symbol that was hardly ever suspended has all the bars that are needed."""
    bars = needed + 1
    days = int(bars * _DAYS[period] * 1.05) + _HOLIDAYS
    return max(_BEGINNING, period_start(day - timedelta(days=min(days, (day - _BEGINNING).days)), period))


def _traded(lake: Lake, names: Sequence[str], **selection: object) -> pl.DataFrame:
    stored = lake.scan("daily_bars", columns=[*names, "suspended"], **selection)  # ty: ignore[invalid-argument-type]
    with translate_errors(lake.location):
        return stored.filter(~pl.col("suspended")).drop("suspended").collect()


def _short(frame: pl.DataFrame, needed: int, period: Period) -> set[str]:
    """Return the symbols with fewer bars than the formula reaches."""
    counted = _counts(frame, period)
    return set(counted.filter(pl.col("bars") <= needed)["symbol"])


def _counts(frame: pl.DataFrame, period: Period) -> pl.DataFrame:
    bars = pl.len() if period == "daily" else pl.col("date").dt.truncate(_EVERY[period]).n_unique()
    return frame.group_by("symbol").agg(bars=bars)


def _listed_since(lake: Lake, start: date) -> set[str]:
    """Return the symbols that were listed on a day or later: they have no older bars."""
    if not lake.exists("stocks"):
        return set()
    stocks = lake.read("stocks", columns=["symbol", "list_date"])
    return set(stocks.filter(pl.col("list_date") >= start)["symbol"])


def _events(lake: Lake, day: date) -> pl.DataFrame:
    return lake.read("adjust_events", end=day) if lake.exists("adjust_events") else ADJUST_EVENTS.empty()


def _newest_unknown(lake: Lake, day: date) -> pl.DataFrame:
    """Return `symbol` and `unknown`: the newest day, up to `day`, of an unknown ratio."""
    unknown = unknown_events(lake).filter(pl.col("date") <= day)
    return unknown.group_by("symbol").agg(unknown=pl.col("date").max())


def _doubtful(frame: pl.DataFrame, unknown: pl.DataFrame, needed: int | None, period: Period) -> dict[str, date]:
    """Return the symbols whose bars since an unknown ratio are fewer than the formula reaches."""
    if unknown.is_empty():
        return {}
    counted = unknown.join(_counts(frame, period), on="symbol", how="inner")
    if needed is not None:
        counted = counted.filter(pl.col("bars") <= needed)
    return dict(counted.sort("symbol").select("symbol", "unknown").iter_rows())
