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
        `symbol`, `date`, `side`, `score` (null for a stock that is sold), `rank` on the day, the number of stocks that
        are `ranked`, and `not_ranked`: why a stock that is sold has no rank, `no_trade`, `not_eligible` or `no_score`.
    """
    days = _first_days(market["date"], every)
    eligible = pl.lit(True) if eligible is None else eligible
    rows = market.lazy().filter(eligible)
    rows = rows.select("symbol", "date", score=score).join(days.lazy(), on="date").filter(pl.col("score").is_finite())
    order = pl.struct(-pl.col("score"), pl.col("symbol")).rank("ordinal").over("date")
    ranked = rows.with_columns(rank=order, ranked=pl.len().over("date")).collect()
    best = ranked.filter(pl.col("rank") <= top)
    held = best.select("symbol", turn=pl.col("turn") + 1)
    bought = best.join(held, on=["symbol", "turn"], how="anti").with_columns(side=pl.lit("buy")).drop("turn")
    left = held.join(best, on=["symbol", "turn"], how="anti").join(days, on="turn")
    sold = _with_reasons(left.select("symbol", "date", side=pl.lit("sell")), ranked, market, eligible)
    return pl.concat([bought, sold], how="diagonal")


def _with_reasons(sold: pl.DataFrame, ranked: pl.DataFrame, market: pl.DataFrame, eligible: pl.Expr) -> pl.DataFrame:
    """Return stocks that are sold with their rank on the day, or why they have none."""
    key = ["symbol", "date"]
    traded = market.lazy().select(*key, eligible=eligible.fill_null(value=False))
    ranks = ranked.lazy().select(*key, "rank", "ranked")
    known = sold.lazy().join(ranks, on=key, how="left").join(traded, on=key, how="left")
    why = pl.when(pl.col("eligible").is_null()).then(pl.lit("no_trade"))
    why = why.when(~pl.col("eligible")).then(pl.lit("not_eligible")).otherwise(pl.lit("no_score"))
    return known.with_columns(not_ranked=pl.when(pl.col("rank").is_null()).then(why)).drop("eligible").collect()


def _first_days(days: pl.Series, every: Period) -> pl.DataFrame:
    """Return the first trading days (`date`) of the periods with their number (`turn`)."""
    unique = days.unique().sort().to_frame("date")
    begins = pl.col("date").dt.truncate(_EVERY[every])
    first = unique.filter(begins != begins.shift(1))
    return first.with_columns(turn=pl.int_range(pl.len(), dtype=pl.Int64))
