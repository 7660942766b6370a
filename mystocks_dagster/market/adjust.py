"""Derive ex-dividend and split events from raw bars, and adjusted prices from the events.

Prices are stored raw. An event is one row per symbol and ex-day: ratio = previous close as the exchange states it /
last close. Accumulated from the first stored day, the ratios give backward-adjusted prices (后复权, hfq), which never
change afterwards. Anchored at a day, they give forward-adjusted prices (前复权, qfq).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import product
from typing import cast

import numpy as np
import polars as pl

from mystocks_dagster.market.symbols import board_expr

#: The terms of a distribution, as in `corporate_actions`.
TERMS = ("cash", "bonus", "rights", "rights_price", "split")
#: Two sources state the same term if they differ by no more than this: CNY of cash and of a right's price, shares of
#: the others. Sources round to different digits; the effect on a price is far below a tick.
SAME = {"cash": 5e-4, "bonus": 1e-5, "rights": 1e-5, "rights_price": 5e-3, "split": 1e-5}
#: The values of `TERMS`; None is a term that the source does not state.
Action = tuple[float, float, float | None, float | None, float | None]

#: CNY. The tick of shares is 0.01, so a smaller difference is a vendor's rounding, not an event.
HALF_A_TICK = 0.005
#: CNY. The tick of exchange-traded funds, which belong to no board, is 0.001.
HALF_A_FUNDS_TICK = 0.0005
#: Tolerance for binary floating point.
_EPSILON = 1e-9
#: The price columns of `daily_bars`.
PRICES = ("open", "high", "low", "close", "prev_close")


def changed_closes(bars: pl.DataFrame) -> pl.DataFrame:
    """Return the bars whose previous close is null or differs from the symbol's last stored close.

    A symbol's first bar is never returned. Equal prices prove that there was no event, even across missing days.

    Args:
        bars: `symbol`, as strings or as an `Enum`, `date`, `prev_close`, and `last_date` and `last_close` of the
            symbol's previous stored bar.
    """
    difference = (pl.col("prev_close") - pl.col("last_close")).abs()
    # Few rows differ at all, and only of those the board is looked up.
    same = difference <= min(HALF_A_FUNDS_TICK, HALF_A_TICK) + _EPSILON
    bars = bars.filter(pl.col("last_date").is_not_null() & ~same.fill_null(value=False))
    bars = bars.with_columns(pl.col("symbol").cast(pl.String))
    half = pl.when(board_expr("symbol").is_null()).then(HALF_A_FUNDS_TICK).otherwise(HALF_A_TICK)
    return bars.filter(~(difference <= half + _EPSILON).fill_null(value=False))


def derive_events(changed: pl.DataFrame, silent: Sequence[date], actions: pl.DataFrame) -> pl.DataFrame:
    """Return the events (`symbol`, `date`, `ratio`) of bars whose previous close has changed.

    The ratio is null ("unknown") where the exchange's previous close is null, and where a silent day lies between the
    two bars, unless corporate actions explain the difference.

    Args:
        changed: The result of `changed_closes`.
        silent: Days on which a bar may exist although none is stored, ascending.
        actions: Rows of `corporate_actions`.
    """
    days = pl.Series(silent, dtype=pl.Date)
    before = days.search_sorted(changed["date"], side="left")
    known = before == days.search_sorted(changed["last_date"], side="right")
    explained = _explained(changed.filter(~known), actions)
    keyed = changed.with_columns(known=known).join(
        explained.with_columns(explained=True), on=["symbol", "date"], how="left"
    )
    priced = (pl.col("prev_close") > 0) & (pl.col("last_close") > 0)
    ratio = pl.when(priced & (pl.col("known") | pl.col("explained").fill_null(value=False))).then(
        pl.col("prev_close") / pl.col("last_close")
    )
    return keyed.select("symbol", "date", ratio=ratio).sort("symbol", "date")


def ex_right_price(close: float, actions: Iterable[Action]) -> float:
    """Return the unrounded previous close that the exchange states after `actions`, given in order of their days.

    (close - cash + rights price x rights) / (1 + bonus + rights) / split; prices in CNY per share.
    """
    for cash, bonus, rights, rights_price, split in actions:
        offered = rights or 0.0
        close = (close - cash + (rights_price or 0.0) * offered) / (1 + bonus + offered) / (split or 1.0)
    return close


def _explained(changed: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Return `symbol` and `date` of the bars whose previous close the actions since the last bar explain.

    Where sources state a day differently, the statement that explains the price counts.
    """
    between = (pl.col("ex_date") > pl.col("last_date")) & (pl.col("ex_date") <= pl.col("date"))
    joined = changed.drop_nulls().join(actions, on="symbol").filter(between).sort("ex_date")
    terms = joined.group_by("symbol", "date", "prev_close", "last_close").agg("ex_date", steps=pl.struct(TERMS))
    rows = [
        (symbol, day)
        for symbol, day, stated, close, days, steps in terms.iter_rows()
        if any(
            abs(ex_right_price(close, statement) - stated) <= HALF_A_TICK + _EPSILON
            for statement in _statements(days, steps)
        )
    ]
    return pl.DataFrame(rows, schema={"symbol": pl.String, "date": pl.Date}, orient="row")


def _statements(days: Sequence[date], steps: Sequence[Mapping[str, float | None]]) -> Iterator[tuple[Action, ...]]:
    """Yield the actions of ascending `days` in order, once for each choice between the sources that state a day."""
    by_day: dict[date, list[Action]] = {}
    for day, step in zip(days, steps, strict=True):
        terms = cast(Action, tuple(step[name] for name in TERMS))
        if terms not in (stated := by_day.setdefault(day, [])):
            stated.append(terms)
    return product(*by_day.values())


