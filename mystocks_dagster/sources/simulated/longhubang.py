"""龙虎榜 of the simulated market: the exchanges' conditions for publication, applied to its bars.

The conditions are those of the SSE and SZSE trading rules of 2023, the ChiNext rules of 2020-08-24, and the STAR and
BSE rules. Each publishes the top five stocks of its list that traded under a price limit; ties go to the larger
amount. A new listing without a price limit is published on its first day (main board and ChiNext). Deviation is the
change minus the change of the exchange's index, here the mean change of its main-board stocks that traded under a
price limit. All measures are rounded to 0.01 %. Conditions over three and more days are not modelled.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import polars as pl

from mystocks_dagster.market.rules import CHINEXT_REFORM
from mystocks_dagster.market.tables.flows import LONGHUBANG
from mystocks_dagster.sources.simulated.bars import Bars
from mystocks_dagster.sources.simulated.market import Market
from mystocks_dagster.sources.simulated.universe import BOARDS

#: The number of stocks that each condition publishes.
TOP = 5
FIRST_DAY_REASON = "无价格涨跌幅限制的证券"
#: Sessions that are processed at once.
_BLOCK = 60


@dataclass(frozen=True)
class Condition:
    """A condition of a list (exchange and board): a measure of at least `least` percent, or at most if negative."""

    listing: str
    measure: Literal["deviation", "change", "amplitude", "turnover"]
    least: float
    reason: str


#: Before its reform ChiNext had the conditions of the main board, with a list of its own.
CONDITIONS = (
    Condition("SH main", "deviation", 7, "有价格涨跌幅限制的日收盘价格涨幅偏离值达到7%的前五只证券"),
    Condition("SH main", "deviation", -7, "有价格涨跌幅限制的日收盘价格跌幅偏离值达到7%的前五只证券"),
    Condition("SH main", "amplitude", 15, "有价格涨跌幅限制的日价格振幅达到15%的前五只证券"),
    Condition("SH main", "turnover", 20, "有价格涨跌幅限制的日换手率达到20%的前五只证券"),
    Condition("SH star", "change", 15, "有价格涨跌幅限制的日收盘价格涨幅达到15%的前五只证券"),
    Condition("SH star", "change", -15, "有价格涨跌幅限制的日收盘价格跌幅达到15%的前五只证券"),
    Condition("SH star", "amplitude", 30, "有价格涨跌幅限制的日价格振幅达到30%的前五只证券"),
    Condition("SH star", "turnover", 30, "有价格涨跌幅限制的日换手率达到30%的前五只证券"),
    Condition("SZ main", "deviation", 7, "日涨幅偏离值达到7%的前5只证券"),
    Condition("SZ main", "deviation", -7, "日跌幅偏离值达到7%的前5只证券"),
    Condition("SZ main", "amplitude", 15, "日振幅值达到15%的前5只证券"),
    Condition("SZ main", "turnover", 20, "日换手率达到20%的前5只证券"),
    Condition("SZ chinext before reform", "deviation", 7, "日涨幅偏离值达到7%的前5只证券"),
    Condition("SZ chinext before reform", "deviation", -7, "日跌幅偏离值达到7%的前5只证券"),
    Condition("SZ chinext before reform", "amplitude", 15, "日振幅值达到15%的前5只证券"),
    Condition("SZ chinext before reform", "turnover", 20, "日换手率达到20%的前5只证券"),
    Condition("SZ chinext", "change", 15, "日涨幅达到15%的前5只证券"),
    Condition("SZ chinext", "change", -15, "日跌幅达到15%的前5只证券"),
    Condition("SZ chinext", "amplitude", 30, "日振幅值达到30%的前5只证券"),
    Condition("SZ chinext", "turnover", 30, "日换手率达到30%的前5只证券"),
    Condition("BJ bse", "change", 20, "当日收盘价涨幅达到20%的前5只股票"),
    Condition("BJ bse", "change", -20, "当日收盘价跌幅达到-20%的前5只股票"),
    Condition("BJ bse", "amplitude", 30, "当日价格振幅达到30%的前5只股票"),
    Condition("BJ bse", "turnover", 20, "当日换手率达到20%的前5只股票"),
)


def longhubang(market: Market, days: list[date]) -> pl.DataFrame:
    """Return the rows (`longhubang`) of `days`, sorted by day, symbol and reason."""
    ordinals = market.ordinals(days)
    parts = [_published(market, ordinals[at : at + _BLOCK]) for at in range(0, len(ordinals), _BLOCK)]
    return pl.concat([LONGHUBANG.empty(), *parts]).sort("date", "symbol", "reason")


def _published(market: Market, ordinals: np.ndarray) -> pl.DataFrame:
    bars = market.bars(ordinals)
    rows = _measured(market, bars)
    limited = rows.filter("limited")
    selected = [_selected(limited, condition) for condition in CONDITIONS]
    first = rows.filter(~pl.col("limited") & (pl.col("age") == 0) & pl.col("board").is_in(["main", "chinext"]))
    published = pl.concat([*selected, first.with_columns(reason=pl.lit(FIRST_DAY_REASON))])
    return published.rename({"change": "change_pct"}).select(list(LONGHUBANG.dtypes))


def _selected(rows: pl.DataFrame, condition: Condition) -> pl.DataFrame:
    """Return the rows that a condition publishes."""
    reached = pl.col(condition.measure) * (1 if condition.least > 0 else -1)
    return (
        rows.filter(pl.col("listing") == condition.listing, reached >= abs(condition.least))
        .sort("date", reached, "total_amount", "volume", "symbol", descending=[False, True, True, True, False])
        .group_by("date", maintain_order=True)
        .head(TOP)
        .select(rows.columns)
        .with_columns(reason=pl.lit(condition.reason))
    )


def _measured(market: Market, bars: Bars) -> pl.DataFrame:
    """Return one row per stock and day with trading: its measures, and the amounts of the listed seats."""
    keys, (row, stock) = market.flat(bars.ordinals, bars.traded)
    at = (row, stock)
    keys_of_noise = bars.ordinals[row], market.stocks.ids[stock]
    shares = (market.noise.uniform(side, *keys_of_noise) for side in ("buying seats", "selling seats"))
    buy, sell = (((0.03 + 0.3 * share) * bars.amount[at]).astype(np.int64) for share in shares)
    rows = keys.with_columns(
        name=market.names(bars.ordinals, bars.life, at),
        board=pl.Series(BOARDS, dtype=pl.String).gather(market.stocks.board[stock]),
        age=pl.Series(bars.life.age[at]),
        limited=pl.Series(bars.life.limited[at]),
        close=pl.Series(bars.close[at] / 100),
        change=pl.Series(np.round((bars.close[at] / bars.prev_close[at] - 1) * 100, 2)),
        amplitude=pl.Series(np.round((bars.high[at] - bars.low[at]) / bars.low[at] * 100, 2)),
        turnover=pl.Series(bars.turnover[at]),
        volume=pl.Series(bars.volume[at]),
        total_amount=pl.Series(bars.amount[at] / 100),
        buy_amount=pl.Series(buy / 100),
        sell_amount=pl.Series(sell / 100),
        net_amount=pl.Series((buy - sell) / 100),
    )
    exchange, old = pl.col("symbol").str.slice(-2), (pl.col("board") == "chinext") & (pl.col("date") < CHINEXT_REFORM)
    index = pl.col("change").filter((pl.col("board") == "main") & pl.col("limited")).mean().over("date", exchange)
    return rows.with_columns(
        listing=exchange + " " + pl.col("board") + pl.when(old).then(pl.lit(" before reform")).otherwise(pl.lit("")),
        deviation=(pl.col("change") - index).round(2),
    )
