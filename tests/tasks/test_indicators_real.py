"""Real bars through sync, indicators, signals and backtest; expected values come from the archive's file itself."""

import logging
from pathlib import Path

import MyTT
import numpy as np
import polars as pl
import pytest

from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.backtest import BacktestParams, run_backtest
from mystocks_dagster.tasks.data_sync import DailySync, sync_daily_stock_data
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators
from mystocks_dagster.tasks.run import TaskRun
from mystocks_dagster.tasks.strategy import SignalParams, calculate_strategy_signals

ARCHIVE = Path(__file__).parents[3] / "shared" / "data"
RAW = ARCHIVE / "baostock_raw_20200102_20250407.parquet"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not RAW.exists(), reason="no real archive beside the project"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose lake holds bars, indicators and signals of all 214 symbols."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYSTOCKS_LAKE", str(tmp_path_factory.mktemp("real")))
        patch.setenv("MYSTOCKS_RECORDED", str(ARCHIVE))
        patch.setenv("MYSTOCKS_NOW", "2025-04-07T16:30:00+08:00")
        logger, silent = logging.getLogger("task"), lambda *_: None
        run = TaskRun(
            task_id="task", run_id="run", attempt=1, settings=Settings.from_env(), logger=logger, report_progress=silent
        )
        sync_daily_stock_data(DailySync(data_source="recorded", include_basic=False), run)
        calculate_technical_indicators(IndicatorParams(), run)
        calculate_strategy_signals(SignalParams(), run)
    return run


@pytest.fixture(scope="module")
def raw():
    code = pl.col("code")
    symbol = code.str.slice(3) + "." + code.str.slice(0, 2).str.to_uppercase()
    return pl.read_parquet(RAW).with_columns(symbol=symbol, date=pl.col("date").str.to_date()).sort("symbol", "date")


def test_every_day_on_which_a_symbol_traded_has_its_row_and_no_other(run, raw):
    traded = raw.filter(pl.col("tradestatus") == 1).select("symbol", "date")
    stored = run.lake().read("indicators_daily", columns=["symbol", "date"]).sort("symbol", "date")
    assert stored.equals(traded)
    weeks = traded.with_columns(year=pl.col("date").dt.iso_year(), week=pl.col("date").dt.week())
    last = (
        weeks.group_by("symbol", "year", "week")
        .agg(pl.col("date").max())
        .select("symbol", "date")
        .sort("symbol", "date")
    )
    assert run.lake().read("indicators_weekly", columns=["symbol", "date"]).sort("symbol", "date").equals(last)


@pytest.mark.parametrize("symbol", ["600036.SH", "002709.SZ", "300014.SZ", "000001.SZ"])
def test_indicators_of_shares_with_dividends_and_splits_are_mytts(run, raw, symbol):
    bars = raw.filter(symbol=symbol)
    # The exchange's previous close against the last close is the only thing that adjusts.
    close, before = bars["close"].to_numpy(), bars["preclose"].to_numpy()
    factor = np.concatenate([[1.0], np.cumprod(close[:-1] / before[1:])])
    assert (factor[1:] != factor[:-1]).sum() >= 5
    traded = bars["tradestatus"].to_numpy() == 1
    close, high, low = ((bars[name].to_numpy() * factor)[traded] for name in ("close", "high", "low"))
    stored = run.lake().read("indicators_daily", symbols=[symbol]).sort("date")
    np.testing.assert_allclose(stored["close_hfq"], close, rtol=1e-9)
    np.testing.assert_allclose(stored["ma60"].to_numpy(), MyTT.MA(close, 60), rtol=1e-9)
    np.testing.assert_allclose(stored["macd"].to_numpy(), MyTT.MACD(close)[2], atol=0.00051)
    np.testing.assert_allclose(stored["kdj_j"].to_numpy(), MyTT.KDJ(close, high, low)[2], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(stored["rsi12"].to_numpy(), MyTT.RSI(close, 12), atol=0.00051)


def test_a_backtest_over_five_years_keeps_its_money_together(run):
    assert run_backtest(BacktestParams(max_positions=5), run).status == "success"
    lake = run.lake()
    equity, trades = lake.read("backtest_equity").sort("date"), lake.read("backtest_trades").sort("sequence")
    assert equity.height == 1273
    assert (equity["cash"] >= 0).all()
    assert ((equity["cash"] + equity["holdings"] - equity["equity"]).abs() < 0.011).all()
    bought, star = trades.filter(side="buy"), pl.col("symbol").str.starts_with("68")
    assert (bought.filter(~star)["shares"] % 100 == 0).all()
    assert (bought.filter(star)["shares"] >= 200).all()
    filled = trades.join(lake.read("daily_bars"), on=["symbol", "date"])
    assert filled.height == trades.height > 100
    assert (filled["price"] == filled["open"]).all()