def next_bar_days(stored: pl.LazyFrame, ends: Sequence[date]) -> list[date]:
    """Return, ascending, the days of every symbol's first bar after each of `ends`.

    The previous closes of these bars refer to the changed days.

    Args:
        stored: `symbol` and `date` of all bars after the earliest of `ends`.
        ends: The last day of each run of changed days.
    """
    after = stored.group_by("symbol").agg(
        pl.col("date").filter(pl.col("date") > end).min().alias(f"{end}") for end in ends
    )
    dates = pl.concat([after.select(date=f"{end}") for end in ends]).unique().drop_nulls().sort("date")
    return dates.collect()["date"].to_list() if ends else []


def runs(days: Sequence[date], previous: Mapping[date, date]) -> list[tuple[date, date]]:
    """Return the first and last day of each run of consecutive trading days.

    Args:
        days: Trading days, in any order.
        previous: The trading day before each of them.
    """
    spans: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if spans and previous[day] <= spans[-1][1]:
            spans[-1] = (spans[-1][0], day)
        else:
            spans.append((day, day))
    return spans


def adjust(
    bars: pl.DataFrame, events: pl.DataFrame, *, anchored: bool = False, anchor: date | None = None
) -> pl.DataFrame:
    """Multiply the prices of raw bars by their factor and add the column `factor`.

    Args:
        bars: `symbol`, `date` and any of `PRICES`, sorted by symbol and date; other columns, such as volume, are not
            adjusted.
        events: As `factors` takes them.
        anchored: As `factors` takes it.
        anchor: As `factors` takes it.
    """
    factor = factors(bars["symbol"], bars["date"], events, anchored=anchored, anchor=anchor)
    prices = [name for name in PRICES if name in bars.columns]
    bars = bars.with_columns(pl.Series("factor", factor, dtype=pl.Float64))
    return bars.with_columns(pl.col(name) * pl.col("factor") for name in prices)


def factors(
    symbols: pl.Series, days: pl.Series, events: pl.DataFrame, *, anchored: bool = False, anchor: date | None = None
) -> np.ndarray:
    """Return the adjustment factor of each bar.

    Events whose ratio is null are ignored: the caller must not read across them.

    Args:
        symbols: The symbols of the bars, as strings or as an `Enum`, which is faster.
        days: Their days; the bars are sorted by symbol and date.
        events: `symbol`, `date`, `ratio`, from each symbol's first stored day on.
        anchored: False: the factor is 1 on the first stored day (hfq). True: it is 1 on the anchor (qfq).
        anchor: The day on which qfq prices equal raw prices; None is the last stored day.
    """
    steps = (
        events.filter(pl.col("ratio").is_not_null())
        .with_columns(pl.col("symbol").cast(pl.String))
        .sort("symbol", "date")
        .select("symbol", "date", factor=(1 / pl.col("ratio")).cum_prod().over("symbol"))
    )
    scale = steps.clear().select("symbol", scale="factor")
    if anchored:
        upto = steps if anchor is None else steps.filter(pl.col("date") <= anchor)
        scale = upto.group_by("symbol").agg(scale=pl.col("factor").last())
    return _factors(symbols, days, steps, scale)


def _factors(symbols: pl.Series, days: pl.Series, steps: pl.DataFrame, scale: pl.DataFrame) -> np.ndarray:
    """Return the factor of each bar: that of its symbol's last step, divided by its symbol's scale.

    Only the rows at which the factor changes are searched for. A join of all bars takes ten times as long.
    """
    runs = symbols.rle().struct.unnest().select(symbol=pl.col("value").cast(pl.String), end=pl.col("len").cum_sum())
    runs = runs.with_columns(pl.col("end").cast(pl.Int64)).with_columns(start=pl.col("end").shift(fill_value=0))
    runs = runs.join(scale, on="symbol", how="left", maintain_order="left").with_columns(pl.col("scale").fill_null(1.0))
    changes = runs.join(steps, on="symbol").sort("start", "date")
    position = _first_not_before(
        days.to_physical().to_numpy(),
        changes["start"].to_numpy(),
        changes["end"].to_numpy(),
        changes["date"].to_physical().to_numpy(),
    )
    changes = changes.with_columns(position=pl.Series(position)).filter(pl.col("position") < pl.col("end"))
    spans = (
        pl.concat(
            [
                runs.select(position="start", factor=1.0 / pl.col("scale")),
                changes.select("position", factor=pl.col("factor") / pl.col("scale")),
            ]
        )
        .sort("position", maintain_order=True)
        .unique("position", keep="last", maintain_order=True)
    )
    ends = np.append(spans["position"].to_numpy(), len(days))
    return np.repeat(spans["factor"].to_numpy(), np.diff(ends))


def _first_not_before(days: np.ndarray, start: np.ndarray, end: np.ndarray, sought: np.ndarray) -> np.ndarray:
    """Return for each `sought` day the first position from `start` to `end` whose day is not before it, or `end`."""
    low, high = start.copy(), end.copy()
    while (open_ranges := low < high).any():
        middle = (low + high) // 2
        before = days[np.minimum(middle, len(days) - 1)] < sought
        low = np.where(open_ranges & before, middle + 1, low)
        high = np.where(open_ranges & ~before, middle, high)
    return low
