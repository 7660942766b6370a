"""Indicators into the lake: on which prices, what is written, what is left alone."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import MyTT
import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from mystocks_dagster.errors import LakeError, TableMissing
from mystocks_dagster.market import indicators, periods
from mystocks_dagster.market.periods import PERIODS
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS, STOCKS
from mystocks_dagster.tasks.changes import changed_days
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators
from mystocks_dagster.tasks.run import Tables, tables_of

pytestmark = pytest.mark.slow

EX_DAY = 90


def events(*rows):
    return pl.DataFrame(rows, schema=ADJUST_EVENTS.dtypes, orient="row")


@pytest.fixture
def market(lake, random_walk, weekdays):
    """Two symbols: 600519.SH halves its price on day 90 (10 for 10), 000001.SZ is suspended on days 40 to 44."""
    moutai = random_walk("600519.SH", 1).with_columns(
        pl.when(pl.col("date") >= weekdays[EX_DAY]).then(pl.col(name) / 2).otherwise(name).alias(name)
        for name in ("open", "high", "low", "close", "prev_close")
    )
    bars = pl.concat([moutai, random_walk("000001.SZ", 2, suspended=(40, 41, 42, 43, 44))])
    lake.replace_all("daily_bars", bars)
    lake.replace_all("adjust_events", events(("600519.SH", weekdays[EX_DAY], 0.5)))
    return bars


def calculate(run, **params):
    return calculate_technical_indicators(IndicatorParams(**params), run)


def hfq(market, weekdays, symbol):
    """Close, high and low by hand: twice the raw price from the split on, suspended days left out."""
    factor = 2.0 if symbol == "600519.SH" else 1.0
    traded = market.filter(~pl.col("suspended"), symbol=symbol)
    prices = traded.select(
        pl.when(pl.col("date") >= weekdays[EX_DAY]).then(pl.col(name) * factor).otherwise(name).alias(name)
        for name in ("close", "high", "low")
    )
    return [prices[name].to_numpy() for name in ("close", "high", "low")]


@pytest.mark.parametrize("symbol", ["600519.SH", "000001.SZ"])
def test_daily_indicators_are_mytts_on_adjusted_prices_of_traded_days(computing, lake, market, weekdays, symbol):
    result = calculate(computing)
    assert (result.status, result.rows) == (
        "success",
        {
            "indicators_daily": 150 + 145,
            "indicators_weekly": 30 + 29,
            "indicators_monthly": 8 + 8,
        },
    )
    close, high, low = hfq(market, weekdays, symbol)
    stored = lake.read("indicators_daily", symbols=[symbol]).sort("date")
    np.testing.assert_allclose(stored["close_hfq"], close)
    for name, expected in (
        ("ma20", MyTT.MA(close, 20)),
        ("kdj_k", MyTT.KDJ(close, high, low)[0]),
        ("kdj_j", MyTT.KDJ(close, high, low)[2]),
    ):
        np.testing.assert_allclose(stored[name].to_numpy(), expected, rtol=1e-9)
    for name, expected in (
        ("macd", MyTT.MACD(close)[2]),
        ("macd_dea", MyTT.MACD(close)[1]),
        ("rsi6", MyTT.RSI(close, 6)),
        ("boll_mid", MyTT.BOLL(close)[1]),
    ):
        np.testing.assert_allclose(stored[name].to_numpy(), expected, atol=0.00051)


def test_weekly_indicators_are_of_weekly_bars(computing, lake, market, weekdays):
    calculate(computing, periods=["weekly"])
    close, high, low = hfq(market, weekdays, "600519.SH")
    weeks = [slice(5 * n, 5 * n + 5) for n in range(30)]  # the 150 weekdays begin on a Monday
    assert weekdays[0].weekday() == 0
    stored = lake.read("indicators_weekly", symbols=["600519.SH"]).sort("date")
    assert stored["date"].to_list() == weekdays[4::5]
    np.testing.assert_allclose(stored["close_hfq"], close[4::5])
    expected = MyTT.KDJ(
        close[4::5], np.array([high[week].max() for week in weeks]), np.array([low[week].min() for week in weeks])
    )[1]
    np.testing.assert_allclose(stored["kdj_d"].to_numpy(), expected, rtol=1e-9)
    assert not lake.exists("indicators_daily")


def test_a_week_without_trading_has_no_bar(computing, lake, market, weekdays):
    calculate(computing, periods=["weekly"])
    days = lake.read("indicators_weekly", symbols=["000001.SZ"])["date"].to_list()
    assert weekdays[44] not in days
    assert weekdays[49] in days


def test_the_same_bars_again_are_skipped_unless_forced(computing, lake, market):
    calculate(computing)
    again = calculate(computing)
    assert (again.status, set(again.rows)) == ("skipped", set())
    assert again.message == "Already complete up to 2025-04-04."
    assert calculate(computing, force=True).rows == {
        "indicators_daily": 295,
        "indicators_weekly": 59,
        "indicators_monthly": 16,
    }
    assert lake.read("indicators_daily").height == 295


def test_nothing_new_is_known_without_reading_a_bar(computing, lake, market):
    calculate(computing)
    for file in Path(lake.location, "daily_bars").rglob("*.parquet"):
        file.unlink()
    assert calculate(computing).status == "skipped"
    assert calculate(computing, indicators=["MA", "RSI"], periods=["weekly"]).status == "skipped"


def test_compaction_is_nothing_new(computing, lake, market, weekdays):
    calculate(computing)
    lake.replace_days("daily_bars", market.filter(pl.col("date") == weekdays[-1]), [weekdays[-1]])
    assert calculate(computing).status == "skipped"  # the same rows, written again
    lake.compact()
    for file in Path(lake.location, "daily_bars").rglob("*.parquet"):
        file.unlink()
    assert calculate(computing).status == "skipped"


def test_an_indicator_asked_for_the_first_time_is_calculated_for_all_days(computing, lake, market):
    calculate(computing, indicators=["MA"], periods=["daily"])
    assert calculate(computing, indicators=["MA", "RSI"], periods=["daily"]).rows == {"indicators_daily": 295}
    assert calculate(computing, indicators=["RSI"], periods=["daily"]).status == "skipped"


def test_other_formulas_are_other_work():
    modules = [(periods,), (indicators,), (periods, indicators), ()]
    versions = [Tables(formulas=formulas).code_version for formulas in modules]
    assert versions == [Tables(formulas=formulas).code_version for formulas in modules]
    assert len(set(versions)) == 4
    assert versions[-1] is None


def test_new_bars_are_calculated_for_the_other_symbols_after_a_run_for_one(computing, lake, market, weekdays):
    lake.replace_all("daily_bars", market.filter(pl.col("date") < weekdays[-1]))
    calculate(computing)
    lake.replace_all("daily_bars", market)
    assert calculate(computing, symbols=["600519.SH"], periods=["daily"]).rows == {"indicators_daily": 1}
    calculate(computing)
    assert lake.read("indicators_daily").group_by("symbol").len().sort("symbol")["len"].to_list() == [145, 150]


@pytest.mark.slow
def test_a_symbol_whose_gap_was_filled_is_calculated_to_its_last_day(computing, lake, market, weekdays):
    unstated = (pl.col("symbol") == "600519.SH") & (pl.col("date") == weekdays[120])
    lake.replace_all("daily_bars", market.with_columns(prev_close=pl.when(~unstated).then("prev_close")))
    lake.upsert("adjust_events", events(("600519.SH", weekdays[120], None)))
    assert calculate(computing).status == "partial_success"
    assert lake.read("indicators_daily").group_by("symbol").len().sort("symbol")["len"].to_list() == [145, 120]
    assert (again := calculate(computing)).status == "partial_success"
    assert (dict(again.rows), again.failed_items) == ({}, ("600519.SH",))
    lake.replace_all("daily_bars", market)
    assert calculate(computing).status == "success"
    assert lake.read("indicators_daily", symbols=["600519.SH"]).height == 150


def test_a_ratio_found_later_changes_the_days_from_then_on(computing, lake, market, weekdays):
    calculate(computing)
    lake.replace_days("adjust_events", events(("600519.SH", weekdays[140], 0.9)), [weekdays[140]])
    assert calculate(computing, periods=["daily"]).rows == {"indicators_daily": 10}
    assert calculate(computing, periods=["daily"]).status == "skipped"


@pytest.mark.slow
def test_a_new_day_writes_that_day_and_moves_the_running_week_on(computing, lake, market, weekdays):
    lake.replace_all("daily_bars", market.filter(pl.col("date") <= weekdays[147]))
    calculate(computing)
    lake.replace_all("daily_bars", market.filter(pl.col("date") <= weekdays[148]))
    assert calculate(computing).rows == {"indicators_daily": 2, "indicators_weekly": 2, "indicators_monthly": 2}
    assert lake.read("indicators_weekly")["date"].max() == weekdays[148]
    assert weekdays[147] not in lake.days("indicators_weekly")
    after = [lake.read(f"indicators_{period}").sort("symbol", "date") for period in PERIODS]
    calculate(computing, force=True)
    assert all(
        table.equals(lake.read(f"indicators_{period}").sort("symbol", "date"))
        for table, period in zip(after, PERIODS, strict=True)
    )


def test_a_repaired_bar_is_followed_to_the_end(computing, lake, market, weekdays):
    calculate(computing)
    repaired = pl.col("date") == weekdays[100]
    lake.replace_all(
        "daily_bars",
        market.with_columns(pl.when(repaired).then(pl.col("close") * 1.01).otherwise("close").alias("close")),
    )
    result = calculate(computing, periods=["daily"])
    assert result.rows["indicators_daily"] == 2 * 50  # an exponential average never forgets
    stored = lake.read("indicators_daily").sort("symbol", "date")
    calculate(computing, periods=["daily"], force=True)
    assert stored.equals(lake.read("indicators_daily").sort("symbol", "date"))


def test_only_what_is_asked_for_is_computed_and_the_rest_stays(computing, lake, market):
    calculate(computing, indicators=["MA"], periods=["daily"])
    first = lake.read("indicators_daily")
    assert first["macd"].null_count() == first.height
    calculate(computing, indicators=["MACD"], periods=["daily"])
    both = lake.read("indicators_daily").sort("symbol", "date")
    assert both["macd"].null_count() == 0
    assert both["ma5"].equals(first.sort("symbol", "date")["ma5"])


def test_one_symbol_leaves_the_others_as_they_are(computing, lake, market):
    calculate(computing, indicators=["MA"])
    before = lake.read("indicators_daily", symbols=["000001.SZ"]).sort("date")
    calculate(computing, symbols=["sh600519"])
    assert lake.read("indicators_daily", symbols=["000001.SZ"]).sort("date").equals(before)
    assert lake.read("indicators_daily", symbols=["600519.SH"])["macd"].null_count() == 0


@pytest.mark.slow
def test_a_symbol_that_cannot_be_adjusted_ends_the_day_before_and_is_named(computing, lake, market, weekdays):
    calculate(computing)
    before = lake.read("indicators_daily").sort("symbol", "date")
    unstated = (pl.col("symbol") == "600519.SH") & (pl.col("date") == weekdays[120])
    lake.replace_all("daily_bars", market.with_columns(prev_close=pl.when(~unstated).then("prev_close")))
    lake.upsert("adjust_events", events(("600519.SH", weekdays[120], None)))
    result = calculate(computing)
    assert (result.status, result.failed_items) == ("partial_success", ("600519.SH",))
    assert result.retry_params == {"symbols": ["600519.SH"]}
    assert f"600519.SH from {weekdays[120]} on. The bar of that day has no previous close" in result.message
    known = (pl.col("symbol") != "600519.SH") | (pl.col("date") < weekdays[120])
    assert lake.read("indicators_daily").sort("symbol", "date").equals(before.filter(known))
    assert calculate(computing, symbols=["600519.SH"]).failed_items == ("600519.SH",)


def test_when_there_are_no_bars_of_what_is_asked_for_the_task_fails(computing, lake, market):
    with pytest.raises(LakeError, match=r"No symbol can be calculated: 1 symbols have no bars \(600036\.SH\)"):
        calculate(computing, symbols=["600036.SH"])
    assert not lake.exists("indicators_daily")


def test_a_symbol_without_bars_is_named(computing, market):
    result = calculate(computing, symbols=["600519.SH", "600036.SH"])
    assert (result.status, result.failed_items) == ("partial_success", ("600036.SH",))


def test_rows_of_bars_that_are_gone_go_too(computing, lake, market):
    calculate(computing)
    lake.replace_all("daily_bars", market.filter(symbol="600519.SH"))
    calculate(computing)
    assert lake.read("indicators_daily")["symbol"].unique().to_list() == ["600519.SH"]


def test_without_bars_the_message_says_what_is_missing(computing, lake):
    lake.replace_all("stocks", STOCKS.empty())
    with pytest.raises(TableMissing, match="daily_bars"):
        calculate(computing)


@pytest.mark.parametrize(
    "params",
    [
        {"indicators": ["SARS"]},
        {"indicators": []},
        {"periods": ["yearly"]},
        {"symbols": ["moutai"]},
        {"indicator": ["MA"]},
    ],
)
def test_parameters_that_cannot_be_meant_are_refused(params):
    with pytest.raises(ValidationError):
        IndicatorParams(**params)


def test_the_seeds_parameters_are_the_defaults():
    assert IndicatorParams() == IndicatorParams(
        indicators=["MA", "MACD", "KDJ", "RSI", "BOLL"], periods=["daily", "weekly", "monthly"]
    )
    assert tables_of(calculate_technical_indicators).writes == (
        "indicators_daily",
        "indicators_weekly",
        "indicators_monthly",
    )


# ---- writing only what changed


def test_changes_are_found_by_day_whatever_their_kind():
    days = [date(2025, 1, 1) + timedelta(days=n) for n in range(5)]
    stored = pl.DataFrame(
        {
            "symbol": ["a", "b"] * 4,
            "date": [day for day in days[:4] for _ in "ab"],
            "x": [1.0, None, 2.0, 0.0, 3.0, 3.0, 4.0, 4.0],
        }
    )
    fresh = pl.DataFrame(
        {
            "symbol": ["b", "a"] * 3 + ["a", "a"],
            "date": [*(day for day in days[:3] for _ in "ab"), days[3], days[4]],
            "x": [None, 1.0, None, 2.0, 3.0, 3.0, 4.0, 5.0],
        }
    )
    # Day 0: other order. Day 1: null for 0. Day 2: the same. Day 3: a row less. Day 4: new.
    assert changed_days(stored.lazy(), fresh.lazy()) == [days[1], days[3], days[4]]
    assert changed_days(fresh.lazy(), fresh.lazy()) == []


def test_the_progress_has_one_total_and_only_grows(computing, lake, market, weekdays):
    reports = []
    run = replace(computing, report_progress=lambda done, total, message: reports.append((done, total, message)))
    lake.replace_all("daily_bars", market.filter(pl.col("date") < weekdays[-1]))
    calculate_technical_indicators(IndicatorParams(indicators=["MA"], periods=["daily", "weekly"]), run)
    lake.replace_days("daily_bars", market.filter(pl.col("date") == weekdays[-1]), [weekdays[-1]])
    for names in (["MA"], ["MA", "MACD"]):  # carried on; one period of two calculated from its first bar on
        before = len(reports)
        calculate_technical_indicators(IndicatorParams(indicators=names, periods=["daily", "monthly"]), run)
        assert len(reports) > before
    runs, current = [], []
    for report in reports:
        current.append(report)
        if report[2] == "stored":
            runs.append(current)
            current = []
    assert len(runs) == 3
    assert not current
    for given in runs:
        assert len({total for _, total, _ in given}) == 1
        numbers = [done for done, _, _ in given]
        assert numbers == sorted(numbers)
        assert numbers[-1] == given[0][1]
