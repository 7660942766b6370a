"""Grids of backtests into the lake: stored signals, parameters of a strategy, walk-forward, and what is refused."""

import json

import polars as pl
import pytest
from pydantic import ValidationError

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.market.tables.research import SIGNALS
from mystocks_dagster.tasks.backtest import BacktestParams, run_backtest
from mystocks_dagster.tasks.backtest_grid import run_backtest_grid
from mystocks_dagster.tasks.backtest_grid_params import GridParams
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators
from mystocks_dagster.texts.catalogue import translate

pytestmark = pytest.mark.slow


def test_each_combination_has_the_figures_of_its_own_backtest(computing, lake, alternating_market):
    grid = {"max_positions": [1, 2], "slippage_ticks": [0, 5]}
    result = run_backtest_grid(GridParams(grid=grid, metric="total_return", processes=1), computing)
    rows = lake.read("backtest_grids").sort("number")
    assert [json.loads(text) for text in rows["params"]] == [
        {"max_positions": places, "slippage_ticks": ticks} for places in (1, 2) for ticks in (0, 5)
    ]
    for params, gained, sharpe in rows.select("params", "total_return", "sharpe").iter_rows():
        single = run_backtest(BacktestParams(**json.loads(params)), computing)
        assert (gained, sharpe) == (single.metadata["total_return"], single.metadata["sharpe"])
    best = rows.filter("chosen")
    assert best["total_return"].to_list() == [rows["total_return"].max()]
    assert json.loads(best["params"].item())["slippage_ticks"] == 0
    assert result.rows == {"backtest_grids": 4}
    assert (
        f"best of 4 by total_return: max_positions={json.loads(best['params'].item())['max_positions']}, "
        in result.message
    )
    run_backtest_grid(GridParams(grid=grid, metric="total_return", processes=1), computing)
    assert lake.read("backtest_grids").height == 4


def test_the_best_combination_is_told_in_the_words_of_tasks_yaml(computing, lake, alternating_market):
    result = run_backtest_grid(GridParams(grid={"stop_loss": [None]}, processes=1), computing)
    assert result.message.startswith("ma_crossover, best of 1 by sharpe: stop_loss=null, with a total return of ")
    assert translate(result.message, "zh").startswith(
        "ma_crossover，1 个组合中按 sharpe 最优的是 stop_loss=null，总收益率 "
    )


def test_walk_forward_tests_the_best_of_each_window_on_the_days_after_it(computing, lake, alternating_market, weekdays):
    params = GridParams(
        grid={"max_positions": [1, 2], "holding_days": [2, 5]}, train_days=60, test_days=45, processes=1
    )
    result = run_backtest_grid(params, computing)
    rows = lake.read("backtest_grids")
    train, test = (rows.filter(phase=phase).sort("start_date", "number") for phase in ("train", "test"))
    assert train.height == 8
    assert test.select("start_date", "end_date").rows() == [
        (weekdays[60], weekdays[104]), (weekdays[105], weekdays[149])
    ]  # fmt: skip
    chosen = train.filter("chosen").sort("start_date")
    assert chosen["number"].to_list() == test["number"].to_list()
    for start, part in train.group_by("start_date"):
        assert part.filter("chosen")["sharpe"].item() == part["sharpe"].max(), start
    product = (1 + test["total_return"]).product() - 1
    assert f"walk-forward in 2 windows: {product:+.2%} on days not seen before" in result.message


def test_parameters_of_a_strategy_are_evaluated_for_the_grid(computing, lake, alternating_market):
    calculate_technical_indicators(IndicatorParams(), computing)
    params = GridParams(strategy_id="breakout", grid={"days": [5, 40], "times": [0.0]}, processes=1)
    run_backtest_grid(params, computing)
    rows = lake.read("backtest_grids").sort("number")
    assert [json.loads(text)["days"] for text in rows["params"]] == [5, 40]
    assert rows["trades"][0] != rows["trades"][1]


