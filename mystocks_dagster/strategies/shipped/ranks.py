"""Strategies that rank the market at the beginning of each period and hold the best."""

from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from mystocks_dagster.strategies.ranking import best_of_each_period
from mystocks_dagster.strategies.writing import strategy

#: A stock of which ST is unknown is not left out.
_NOT_ST = ~pl.col("is_st").fill_null(value=False)


@strategy(reads=["close_hfq", "is_st"], lookback="days + skip + 50")
def momentum(
    market: pl.DataFrame,
    days: Annotated[int, Field(ge=2, le=250, description="bars over which the return is measured")] = 60,
    skip: Annotated[int, Field(ge=0, le=60, description="newest bars that are left out")] = 5,
    top: Annotated[int, Field(ge=1, le=1000, description="number of stocks that are held")] = 20,
    every: Annotated[Literal["day", "week", "month"], Field(description="how often the market is ranked")] = "month",
) -> pl.DataFrame:
    """Momentum 动量排名: hold the stocks with the highest return of `days` bars, ranked once a period.

    The newest `skip` bars are left out, as the last days' return tends to turn. Every stock that traded on the day is
    ranked, those that were delisted later included, except ST stocks. One with fewer bars is not ranked.
    """
    close = pl.col("close_hfq")
    change = close.shift(skip) / close.shift(skip + days) - 1
    rows = market.with_columns(change=change.over("symbol"))
    return best_of_each_period(rows, pl.col("change"), top=top, every=every, eligible=_NOT_ST)


@strategy(reads=["pe_ttm", "pb", "ps_ttm", "is_st"], lookback=50)
def value_rank(
    market: pl.DataFrame,
    by: Annotated[Literal["pe_ttm", "pb", "ps_ttm"], Field(description="the ratio, the lowest first")] = "pe_ttm",
    top: Annotated[int, Field(ge=1, le=1000, description="number of stocks that are held")] = 20,
    every: Annotated[Literal["day", "week", "month"], Field(description="how often the market is ranked")] = "month",
) -> pl.DataFrame:
    """Value 估值排名: hold the stocks with the lowest price to earnings, book value or sales of the day.

    The score is the inverse of the ratio. A ratio of 0 or below (a loss) is not ranked, nor is an ST stock.
    """
    ratio = pl.col(by)
    return best_of_each_period(market, 1 / ratio, top=top, every=every, eligible=_NOT_ST & (ratio > 0))


@strategy(reads=["roe_ttm", "net_profit_growth", "revenue_growth", "is_st"], lookback=50)
def statement_rank(
    market: pl.DataFrame,
    by: Annotated[
        Literal["roe_ttm", "net_profit_growth", "revenue_growth"], Field(description="the figure, the highest first")
    ] = "roe_ttm",
    top: Annotated[int, Field(ge=1, le=1000, description="number of stocks that are held")] = 20,
    every: Annotated[Literal["day", "week", "month"], Field(description="how often the market is ranked")] = "month",
) -> pl.DataFrame:
    """Fundamentals 财务因子排名: hold the stocks with the best figure of the statements published by then.

    `roe_ttm` is the net profit of twelve months against the equity of the newest report. A growth compares twelve
    months with the twelve before. Each figure is the newest version known on the day, so later corrections change
    nothing. A stock whose figure is unknown is not ranked, nor is an ST stock.
    """
    return best_of_each_period(market, pl.col(by), top=top, every=every, eligible=_NOT_ST)
