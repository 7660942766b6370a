"""Ex-dividend and split days out of raw bars, and adjusted prices out of them.

Prices are stored raw. Beside them stands one event per symbol and ex-day: ratio = previous close as the exchange states
it / last close. Cumulated from the first stored day they give backward-adjusted prices (后复权, hfq), whose past never
changes; anchored at a day, forward-adjusted ones (前复权, qfq).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import polars as pl

from mystocks_dagster.market.symbols import board_expr

#: Cash in CNY per share, bonus shares and rights per share, and the price of a right in CNY.
Action = tuple[float, float, float, float | None]

#: CNY. Shares move in ticks of 0.01, so a smaller difference is the rounding of whoever computed it, not an event.
HALF_A_TICK = 0.005
#: CNY. Exchange-traded funds, which belong to no board, move in ticks of 0.001.
_HALF_A_FUNDS_TICK = 0.0005
#: Prices are sums of binary fractions.
_EPSILON = 1e-9
#: Columns of `daily_bars` that are prices.
PRICES = ("open", "high", "low", "close", "prev_close")


def changed_closes(bars: pl.DataFrame) -> pl.DataFrame:
    """Return the bars whose previous close is another price than the last stored one, or is not stated.

    A symbol's first bar is a beginning, not a change. Equal prices prove that nothing happened, whatever lies between.

    Args:
        bars: `symbol`, `date`, `prev_close`, and `last_date` and `last_close` of the symbol's stored bar before.
    """
    half = pl.when(board_expr("symbol").is_null()).then(_HALF_A_FUNDS_TICK).otherwise(HALF_A_TICK)
    same = (pl.col("prev_close") - pl.col("last_close")).abs() <= half + _EPSILON
    return bars.filter(pl.col("last_date").is_not_null() & ~same.fill_null(value=False))


def derive_events(changed: pl.DataFrame, silent: Sequence[date], actions: pl.DataFrame) -> pl.DataFrame:
    """Return the events (`symbol`, `date`, `ratio`) of bars whose previous close has changed.

    The ratio is null ("unknown") where the exchange's previous close is null, and where a silent day lies between the
    bar and the one before, unless corporate actions explain the one price from the other.

    Args:
        changed: What `changed_closes` returned.
        silent: Days, ascending, on which a bar that is not stored may exist.
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
    """Return the previous close that the exchange states after `actions`, in order of their days, before it is rounded.

    (close - cash + rights price x rights) / (1 + bonus + rights); prices in CNY per share.
    """
    for cash, bonus, rights, rights_price in actions:
        close = (close - cash + (rights_price or 0.0) * rights) / (1 + bonus + rights)
    return close


def _explained(changed: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Return `symbol` and `date` of the bars whose previous close follows from the last one by the actions between."""
    between = (pl.col("ex_date") > pl.col("last_date")) & (pl.col("ex_date") <= pl.col("date"))
    found = changed.drop_nulls().join(actions, on="symbol").filter(between).sort("ex_date")
    terms = found.group_by("symbol", "date", "prev_close", "last_close").agg(
        steps=pl.struct("cash", "bonus", "rights", "rights_price")
    )
    rows = [
        (symbol, day)
        for symbol, day, stated, close, steps in terms.iter_rows()
        if abs(ex_right_price(close, (tuple(step.values()) for step in steps)) - stated) <= HALF_A_TICK + _EPSILON
    ]
    return pl.DataFrame(rows, schema={"symbol": pl.String, "date": pl.Date}, orient="row")


def next_bar_days(stored: pl.LazyFrame, ends: Sequence[date]) -> list[date]:
    """Return, ascending, the days of every symbol's first bar after each of `ends`.

    Those are the bars that look back on what happened up to such an end.

    Args:
        stored: `symbol` and `date` of all bars after the earliest of `ends`.
        ends: Last days of runs of days that were changed.
    """
    after = stored.group_by("symbol").agg(
        pl.col("date").filter(pl.col("date") > end).min().alias(f"{end}") for end in ends
    )
    dates = pl.concat([after.select(date=f"{end}") for end in ends]).unique().drop_nulls().sort("date")
    return dates.collect()["date"].to_list() if ends else []


def runs(days: Sequence[date], previous: Mapping[date, date]) -> list[tuple[date, date]]:
    """Return the first and last day of each run of days that follow each other without a trading day between."""
    found: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if found and previous[day] <= found[-1][1]:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def adjust(
    bars: pl.LazyFrame,
    events: pl.DataFrame,
    *,
    anchored: bool = False,
    anchor: date | None = None,
    in_order: bool = False,
) -> pl.LazyFrame:
    """Multiply the prices of raw bars by their factor, and add it as `factor`; in order of symbol and date.

    Events whose ratio is null are passed over: refuse to read across them before.

    Args:
        bars: `symbol`, `date` and any of `PRICES`; other columns stay as they are (volume is not adjusted).
        events: `symbol`, `date`, `ratio`, from each symbol's first stored day on.
        anchored: False: the factor is 1 on the first stored day (hfq). True: it is 1 on the anchor (qfq).
        anchor: The day on which anchored prices are the raw ones; None is the last stored day.
        in_order: The bars are in order of symbol and date already.
    """
    steps = (
        events.filter(pl.col("ratio").is_not_null())
        .sort("symbol", "date")
        .select("symbol", "date", factor=(1 / pl.col("ratio")).cum_prod().over("symbol"))
    )
    adjusted = (
        (bars if in_order else bars.sort("symbol", "date"))
        .join_asof(steps.lazy(), on="date", by="symbol", strategy="backward", check_sortedness=False)
        .with_columns(pl.col("factor").fill_null(1.0))
    )
    if anchored:
        upto = steps if anchor is None else steps.filter(pl.col("date") <= anchor)
        scale = upto.group_by("symbol").agg(scale=pl.col("factor").last())
        adjusted = (
            adjusted.join(scale.lazy(), on="symbol", how="left", maintain_order="left")
            .with_columns(pl.col("factor") / pl.col("scale").fill_null(1.0))
            .drop("scale")
        )
    prices = [name for name in PRICES if name in bars.collect_schema().names()]
    return adjusted.with_columns(pl.col(name) * pl.col("factor") for name in prices)
