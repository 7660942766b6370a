"""The blocks of the pages on formulas, indicators, strategies and backtests run, over a small market."""

import re

import polars as pl
import pytest
import yaml
from support.blocks import Reader, block
from support.commands import Commands
from support.project import ROOT
from support.stored_backtest import DAYS, store_two_backtests

from mystocks_dagster import TaskManager
from mystocks_dagster.lake.store import Lake

#: Many commands, one after the other, on a machine that runs other tests.
_LONG = pytest.mark.timeout(400)
pytestmark = [pytest.mark.slow, _LONG]

PAGES = pytest.mark.parametrize("pages", ["", "zh/"])


@pytest.fixture
def market(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """A project with a stock that rises and falls, its signals and two backtests; `backtests` has their ids."""
    cli.folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    monkeypatch.setenv("MYSTOCKS_NOW", f"{DAYS[-1]}T20:00:00+08:00")
    return cli


def lake(cli: Commands) -> Lake:
    return Lake(str(cli.folder.root / "data"), "real")


def use(cli: Commands, entries: str) -> list[dict]:
    """Make these the tasks of the project, of which each needs no other."""
    tasks = yaml.safe_load(entries)
    cli.folder.write("tasks.yaml", yaml.safe_dump({"tasks": tasks}, allow_unicode=True))
    return tasks


def test_the_backtest_of_the_page_trades_from_its_first_day(market: Commands) -> None:
    store_two_backtests(market.folder.root)
    signals = lake(market).read("signals").with_columns(strategy=pl.lit("kdj_overbought"))
    lake(market).replace_all("signals", signals)
    (line,) = block("backtests.md", "console").lines
    assert re.search(r"run_strategy_backtest +success", Reader(market).type(line))
    (traded,) = [one for one in market.json("backtest", "list") if one["strategy"] == "kdj_overbought"]
    assert traded["start_date"] == str(DAYS[0]), "the first stored day after the one that is asked for"


def test_the_backtests_are_listed_compared_and_reported(market: Commands) -> None:
    first, second = store_two_backtests(market.folder.root)
    listed, compared, reported = block("backtests.md", "console", 1).lines
    reader = Reader(market, names={"3f2a": first[:8], "91bc": second[:8]})
    assert first[:8] in reader.type(listed)
    told = reader.type(compared)
    assert re.search(r"max_positions .*\b2\b", told)
    assert reader.type(reported)
    assert "<html" in (market.folder.root / "report.html").read_text(encoding="utf-8")


def test_the_grid_of_the_page_chooses_and_tests_on_days_that_it_has_not_seen(market: Commands) -> None:
    """With fewer days, so that a small market has several windows."""
    store_two_backtests(market.folder.root)
    market("run", "calc_technical_indicators", "--only")
    text = block("backtests.md", "yaml").text
    assert "train_days: 732" in text
    assert "test_days: 244" in text
    use(market, text.replace("732", "20").replace("244", "10").replace("[20, 55, 120]", "[2, 3, 5]"))
    assert re.search(r"breakout_grid +success", market("run", "breakout_grid"))
    assert "breakout" in market("backtest", "grids")
    assert lake(market).read("backtest_grids").height >= 3 * 3 * 2


def test_the_indicators_and_screens_of_the_page_run(market: Commands) -> None:
    store_two_backtests(market.folder.root)
    market.folder.write("formulas/trend.txt", block("how-to.md", "text").text)
    use(market, block("indicators.md", "yaml", 1).text)
    assert re.search(r"calc_technical_indicators +success", market("run", "calc_technical_indicators"))
    columns = lake(market).read("indicators_daily").columns
    assert {"ma5", "macd_dif", "trend_gap"} <= set(columns)
    assert re.search(r"evening_screens +success", market("run", "evening_screens"))
    assert set(lake(market).read("screens")["screen"]) <= {"GOLDEN", "WEEKLY"}


def test_the_choice_of_indicators_of_the_page_fills_a_column_for_each(market: Commands) -> None:
    store_two_backtests(market.folder.root)
    market.folder.write("formulas/slow.txt", "INPUT: N(60,5,250);\nSLOW:MA(C,N);")
    task = "{task_id: own, task_type: indicator_calc, task_module: mystocks_dagster.tasks.indicators, task_function: "
    (entry,) = yaml.safe_load(f"- {task}calculate_technical_indicators}}")
    entry |= yaml.safe_load(block("indicators.md", "yaml").text)
    use(market, yaml.safe_dump([entry], allow_unicode=True))
    assert re.search(r"own +success", market("run", "own"))
    columns = lake(market).read("indicators_daily").columns
    assert {"ma250", "mytrend_b", "mytrend_up", "slow_slow"} <= set(columns)


def test_the_strategies_of_the_page_write_signals_under_their_names(market: Commands) -> None:
    store_two_backtests(market.folder.root)
    market("run", "calc_technical_indicators", "--only")
    use(market, block("strategies.md", "yaml").text)
    told = market("run", "calc_strategy_signals")
    assert re.search(r"calc_strategy_signals +(success|partial_success)", told)
    assert "ma_crossover" in told


def test_a_strategy_and_an_indicator_are_written_checked_and_computed_as_the_page_says(market: Commands) -> None:
    store_two_backtests(market.folder.root)
    market("run", "calc_technical_indicators", "--only")
    new, check = block("strategies.md", "console").lines
    reader = Reader(market)
    reader.type(new)
    reader.type(check)
    market.folder.write("strategies/my_breakout.py", block("strategies.md", "python").text)
    assert "my_breakout" in reader.type(check)
    market.folder.write("indicators/flow.py", block("strategies.md", "python", 1).text)
    market("edit", "calc_technical_indicators", "params.indicators=[{name: flow, n: 3}]")
    market("run", "calc_technical_indicators", "--only")
    computed = lake(market).read("indicators_daily").sort("date").filter(pl.col("flow_line").is_not_null())
    # Each day's amount is the same, so the mean of three closes; there is no dividend.
    closes = lake(market).read("daily_bars").sort("date")["close"].to_list()
    means = [sum(closes[n - 3 : n]) / 3 for n in range(3, 1 + len(closes))]
    assert computed["flow_line"].to_list() == pytest.approx(means)


@PAGES
def test_the_python_on_formulas_prints_what_its_comment_says(pages: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = block(f"{pages}formulas.md", "python").text
    exec(compile(text, "formulas.md", "exec"), {})
    (said,) = re.findall(r"print\(.*\)  # (.*)", text)
    assert capsys.readouterr().out.strip() == said == "['UP']"


@PAGES
def test_the_screen_that_the_python_page_types_passes_what_its_condition_says(
    market: Commands, capsys: pytest.CaptureFixture[str], pages: str
) -> None:
    store_two_backtests(market.folder.root)
    lines = [line.removeprefix(">>> ") for line in block(f"{pages}python.md", "pycon").text.splitlines()]
    names: dict[str, object] = {"manager": TaskManager()}
    exec(compile("\n".join(lines), "python.md", "exec"), names)
    # The volume never doubles, so nothing passes.
    assert capsys.readouterr().out.splitlines()[0] == f"{DAYS[-1]} 0 of 1"
