"""Ranking of the market's stocks at the beginning of each month, week or day."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import polars as pl

Period = Literal["day", "week", "month"]
_EVERY: Mapping[str, str] = MappingProxyType({"day": "1d", "week": "1w", "month": "1mo"})


def best_of_each_period(
    market: pl.DataFrame, score: pl.Expr, *, top: int, every: Period, eligible: pl.Expr | None = None
) -> pl.DataFrame:
    """Return the signals of a strategy that holds the `top` stocks with the highest score.

    The market is ranked on its first trading day of each period. A stock that enters the best is bought, and one that
    leaves them is sold. A stock without a row on that day (suspended, delisted) leaves them. The first stored day is
    not ranked: whether it begins a period is unknown.

    Args:
        market: Rows with `symbol` and `date`.
        score: The score, from values of the same row; null leaves a row out. Equal scores are ranked by symbol.
        top: The number of stocks.
        every: How often the market is ranked.
        eligible: True for rows that may be among the best; all by default.

    Returns:
        `symbol`, `date`, `side`, `score` and `rank`; both null for a stock that is sold.
    """
    days = _first_days(market["date"], every)
    rows = market.lazy().filter(pl.lit(True) if eligible is None else eligible)
    rows = rows.select("symbol", "date", score=score).join(days.lazy(), on="date").filter(pl.col("score").is_finite())
    order = pl.struct(-pl.col("score"), pl.col("symbol")).rank("ordinal").over("date")
    best = rows.with_columns(rank=order).filter(pl.col("rank") <= top).collect()
    held = best.select("symbol", turn=pl.col("turn") + 1)
    bought = best.join(held, on=["symbol", "turn"], how="anti").with_columns(side=pl.lit("buy")).drop("turn")
    left = held.join(best, on=["symbol", "turn"], how="anti").join(days, on="turn")
    sold = left.select("symbol", "date", side=pl.lit("sell"))
    return pl.concat([bought, sold], how="diagonal")


def _first_days(days: pl.Series, every: Period) -> pl.DataFrame:
    """Return the first trading days (`date`) of the periods with their number (`turn`)."""
    unique = days.unique().sort().to_frame("date")
    begins = pl.col("date").dt.truncate(_EVERY[every])
    first = unique.filter(begins != begins.shift(1))
    return first.with_columns(turn=pl.int_range(pl.len(), dtype=pl.Int64))
