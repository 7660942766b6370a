"""The shift test finds what looks ahead, in strategies of the package and of users."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from mystocks_dagster.market.indicators import INDICATORS, indicator_table
from mystocks_dagster.strategies.choices import choice_of
from mystocks_dagster.strategies.evaluation import signals_of
from mystocks_dagster.strategies.registry import strategies
from mystocks_dagster.strategies.shift import shift_test

DAYS = [day for i in range(600) if (day := date(2022, 1, 3) + timedelta(days=i)).weekday() < 5]
SYMBOLS = ("000001.SZ", "300750.SZ", "600519.SH", "688981.SH")


@pytest.fixture(scope="module")
def market():
    """Random walks of four symbols with every column that a strategy can read; one symbol pauses for three months."""
    frames = []
    for number, symbol in enumerate(SYMBOLS):
        rng = np.random.default_rng(number)
        close = 20 * np.exp(np.cumsum(rng.normal(0, 0.03, len(DAYS))))
        bars = pl.DataFrame({"symbol": symbol, "date": DAYS, "close": close, "high": close * 1.02, "low": close * 0.98})
        bars = bars.with_columns(open=pl.col("close"))
        others = {
            name: rng.normal(1, 0.5, len(DAYS))
            for name in ("pe_ttm", "pb", "ps_ttm", "roe_ttm", "net_profit_growth", "revenue_growth")
        }
        bars = bars.with_columns(
            amount=rng.lognormal(10, 0.5, len(DAYS)),
            is_st=pl.lit(number == 3),
            **{f"{name}_hfq": name for name in ("open", "high", "low")},
            volume=pl.lit(1000),
            turnover=pl.lit(1.0),
            limit_up=np.where(rng.random(len(DAYS)) < 0.2, close, close * 1.1),
            **{name: pl.Series(values) for name, values in others.items()},
        )
        indicators = indicator_table(bars.select("symbol", "date", "close", "high", "low"), INDICATORS)
        frame = bars.join(indicators.drop("symbol"), on="date")
        frames.append(frame.filter(~pl.col("date").is_between(DAYS[200], DAYS[260])) if number == 1 else frame)
    return pl.concat(frames).with_columns(pl.col("symbol").cast(pl.Enum(SYMBOLS))).sort("symbol", "date")


SMALL = {"momentum": {"top": 2}, "value_rank": {"top": 2}, "statement_rank": {"top": 2}, "limit_up": {"traded": False}}
SMALL["formula"] = {"buy": "A:MA(C,5); CROSS(A,MA(C,20))", "sell": "CROSS(MA(C,20),MA(C,5))"}


@pytest.mark.parametrize("name", list(strategies()))
def test_no_shipped_strategy_sees_a_later_day_or_more_than_it_says(market, name):
    choice = choice_of({"name": name, **SMALL.get(name, {})})
    test = shift_test(choice, market)
    assert test.differences == ()
    assert test.signals > 5
    assert test.cuts >= 8


@pytest.mark.parametrize("name", list(strategies()))
def test_every_signal_has_its_reason(market, name):
    signals = signals_of(choice_of({"name": name, **SMALL.get(name, {})}), market)
    bought = signals.filter(side="buy")
    assert bought["detail"].str.contains(r"^\w+ -?[\d.]+").all()
    sold = signals.filter(side="sell")["detail"]
    assert sold.str.contains(r"^(\w+ -?[\d.]+|not_ranked (no_trade|not_eligible|no_score)$)").all()


def own(body, reads='["close_hfq"]', lookback="None"):
    return f'@strategy(reads={reads}, lookback={lookback})\ndef own() -> Rules:\n    """Own."""\n{body}'


def test_a_users_look_ahead_is_found_with_symbol_and_day(write_strategies, market):
    close = "    close = pl.col('close_hfq')\n"
    write_strategies(own(close + "    return Rules(buy=close.shift(-1) > close * 1.05, sell=close < 0)\n"))
    (first, *_) = shift_test(choice_of("own"), market).differences
    assert first.cut == "future"
    assert f"no signal without the days after {first.day}." in str(first)


def test_a_value_of_the_whole_history_is_a_look_ahead_too(write_strategies, market):
    close = "    close = pl.col('close_hfq')\n"
    write_strategies(own(close + "    return Rules(buy=close > close.mean() * 1.2, sell=close < close.mean() * 0.8)\n"))
    assert shift_test(choice_of("own"), market).differences


def test_a_reason_that_changes_is_a_difference(write_strategies, market):
    close = "    close = pl.col('close_hfq')\n"
    body = close + "    return Rules(buy=close > 25, sell=close < 15, values={'last': close.max()})\n"
    write_strategies(own(body))
    assert shift_test(choice_of("own"), market).differences[0].cut == "future"


def test_a_lookback_that_is_too_short_is_found(write_strategies, market):
    close = "    close = pl.col('close_hfq')\n"
    body = close + "    return Rules(buy=close > close.shift(1).rolling_max(60), sell=close < 0)\n"
    write_strategies(own(body, lookback="60"))
    assert shift_test(choice_of("own"), market).differences == ()
    write_strategies(own(body, lookback="59"))
    assert {item.cut for item in shift_test(choice_of("own"), market).differences} == {"past"}


def test_the_last_digit_of_a_mean_is_no_look_ahead(write_strategies, market):
    # A mean of eight prices in ticks lies in the middle between two numbers of four digits: its last bits decide.
    ticks = market.with_columns(pl.col("close_hfq").round(2))
    body = "    mean = pl.col('close_hfq').rolling_mean(8)\n"
    body += "    return Rules(buy=pl.col('close_hfq') > 20, sell=pl.col('close_hfq') < 18, values={'mean': mean})\n"
    write_strategies(own(body, lookback="9"))
    assert shift_test(choice_of("own"), ticks).differences == ()


@pytest.fixture
def ticks():
    """Walks in ticks of a cent between 19 and 21 yuan: their averages are often equal."""
    frames = []
    for number, symbol in enumerate(SYMBOLS):
        steps = np.random.default_rng(number).integers(-3, 4, len(DAYS))
        walk = 100 - np.abs(np.cumsum(steps) % 400 - 200)
        frames.append(pl.DataFrame({"symbol": symbol, "date": DAYS, "close_hfq": np.round(20 + walk / 100, 2)}))
    return pl.concat(frames).with_columns(pl.col("symbol").cast(pl.Enum(SYMBOLS))).sort("symbol", "date")


@pytest.mark.parametrize("windows", [(5, 20), (2, 3), (4, 8)])
def test_my_averages_are_equal_on_some_days_and_my_strategy_passes(write_strategies, ticks, windows):
    body = "    c = pl.col('close_hfq')\n    a, b = c.rolling_mean({}), c.rolling_mean({})\n".format(*windows)
    body += "    return Rules(buy=a > b, sell=a < b)\n"
    write_strategies(own(body, lookback=windows[1]))
    test = shift_test(choice_of("own"), ticks)
    assert test.differences == ()
    assert test.signals > 500
    write_strategies(own(body, lookback=windows[1] - 2))
    first = shift_test(choice_of("own"), ticks).differences[0]
    assert str(first) == (
        f"{first.symbol} {first.date} {first.side}: the signal with all days, "
        f"no signal with no more bars before {first.day} than its lookback."
    )


def test_an_average_that_forgets_passes_with_a_long_lookback_and_not_with_a_short_one(write_strategies, ticks):
    body = "    c = pl.col('close_hfq')\n    a = c.ewm_mean(span=12, adjust=False)\n"
    body += "    return Rules(buy=a > c, sell=a < c)\n"
    write_strategies(own(body, lookback=150))
    assert shift_test(choice_of("own"), ticks).differences == ()
    write_strategies(own(body, lookback=12))
    assert {item.cut for item in shift_test(choice_of("own"), ticks).differences} == {"past"}


def test_without_a_signal_nothing_is_proven(write_strategies, market):
    write_strategies(own("    return Rules(buy=pl.col('close_hfq') < 0, sell=pl.col('close_hfq') < 0)\n"))
    assert shift_test(choice_of("own"), market).signals == 0
