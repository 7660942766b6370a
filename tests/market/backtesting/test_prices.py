"""The limits of all bars at once: against five years of real prices, and against the limits of single days."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from mystocks_dagster.market.backtesting.prices import Prices
from mystocks_dagster.market.rules import limit_prices, price_limit
from mystocks_dagster.market.symbols import board_of, normalise_expr


@pytest.fixture
def bars(shared_data: Path) -> pl.DataFrame:
    """260,000 bars from 2020 to 2025."""
    raw = pl.read_parquet(shared_data / "baostock_raw_20200102_20250407.parquet")
    return raw.select(
        normalise_expr("code").alias("symbol"),
        pl.col("date").str.to_date(),
        *("open", "high", "low", "close", "volume", "amount"),
        prev_close="preclose",
        is_st=pl.col("isST") == 1,
        suspended=pl.col("tradestatus") != 1,
    )


@pytest.mark.slow
def test_five_years_of_real_prices_stay_within_the_limits(bars: pl.DataFrame) -> None:
    first = bars.filter(~pl.col("suspended")).group_by("symbol").agg(pl.col("date").min())
    listed = {symbol: day for symbol, day in first.iter_rows() if day > date(2020, 1, 2)}
    days = bars["date"].unique().sort().to_list()
    prices = Prices(bars, days, listed)
    assert len(prices.open) > 260_000
    beyond = prices.traded & ((prices.high > prices.highest) | (prices.low < prices.lowest))
    ordered = bars.sort("symbol", "date").filter(pl.Series(beyond))
    # The day on which its listing was resumed, free of limits.
    assert ordered.select("symbol", "date").rows() == [("000792.SZ", date(2021, 8, 10))]
    assert (prices.traded & ((prices.high == prices.highest) | (prices.low == prices.lowest))).sum() > 3000


@pytest.mark.slow
def test_the_limits_of_all_bars_are_those_of_each_bar(bars: pl.DataFrame) -> None:
    sample = bars.filter(pl.col("prev_close") > 0).sample(3000, seed=4).sort("symbol", "date")
    prices = Prices(sample, sample["date"].unique().sort().to_list())
    for row, (symbol, day, before, is_st) in enumerate(
        sample.select("symbol", "date", "prev_close", "is_st").iter_rows()
    ):
        board = board_of(symbol)
        limit = price_limit(board, day, is_st=is_st) if board else None
        assert limit is not None
        lowest, highest = limit_prices(before, limit)
        assert (prices.lowest[row] / 100, prices.highest[row] / 100) == (lowest, highest)
