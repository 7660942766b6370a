"""The shift test as a task, on stored days."""

import polars as pl
import pytest

from mystocks_dagster.errors import TableMissing
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators
from mystocks_dagster.tasks.strategy_check import CheckParams, check_strategy


@pytest.fixture
def stored(computing, lake, random_walk):
    lake.replace_all("daily_bars", pl.concat([random_walk("600519.SH", 1), random_walk("000001.SZ", 2)]))
    lake.replace_all("adjust_events", ADJUST_EVENTS.empty())
    calculate_technical_indicators(IndicatorParams(periods=["daily"]), computing)


def test_a_good_strategy_passes_with_the_number_of_its_signals(computing, stored):
    result = check_strategy(CheckParams(strategies=["ma_crossover"]), computing)
    assert result.status == "success"
    assert result.metadata["ma_crossover"]["signals"] > 4
    assert "are the same at" in result.message


def test_one_that_looks_ahead_fails_with_the_first_difference(computing, stored, tmp_path, monkeypatch):
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    own = tmp_path / "strategies" / "own.py"
    own.parent.mkdir()
    own.write_text(
        "import polars as pl\nfrom mystocks_dagster.strategies import Rules, strategy\n"
        '@strategy(reads=["close_hfq"])\ndef own() -> Rules:\n    """Own."""\n    close = pl.col("close_hfq")\n'
        "    return Rules(buy=close.shift(-1) > close, sell=close.shift(-1) < close)\n"
    )
    result = check_strategy(CheckParams(strategies=["own"], symbols=1), computing)
    assert (result.status, result.failed_items) == ("failed", ("own",))
    assert "without the days after" in result.metadata["own"]["differences"][0]


def test_without_indicators_the_task_to_run_is_named(computing, lake):
    with pytest.raises(TableMissing):
        check_strategy(CheckParams(strategies=["ma_crossover"]), computing)


INDICATOR = '''
import polars as pl
from mystocks_dagster.strategies import indicator

@indicator(reads=["close_hfq"], outputs=["line"], lookback=3)
def drift() -> dict[str, pl.Expr]:
    """Mean of the closes."""
    return {"line": pl.col("close_hfq").rolling_mean(2)}
'''
READER = '''
import polars as pl
from mystocks_dagster.strategies import Rules, strategy

@strategy(reads=["close_hfq", "drift_line"])
def reader() -> Rules:
    """Buy below the line."""
    close, line = pl.col("close_hfq"), pl.col("drift_line")
    return Rules(buy=close < line, sell=close > line)
'''


def test_the_indicator_in_python_that_a_strategy_reads_is_tested_too(computing, lake, stored, tmp_path, monkeypatch):
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    for kind, text in (("indicators", INDICATOR), ("strategies", READER)):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "own.py").write_text(text)
    calculate_technical_indicators(IndicatorParams(indicators=["drift"], periods=["daily"]), computing)
    result = check_strategy(CheckParams(strategies=["reader"]), computing)
    assert (result.status, {*result.metadata}) == ("success", {"reader", "drift"})

    (tmp_path / "indicators" / "own.py").write_text(INDICATOR.replace("rolling_mean(2)", "rolling_mean(2).shift(-1)"))
    result = check_strategy(CheckParams(strategies=["reader"]), computing)
    assert (result.status, result.failed_items) == ("failed", ("drift",))


def test_my_strategy_reads_an_indicator_without_defaults_and_is_tested_alone(
    computing, lake, stored, tmp_path, monkeypatch
):
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    required = INDICATOR.replace("drift()", "drift(n: int)").replace("rolling_mean(2)", "rolling_mean(n)")
    for kind, text in (("indicators", required), ("strategies", READER)):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "own.py").write_text(text)
    chosen = [{"name": "drift", "n": 3}]
    calculate_technical_indicators(IndicatorParams(indicators=chosen, periods=["daily"]), computing)
    result = check_strategy(CheckParams(strategies=["reader"]), computing)
    assert (result.status, {*result.metadata}) == ("success", {"reader"})