def test_my_formula_is_tried_with_several_conditions(computing, lake, alternating_market):
    calculate_technical_indicators(IndicatorParams(), computing)
    grid = {"buy": ["C>REF(HHV(H,20),1)", "C>REF(HHV(H,5),1)"], "sell": ["C<MA(C,10)"]}
    run_backtest_grid(GridParams(strategy_id="formula", grid=grid, processes=1), computing)
    rows = lake.read("backtest_grids").sort("number")
    assert [json.loads(text)["buy"] for text in rows["params"]] == grid["buy"]
    assert rows["trades"][0] != rows["trades"][1]


def test_a_grid_of_my_own_strategy_with_required_parameters_is_accepted(tmp_path, monkeypatch):
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "mine.py").write_text(
        "import polars as pl\n\n"
        "from mystocks_dagster.strategies.writing import strategy\n\n\n"
        '@strategy(reads=["ma5"], lookback=1)\n'
        "def two(market: pl.DataFrame, fast: int, slow: int) -> pl.DataFrame:\n"
        '    """Two averages."""\n'
        "    return market\n",
        encoding="utf-8",
    )
    params = GridParams(strategy_id="two", grid={"fast": [5, 10], "slow": [20, 60]})
    assert [params.choice(point).params for point in params.points][1] == {"fast": 5, "slow": 60}
    with pytest.raises(ValidationError, match=r"the grid has no slow, which two needs\. Add slow: \[VALUE\]"):
        GridParams(strategy_id="two", grid={"fast": [5, 10]})
    with pytest.raises(ValidationError, match="the grid's slow 'x': slow must be a whole number"):
        GridParams(strategy_id="two", grid={"fast": [5, 10], "slow": ["x"]})


LOOK = """
import polars as pl
from mystocks_dagster.strategies import Rules, strategy

@strategy(reads=["close_hfq"], lookback=2)
def look(by: float = 1.0) -> Rules:
    \"\"\"Know tomorrow.\"\"\"
    close = pl.col("close_hfq")
    return Rules(buy=close.shift(-1) > close * by, sell=close.shift(-1) < close)
"""


def test_a_grid_of_my_strategy_that_knows_tomorrow_is_refused(
    computing, lake, alternating_market, tmp_path, monkeypatch
):
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "look.py").write_text(LOOK)
    calculate_technical_indicators(IndicatorParams(), computing)
    with pytest.raises(InvalidParams, match=r"The strategy look \(.*look\.py:6\) looks ahead: "):
        run_backtest_grid(GridParams(strategy_id="look", grid={"by": [1.0, 1.01]}, processes=1), computing)
    assert not lake.exists("backtest_grids")


def test_a_grid_of_a_strategy_with_too_few_bars_says_so(computing, lake, alternating_market, weekdays):
    lake.replace_all("daily_bars", lake.read("daily_bars").filter(pl.col("date") < weekdays[3]))
    calculate_technical_indicators(IndicatorParams(), computing)
    params = GridParams(strategy_id="kdj_overbought", grid={"overbought": [70, 80]}, processes=1)
    result = run_backtest_grid(params, computing)
    assert result.message == (
        f"kdj_overbought from {weekdays[0]} to {weekdays[2]}: there were no signals to trade. "
        "kdj_overbought has no signals: fewer than 9 bars."
    )


def test_a_walk_forward_without_signals_says_so_and_no_return(computing, lake, alternating_market, weekdays):
    lake.replace_all("signals", lake.read("signals").filter(pl.col("date") <= weekdays[0]))
    grid = {"max_positions": [1, 2]}
    params = GridParams(grid=grid, train_days=60, test_days=45, processes=1, start_date=f"{weekdays[1]}")
    result = run_backtest_grid(params, computing)
    assert result.message == f"ma_crossover from {weekdays[1]} to {weekdays[-1]}: there were no signals to trade."


