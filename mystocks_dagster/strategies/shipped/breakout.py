"""Strategies that buy strength."""

from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from mystocks_dagster.strategies.conditions import begins
from mystocks_dagster.strategies.writing import Rules, strategy


@strategy(reads=["close_hfq", "high_hfq", "low_hfq", "amount"], lookback="max(days, exit_days) + 1")
def breakout(
    days: Annotated[int, Field(ge=2, le=250, description="bars whose highest high is broken")] = 20,
    exit_days: Annotated[int, Field(ge=2, le=250, description="bars whose lowest low is broken")] = 10,
    times: Annotated[float, Field(ge=0, le=100, description="least amount traded, in means of `days` bars")] = 1.5,
) -> Rules:
    """Breakout 放量突破: buy at a new high with a large amount, sell at a new low.

    Buy: the close is above the highest high of the `days` bars before, the amount traded is at least `times` its mean
    of these bars, and the bar before was no such day. Sell: the close is below the lowest low of the `exit_days` bars
    before, and the bar before was no such day. The amount in CNY stands for the volume: it does not jump on a day of
    free shares. Of several purchases of one day the largest amount against its mean comes first.
    """
    close, amount = pl.col("close_hfq"), pl.col("amount")
    high = pl.col("high_hfq").shift(1).rolling_max(days)
    low = pl.col("low_hfq").shift(1).rolling_min(exit_days)
    ratio = amount / amount.shift(1).rolling_mean(days)
    return Rules(
        buy=begins((close > high) & (ratio >= times)),
        sell=begins(close < low),
        values={"close_hfq": "close_hfq", "high": high, "low": low, "amount_ratio": ratio},
        score=ratio,
    )


@strategy(reads=["close", "low", "limit_up"], lookback="boards")
def limit_up(
    boards: Annotated[int, Field(ge=1, le=10, description="closes at the upper limit in a row")] = 1,
    traded: Annotated[bool, Field(description="only if the price was below the limit during the day")] = True,
    entry: Annotated[Literal["open", "board"], Field(description="where the purchase is tried the next day")] = "board",
) -> Rules:
    """Limit-up board 打板: buy after exactly `boards` closes at the upper limit, sell after the first that is not.

    With `entry: board` the purchase is an order at the next day's upper limit; a stock that is sealed there all day is
    not bought, and one of which the day's bar does not prove a fill is not bought either. With `entry: open` it is
    bought at the next open, unless that is at the limit. Sell: the close is not at the limit, and the one before was.
    Days whose limit is unknown give no signal: within three weeks of the listing, or if it depends on an unknown ST.
    """
    at_limit = (pl.col("close") * 100).round() >= (pl.col("limit_up") * 100).round()
    run = pl.all_horizontal(at_limit.shift(bars) for bars in range(boards))
    opened = (pl.col("low") * 100).round() < (pl.col("limit_up") * 100).round()
    buy = run & ~at_limit.shift(boards)
    return Rules(
        buy=buy & opened if traded else buy,
        sell=~at_limit & at_limit.shift(1),
        values=["close", "limit_up", "low"],
        entry=entry,
    )
