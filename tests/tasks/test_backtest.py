"""Backtests into the lake: windows, names, what is replaced, and the whole chain on the simulated market."""

from dataclasses import replace
from datetime import date

import polars as pl
import pytest
from pydantic import ValidationError

from mystocks_dagster.errors import InvalidParams, TableMissing
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.tables.market import DAILY_BARS, INDEX_BARS
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS, CORPORATE_ACTIONS, STOCKS
from mystocks_dagster.market.tables.research import SIGNALS
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.backtest import BacktestParams, run_backtest
from mystocks_dagster.tasks.data_sync import DailySync, sync_daily_stock_data
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators
from mystocks_dagster.tasks.strategy import SignalParams, calculate_strategy_signals

pytestmark = pytest.mark.slow

DAYS = [date(2025, 3, day) for day in (3, 4, 5, 6, 7)]
BANK = "600000.SH"


def bars(*prices, symbol=BANK):
    rows, before = [], prices[0]
    for day, price in zip(DAYS, prices, strict=True):
        rows.append((symbol, day, price, price, price, price, before, 1_000_000, 1e7, 1.0, False, False))
        before = price
    return DAILY_BARS.complete(pl.DataFrame(rows, schema=list(DAILY_BARS.dtypes)[:12], orient="row")).cast(
        DAILY_BARS.dtypes
    )


#: No score, weight or entry.
UNRANKED = (None, None, None)


def signals(*rows, strategy="ma_crossover", symbol=BANK):
    return pl.DataFrame(
        [(symbol, DAYS[day], strategy, side, 10.0, "", *UNRANKED) for day, side in rows],
        schema=SIGNALS.dtypes,
        orient="row",
    )


@pytest.fixture
def market(lake):
    """One share at 10.00, 10.00, 10.50, 10.50, 10.40; bought on the second day's open and sold on the fourth's."""
    lake.replace_all("daily_bars", bars(10.0, 10.0, 10.5, 10.5, 10.4))
    lake.replace_all("adjust_events", ADJUST_EVENTS.empty())
    lake.replace_all("signals", signals((0, "buy"), (2, "sell")))


def trade(run, **params):
    return run_backtest(BacktestParams(**({"initial_capital": 100_000, "max_positions": 1} | params)), run)


def test_summary_curve_and_trades_agree_with_the_sum_done_by_hand(computing, lake, market):
    result = trade(computing)
    # 9,900 shares at 10.00 for 24.75 + 0.99; sold at 10.50 for 25.99 + 51.98 + 1.04 (see the engine's tests).
    assert lake.read("backtest_trades").drop("backtest_id").rows() == [
        (1, DAYS[1], BANK, "buy", 9900, 10.0, 25.74, 0.0, None, "ma_crossover"),
        (2, DAYS[3], BANK, "sell", 9900, 10.5, 79.01, 0.0, 4845.25, "ma_crossover"),
    ]
    assert lake.read("backtest_equity").sort("date")["equity"].to_list() == [
        100_000.0,
        99_974.26,
        104_924.26,
        104_845.25,
        104_845.25,
    ]
    summary = lake.read("backtests").row(0, named=True)
    assert summary["backtest_id"] == result.metadata["backtest_id"]
    assert (summary["strategy"], summary["start_date"], summary["end_date"]) == ("ma_crossover", DAYS[0], DAYS[4])
    assert (summary["initial_capital"], summary["final_equity"], summary["trades"], summary["fees"]) == (
        100_000.0,
        104_845.25,
        2,
        104.75,
    )
    assert summary["total_return"] == pytest.approx(0.0484525)
    assert summary["annual_return"] is None
    assert summary["max_drawdown"] == pytest.approx((104_924.26 - 104_845.25) / 104_924.26)
    assert summary["run_at"].isoformat() == "2025-04-07T16:30:00+08:00"
    assert result.rows == {
        "backtest_trades": 2, "backtest_orders": 2, "backtest_positions": 2, "backtest_events": 0,
        "backtest_equity": 5, "backtests": 1,
    }  # fmt: skip
    assert (result.status, result.message) == (
        "success",
        "ma_crossover from 2025-03-03 to 2025-03-07: +4.85%, max drawdown 0.08%, 2 orders filled.",
    )


def test_the_seeds_empty_strings_mean_the_default_strategy_and_the_whole_range(computing, market):
    assert (
        trade(computing, strategy_id="", start_date="", end_date="").metadata["backtest_id"]
        == trade(computing).metadata["backtest_id"]
    )