def test_a_grid_compares_several_strategies(computing, lake, alternating_market):
    other = lake.read("signals").with_columns(
        strategy=pl.lit("breakout"), side=pl.when(pl.col("side") == "buy").then(pl.lit("sell")).otherwise(pl.lit("buy"))
    )
    lake.replace_all("signals", SIGNALS.typed(pl.concat([lake.read("signals"), other])))
    grid = {"strategy_id": ["ma_crossover", "breakout"], "max_positions": [1, 2]}
    result = run_backtest_grid(GridParams(grid=grid, metric="total_return", processes=1), computing)
    rows = lake.read("backtest_grids").sort("number")
    assert rows["strategy"].to_list() == ["ma_crossover", "ma_crossover", "breakout", "breakout"]
    for params, gained in rows.select("params", "total_return").iter_rows():
        assert gained == run_backtest(BacktestParams(**json.loads(params)), computing).metadata["total_return"]
    assert "ma_crossover, breakout, best of 4" in result.message


def test_a_parameter_that_several_strategies_have_is_tried_with_each(computing, lake, alternating_market):
    calculate_technical_indicators(IndicatorParams(), computing)
    grid = {"strategy_id": ["kdj_overbought", "rsi_reversion"], "oversold": [20, 45]}
    run_backtest_grid(GridParams(grid=grid, processes=1), computing)
    rows = lake.read("backtest_grids").sort("number")
    assert rows["strategy"].to_list() == ["kdj_overbought"] * 2 + ["rsi_reversion"] * 2
    assert rows["trades"].n_unique() > 1


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"grid": {}}, "the grid has 0 combinations"),
        ({"grid": {"strategy_id": ["ma_crossover", "turtle"]}}, "the grid's strategy_id 'turtle': "),
        ({"grid": {"strategy_id": ["breakout", "rsi_reversion"], "days": [5]}}, "the grid has no parameter 'days'"),
        ({"grid": {"max_positions": []}}, "the grid has no values of max_positions"),
        ({"strategy_id": "breakout", "grid": {"days": ["20", 30.0]}}, "the grid's days '20': days must be a whole"),
        ({"strategy_id": "breakout", "grid": {"days": [30.5]}}, "days 30.5: days must be a whole number, found 30.5"),
        ({"strategy_id": "breakout", "grid": {"days": [20, 20]}}, "the grid's days has 20 twice. Keep one of them"),
        ({"grid": {"max_positions": ["5"]}}, "the grid's max_positions '5': max_positions must be a whole number"),
        ({"strategy_id": "formula", "grid": {"buy": ["C>O"]}}, "the grid has no sell, which formula needs. Add sell"),
        ({"strategy_id": "formula", "grid": {"buy": ["C>>O"], "sell": ["C<O"]}}, "the grid's buy 'C>>O': "),
        ({"grid": {"max_position": [1]}}, "no parameter 'max_position'. Did you mean 'max_positions'"),
        ({"grid": {"max_positions": [0]}}, "the grid's max_positions 0: max_positions must be at least 1, found 0"),
        ({"grid": {"max_positions": ["x"]}}, "max_positions 'x': max_positions must be a whole number, found 'x'"),
        ({"grid": {"max_positions": [1]}, "train_days": 60}, "needs both train_days and test_days"),
        ({"grid": {"max_positions": [1]}, "metric": "alpha"}, "alpha needs a benchmark"),
        ({"grid": {name: list(range(1, 100)) for name in ("max_positions", "holding_days")}}, "9,801 combinations"),
        ({"grid": {"max_positions": [1]}, "strategies": [{"name": "ma_crossover", "weight": 1}]}, "of one strategy_id"),
    ],
)
def test_a_grid_that_cannot_be_meant_is_refused_at_load(params, message):
    with pytest.raises(ValidationError) as caught:
        GridParams(**params)
    assert message in str(caught.value)


def test_a_window_that_is_no_longer_than_its_training_is_refused(computing, alternating_market):
    with pytest.raises(InvalidParams, match=r"are 150 trading days, train_days is 150\. Write fewer train_days"):
        run_backtest_grid(GridParams(grid={"max_positions": [1]}, train_days=150, test_days=20), computing)
