"""Ex-dividend and split days out of raw bars, and adjusted prices out of them.

Prices are stored raw. Beside them stands one event per symbol and ex-day: ratio = previous close as the exchange states
it / last close. Cumulated from the first stored day they give backward-adjusted prices (后复权, hfq), whose past never
changes; anchored at a day, forward-adjusted ones (前复权, qfq).
"""

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

#: CNY. Prices move in ticks of 0.01, so a smaller difference is the rounding of whoever computed it, not an event.
HALF_A_TICK = 0.005
#: Columns of `daily_bars` that are prices.
PRICES = ("open", "high", "low", "close", "prev_close")


def derive_events(bars: pl.DataFrame, previous: Mapping[date, date], first_days: pl.DataFrame) -> pl.DataFrame:
    """Return the events (`symbol`, `date`, `ratio`) of the bars on the days that `previous` maps.

    The ratio is null ("unknown") where the symbol has older bars but none on the trading day right before, or where the
    exchange's previous close is null. A symbol's first bar is a beginning, not an event.

    Args:
        bars: `symbol`, `date`, `close`, `prev_close` of those days and of the trading days before them.
        previous: Each day that is asked for, and the trading day before it.
        first_days: `symbol` and `first`, the first day of each symbol that has a bar without one on the day before.
    """
    asked = pl.DataFrame({"date": list(previous), "before": list(previous.values())}, schema={"date": pl.Date, "before": pl.Date})
    last = bars.select("symbol", before="date", last_close="close")
    differs = (pl.col("prev_close") - pl.col("last_close")).abs() > HALF_A_TICK
    priced = (pl.col("prev_close") > 0) & (pl.col("last_close") > 0)
    begins = (pl.col("date") == pl.col("first")).fill_null(value=False)
    return (
        bars.join(asked, on="date")
        .join(last, on=["symbol", "before"], how="left")
        .join(first_days, on="symbol", how="left")
        .filter(differs.fill_null(~begins))
        .select("symbol", "date", ratio=pl.when(priced).then(pl.col("prev_close") / pl.col("last_close")))
        .sort("symbol", "date")
    )


def next_bar_days(stored: pl.LazyFrame, ends: Sequence[date]) -> list[date]:
    """Return, ascending, the days of every symbol's first bar after each of `ends`.

    Those are the bars that look back on what happened up to such an end.

    Args:
        stored: `symbol` and `date` of all bars after the earliest of `ends`.
        ends: Last days of runs of days that were changed.
    """
    after = stored.group_by("symbol").agg(pl.col("date").filter(pl.col("date") > end).min().alias(f"{end}") for end in ends)
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
    bars: pl.LazyFrame, events: pl.DataFrame, *, anchored: bool = False, anchor: date | None = None, in_order: bool = False
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