def test_a_window_takes_its_own_days_and_signals_only(computing, lake, market):
    trade(computing, start_date="2025-03-04", end_date="2025-03-06")
    assert lake.days("backtest_equity") == DAYS[1:4]
    assert lake.read("backtests")["trades"].to_list() == [0]  # the buy signal came the day before


def test_a_window_without_signals_leaves_the_capital_alone(computing, lake, market):
    result = trade(computing, start_date="2025-03-06")
    assert result.message == "ma_crossover from 2025-03-06 to 2025-03-07: there were no signals to trade."
    assert lake.read("backtest_equity")["equity"].to_list() == [100_000.0] * 2
    assert lake.read("backtest_trades").is_empty()


def test_the_same_backtest_again_replaces_itself_and_another_stands_beside_it(computing, lake, market):
    first, again, other = trade(computing), trade(computing), trade(computing, max_positions=2)
    assert first.metadata["backtest_id"] == again.metadata["backtest_id"] != other.metadata["backtest_id"]
    assert {name: lake.read(name).height for name in ("backtests", "backtest_equity", "backtest_trades")} == {
        "backtests": 2,
        "backtest_equity": 10,
        "backtest_trades": 4,
    }


def test_trades_of_an_earlier_run_do_not_survive_a_repair(computing, lake, market):
    name, other = trade(computing).metadata["backtest_id"], trade(computing, max_positions=2).metadata["backtest_id"]
    lake.replace_all("signals", signals((0, "buy")))
    trade(computing)
    trades = lake.read("backtest_trades")
    assert trades.filter(backtest_id=name)["side"].to_list() == ["buy"]
    assert trades.filter(backtest_id=other).height == 2


def test_an_ex_day_in_the_lake_reaches_the_account(computing, lake, market):
    lake.replace_all(
        "daily_bars", bars(10.0, 10.0, 5.0, 5.0, 5.0).with_columns(prev_close=pl.Series([10.0, 10.0, 5.0, 5.0, 5.0]))
    )
    lake.replace_all("adjust_events", pl.DataFrame([(BANK, DAYS[2], 0.5)], schema=ADJUST_EVENTS.dtypes, orient="row"))
    trade(computing)
    assert lake.read("backtest_trades")["shares"].to_list() == [9900, 19_800]
    assert lake.read("backtest_equity").sort("date")["equity"].to_list()[:3] == [100_000.0, 99_974.26, 99_974.26]


def test_a_symbol_whose_ex_day_is_unknown_is_traded_up_to_the_day_before_and_named(computing, lake, market):
    lake.upsert("daily_bars", bars(10.0, 10.0, 10.0, 10.0, 10.0, symbol="600001.SH"))
    lake.upsert("signals", signals((0, "buy"), (2, "sell"), symbol="600001.SH"))
    lake.replace_all("adjust_events", pl.DataFrame([(BANK, DAYS[2], None)], schema=ADJUST_EVENTS.dtypes, orient="row"))
    result = trade(computing, max_positions=2)
    assert (result.status, result.failed_items) == ("partial_success", (BANK,))
    assert f"{BANK} from {DAYS[2]} on" in result.message
    trades = lake.read("backtest_trades").sort("sequence").select("date", "symbol", "side").rows()
    assert trades == [(DAYS[1], BANK, "buy"), (DAYS[1], "600001.SH", "buy"), (DAYS[3], "600001.SH", "sell")]
    # Each purchase is 4,900 shares at 10.00 for 12.25 + 0.49. What is held stays at 10.00, whatever the raw price does
    # behind the unknown ratio; the sale of the other symbol costs its fees.
    equity = lake.read("backtest_equity").sort("date")["equity"].to_list()
    assert equity[:3] == [100_000.0, 99_974.52, 99_974.52]
    assert equity[3] == equity[4] < equity[2]
    assert trade(computing, max_positions=2, end_date=f"{DAYS[1]}").status == "success"


def test_an_order_behind_an_unknown_ratio_is_counted_with_its_reason(computing, lake, market):
    lake.replace_all("signals", signals((0, "buy"), (1, "sell")))
    lake.replace_all("adjust_events", pl.DataFrame([(BANK, DAYS[2], None)], schema=ADJUST_EVENTS.dtypes, orient="row"))
    assert trade(computing).metadata["unfilled"] == {"sell: ex-dividend ratio not known": 3}


