"""What a materialization of a computed table shows: how far it reaches, a chart, the stages and the definitions."""

import base64
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
from support.small_market import FRIDAY, MONDAY, small_lake
from support.stored_backtest import store_two_backtests

from mystocks_dagster.execution.attempt import Outcome
from mystocks_dagster.factory.report import Report
from mystocks_dagster.factory.spec import build_specs
from mystocks_dagster.factory.table_views import table_view
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.indicators import INDICATORS_DAILY
from mystocks_dagster.market.tables.research import SIGNALS
from mystocks_dagster.tags import Metadata
from mystocks_dagster.taskfile.reader import load_text
from mystocks_dagster.tasks.run import TaskResult

TASK = """
tasks:
  - task_id: my_signals
    task_type: indicator_calc
    task_module: mystocks_dagster.tasks.strategy
    task_function: calculate_strategy_signals
    params: {strategies: [ma_crossover, {name: breakout, days: 55}]}
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Five stocks on two days, with signals and indicators of two of them."""
    lake = small_lake(tmp_path / "lake")
    rows = [("600519.SH", FRIDAY, "buy"), ("600519.SH", MONDAY, "sell"), ("000001.SZ", MONDAY, "buy")]
    signals = pl.DataFrame(rows, schema=["symbol", "date", "side"], orient="row")
    signals = signals.with_columns(strategy=pl.lit("ma_crossover"), close=pl.lit(10.0), detail=pl.lit("ma5 1.0"))
    lake.replace_all("signals", SIGNALS.typed(signals))
    closes = lake.read("daily_bars", columns=["symbol", "date", "close"]).rename({"close": "close_hfq"})
    lake.replace_all("indicators_daily", INDICATORS_DAILY.complete(closes))
    return lake


def texts(metadata):
    encoded = metadata[Metadata.CHART].value.removeprefix("![chart](data:image/svg+xml;base64,").removesuffix(")")
    return ["".join(node.itertext()) for node in ElementTree.fromstring(base64.b64decode(encoded)).iter() if node.text]


def test_signals_show_their_days_symbols_and_a_chart_by_month(lake):
    view = table_view(lake, "signals")
    assert (view[Metadata.FIRST_DAY], view[Metadata.LAST_DAY]) == (f"{FRIDAY}", f"{MONDAY}")
    assert view[Metadata.SYMBOLS] == 2
    assert "signals per monthbuysell" in texts(view)


def test_indicators_show_the_stock_with_the_largest_amount_of_the_last_day(lake):
    # 300750.SZ traded a million shares at 11.00 on average, more than any other.
    assert "300750.SZ, hfqclose_hfq" in texts(table_view(lake, "indicators_daily"))


def test_a_table_of_a_source_and_a_table_that_does_not_exist_show_nothing_more(lake):
    assert table_view(lake, "daily_bars") == {}
    assert table_view(lake, "backtest_equity") == {}


def test_a_backtest_shows_its_equity_against_the_benchmark(tmp_path, monkeypatch):
    monkeypatch.setenv("MYSTOCKS_LAKE", str(tmp_path / "data"))
    store_two_backtests(tmp_path)
    lake = Lake(str(tmp_path / "data"))
    shown = texts(table_view(lake, "backtest_equity"))
    gained = lake.head("backtests", 1)["total_return"].item()
    assert f"ma_crossover {gained:+.2%}equity" in shown


def test_a_materialization_has_it_with_stages_and_definitions(lake, monkeypatch):
    monkeypatch.setenv("MYSTOCKS_LAKE", str(lake.location))
    spec = build_specs(load_text(TASK, Path("tasks.yaml")))["my_signals"]
    result = TaskResult(rows={"signals": 3}, stages={"read": 1.5, "ma_crossover": 0.25})
    report = Report(spec=spec, outcome=Outcome(result=result, error=None, seconds=2.0, peak_rss=None, pid=None))
    metadata = report.table_metadata("signals")
    assert metadata[Metadata.STAGES].value == {"read": 1.5, "ma_crossover": 0.25}
    assert Metadata.CHART in metadata
    first, second = metadata[Metadata.DEFINITIONS].value
    assert first.startswith("ma_crossover: ma_crossover() ")
    assert second.startswith("breakout: breakout(days=55, exit_days=10, times=1.5) ")


def test_other_parameters_are_another_code_version():
    specs = [
        build_specs(load_text(TASK.replace("55", days), Path("tasks.yaml")))["my_signals"] for days in ("55", "20")
    ]
    versions = [spec.tables.code_version for spec in specs]
    assert versions[0] != versions[1]
    assert specs[0].tables.reads == specs[1].tables.reads == ("indicators_daily", "daily_bars")


def test_a_screen_with_another_formula_is_another_code_version():
    task = """
task_id: screens_of_the_day
task_type: indicator_calc
task_module: mystocks_dagster.tasks.screening
task_function: screen_market
params: {screens: [{name: RISING, formula: "C>REF(C,1)"}]}
"""
    text = "tasks:\n  - " + task.strip().replace("\n", "\n    ") + "\n"
    others = [text, text.replace("C,1", "C,2"), text.replace('1)"', '1)", period: weekly')]
    specs = [build_specs(load_text(one, Path("tasks.yaml")))["screens_of_the_day"] for one in others]
    assert len({spec.tables.code_version for spec in specs}) == 3