def test_no_signals_no_bars_and_no_days_are_told_apart(computing, lake, market):
    with pytest.raises(TableMissing, match="has no rows of kdj_overbought; run calc_strategy_signals"):
        trade(computing, strategy_id="kdj_overbought")
    with pytest.raises(
        InvalidParams,
        match="No stored trading day from 2025-03-08 to 2025-03-09; bars are stored from 2025-03-03 to 2025-03-07",
    ):
        trade(computing, start_date="2025-03-08", end_date="2025-03-09")
    with pytest.raises(
        InvalidParams, match="No stored trading day on or after 2030-01-01; bars are stored from 2025-03"
    ):
        trade(computing, start_date="2030-01-01")
    with pytest.raises(
        InvalidParams, match="No stored trading day on or before 1999-12-31; bars are stored from 2025-03"
    ):
        trade(computing, end_date="1999-12-31")
    lake.replace_all("daily_bars", DAILY_BARS.empty())
    with pytest.raises(TableMissing, match="mystocks bootstrap"):
        trade(computing)
    assert not lake.exists("backtests")


@pytest.mark.parametrize(
    "params",
    [
        {"strategy_id": "turtle"},
        {"start_date": "2025-03-02", "end_date": "2025-03-01"},
        {"initial_capital": -1},
        {"max_positions": 0},
        {"capital": 1},
    ],
)
def test_parameters_that_cannot_be_meant_are_refused(params):
    with pytest.raises(ValidationError):
        BacktestParams(**params)


@pytest.mark.slow
def test_the_whole_chain_on_the_simulated_market(computing, monkeypatch):
    """From bars to an equity curve; what the account did is checked against the bars themselves."""
    monkeypatch.setenv("MYSTOCKS_SIMULATED", "seed=3,symbols=40,start=2024-01-02")
    run = replace(computing, settings=Settings.from_env())
    sync_daily_stock_data(DailySync(data_source="simulated", include_basic=False), run)
    assert calculate_technical_indicators(IndicatorParams(), run).status == "success"
    assert calculate_strategy_signals(SignalParams(), run).status == "success"
    result = run_backtest(BacktestParams(strategy_id="kdj_overbought", max_positions=5), run)
    lake = run.lake()
    assert result.status == "success"
    assert lake.read("backtest_equity").height == len(lake.days("daily_bars"))
    trades = lake.read("backtest_trades").sort("sequence")
    assert trades.height > 20
    day_before = dict(zip(lake.days("daily_bars")[1:], lake.days("daily_bars"), strict=False))
    spoken = {
        row[:3]
        for row in lake.read("signals").filter(strategy="kdj_overbought").select("symbol", "date", "side").iter_rows()
    }
    filled = trades.join(lake.read("daily_bars"), on=["symbol", "date"])
    assert (filled["price"] == filled["open"]).all()
    assert not filled["suspended"].any()
    bought = trades.filter(side="buy")
    assert all(
        (symbol, day_before[day], "buy") in spoken for symbol, day in bought.select("symbol", "date").iter_rows()
    )
    assert (lake.read("backtest_equity")["cash"] >= 0).all()
    summary = lake.read("backtests").row(0, named=True)
    assert summary["fees"] == pytest.approx(trades["fees"].sum())
    assert summary["final_equity"] == lake.read("backtest_equity").sort("date")["equity"][-1]


# ---- what else the lake knows: dividends, delistings, a benchmark, several strategies


def acted(**terms):
    row = {"symbol": BANK, "ex_date": DAYS[2], "cash": 0.0, "bonus": 0.0, "source": "tdx"} | terms
    return CORPORATE_ACTIONS.typed(pl.DataFrame([row]))


def test_a_dividend_in_the_lake_is_paid_and_its_tax_withheld(computing, lake, market):
    lake.replace_all(
        "daily_bars", bars(10.0, 10.0, 9.5, 9.5, 9.5).with_columns(prev_close=pl.Series([10.0, 10.0, 9.5, 9.5, 9.5]))
    )
    lake.replace_all("adjust_events", pl.DataFrame([(BANK, DAYS[2], 0.95)], schema=ADJUST_EVENTS.dtypes, orient="row"))
    lake.replace_all("corporate_actions", acted(cash=0.5))
    result = trade(computing)
    # 9,900 shares at 0.50; sold within a month: 20 % of 4,950.
    events = lake.read("backtest_events").drop("backtest_id", "profit").rows()
    assert events == [(1, DAYS[2], BANK, "dividend", 0, 4_950.0, "ma_crossover")]
    assert lake.read("backtest_trades")["tax"].to_list() == [0.0, 990.0]
    summary = lake.read("backtests").row(0, named=True)
    assert (summary["dividends"], summary["dividend_tax"]) == (4_950.0, 990.0)
    assert "no published terms" not in result.message
    lake.replace_all("corporate_actions", acted(cash=3.0))
    assert "On 1 ex-days no published terms explain the price" in trade(computing).message


def test_a_delisting_in_the_stock_list_is_a_loss_and_survivorship_hides_it(computing, lake, market):
    other = bars(1.0, 1.0, 1.0, 1.0, 1.0, symbol="600001.SH")
    lake.replace_all("daily_bars", pl.concat([bars(10.0, 10.0, 10.0, 10.0, 10.0).head(2), other]))
    stocks = [
        {"symbol": BANK, "list_date": date(2000, 1, 4), "delist_date": DAYS[1]},
        {"symbol": "600001.SH", "list_date": date(2000, 1, 4), "delist_date": None},
    ]
    shared = {"name": "x", "exchange": "SH", "board": "main", "is_st": False, "updated_at": now()}
    lake.replace_all("stocks", STOCKS.typed(pl.DataFrame([row | shared for row in stocks])))
    result = trade(computing, survivorship=True)
    summary = lake.read("backtests").row(0, named=True)
    assert summary["total_return"] == pytest.approx(974.26 / 100_000 - 1)  # 99,025.74 are gone
    assert (summary["survivors_return"], result.metadata["survivors_return"]) == (0.0, 0.0)
    assert "With today's stocks only: +0.00%." in result.message
    assert trade(computing, delisting_value=1.0).metadata["total_return"] == pytest.approx(-25.74 / 100_000)


def test_the_return_stands_beside_that_of_an_index(computing, lake, market):
    values = [(day, close) for day, close in zip(DAYS, (4000.0, 4040.0, 4080.0, 4060.0, 4100.0), strict=True)]
    rows = [{"symbol": "000300.SH", "date": day, "open": x, "high": x, "low": x, "close": x} for day, x in values]
    lake.replace_days("index_bars", INDEX_BARS.typed(pl.DataFrame(rows)), DAYS)
    result = trade(computing, benchmark="sh000300")
    assert "+4.85%, 000300.SH +2.50%" in result.message
    summary = lake.read("backtests").row(0, named=True)
    assert (summary["benchmark"], summary["benchmark_return"]) == ("000300.SH", pytest.approx(0.025))
    assert summary["excess_return"] == pytest.approx(0.0484525 - 0.025)
    curve = lake.read("backtest_equity").sort("date")["benchmark"].to_list()
    assert curve == pytest.approx([100_000.0, 101_000.0, 102_000.0, 101_500.0, 102_500.0])


def test_a_benchmark_that_is_not_stored_is_refused_before_anything_is_written(computing, lake, market):
    with pytest.raises(InvalidParams, match=r"000300\.SH is not stored: there is no table index_bars\. Load it, for"):
        trade(computing, benchmark="000300.SH")
    row = {"symbol": "000300.SH", "date": DAYS[1], "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0}
    lake.replace_days("index_bars", INDEX_BARS.typed(pl.DataFrame([row])), [DAYS[1]])
    with pytest.raises(
        InvalidParams, match="on 4 of 5 trading days, first on 2025-03-03; it is stored from 2025-03-04"
    ):
        trade(computing, benchmark="000300.SH")
    with pytest.raises(InvalidParams, match="index_bars has no row of it"):
        trade(computing, benchmark="000905.SH")
    assert not lake.exists("backtests")


def test_survivorship_needs_a_stock_list(computing, market):
    with pytest.raises(TableMissing, match="which says what is still listed"):
        trade(computing, survivorship=True)


def test_two_strategies_share_the_capital(computing, lake, market):
    lake.upsert("signals", signals((0, "buy"), strategy="kdj_overbought"))
    shares = [{"name": "ma_crossover", "weight": 0.6}, {"name": "kdj_overbought", "weight": 0.4}]
    result = trade(computing, strategies=shares)
    assert result.message.startswith("ma_crossover 60%, kdj_overbought 40% from")
    bought = lake.read("backtest_trades").filter(side="buy").sort("sequence")
    # 60,000 and 40,000: fees of the whole 15 + 0.6 and 10 + 0.4.
    assert bought.select("strategy", "shares").rows() == [("ma_crossover", 5900), ("kdj_overbought", 3900)]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"strategies": [{"name": "ma_crossover", "weight": 0.9}]}, "add up to 0.9; they must add up to 1"),
        ({"strategies": [{"name": "ma_crossover", "weight": 0.5}] * 2}, "a strategy is given twice"),
        ({"strategies": [{"name": "ma_crossing", "weight": 1}]}, "Did you mean 'ma_crossover'"),
        ({"benchmark": "沪深300"}, "is not a stock code"),
        ({"volume_share": 0}, "greater than 0"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_load_and_says_why(params, message):
    with pytest.raises(ValidationError) as caught:
        BacktestParams(**params)
    assert message in str(caught.value)
