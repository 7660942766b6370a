"""Grids of backtests: every combination of parameters over the whole window, or walk-forward."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import polars as pl

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.lake.doubts import describe_doubts
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.backtesting import grid as grid_module
from mystocks_dagster.market.backtesting.engine import ordered
from mystocks_dagster.market.backtesting.grid import FEW, Laboratory, Trial, run_trials, trial_of, windows
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.tables.research import BACKTEST_GRIDS
from mystocks_dagster.strategies.choices import Choice
from mystocks_dagster.strategies.evaluation import signals_of
from mystocks_dagster.tasks.backtest import FORMULAS, READS
from mystocks_dagster.tasks.backtest_grid_params import GridParams
from mystocks_dagster.tasks.backtest_inputs import (
    Inputs,
    describe_no_signals,
    read_benchmark,
    read_inputs,
    read_signals,
    trading_days,
)
from mystocks_dagster.tasks.backtest_params import TERMS
from mystocks_dagster.tasks.foresight import strategy_tests
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares
from mystocks_dagster.tasks.short_history import describe_short_history
from mystocks_dagster.tasks.strategy_rows import Needs, read_rows


@dataclass(frozen=True)
class _Run:
    """One combination in one window, with its figures."""

    phase: str
    span: range
    number: int
    trial: Trial
    figures: Mapping[str, Any]
    chosen: bool = False


@declares(writes=("backtest_grids",), reads=(*READS, "indicators_daily"), formulas=(*FORMULAS, grid_module))
def run_backtest_grid(params: GridParams, run: TaskRun) -> TaskResult:
    """Backtest every combination of a parameter grid and store the figures of each.

    With `train_days` and `test_days` the best combination of each training window is tested on the days after it, which
    it has not seen; the product of these tests is what the choice by the past would have brought. Parameters of the
    strategy are evaluated for the grid; without any, its stored signals are used.

    Raises:
        TableMissing: There are no bars, no signals of the strategy, or no indicator that it reads.
        InvalidParams: No stored trading day lies within the window, it is shorter than the training, the benchmark is
            not stored, the strategy looks ahead, or its lookback is too short.
    """
    lake = run.lake()
    days = trading_days(lake, params.start_date, params.end_date)
    if params.train_days and len(days) <= params.train_days:
        raise InvalidParams(
            f"{days[0]} to {days[-1]} are {len(days)} trading days, train_days is {params.train_days}. "
            "Write fewer train_days, or name an earlier start_date or a later end_date."
        )
    benchmark = read_benchmark(lake, params.benchmark, days) if params.benchmark else []
    points = params.points
    names, signals = _signals(lake, params, points, days)
    inputs = read_inputs(lake, signals, days)
    laboratory = Laboratory(inputs.market, ordered(inputs.market, inputs.signals, sorted({*names})))
    base = params.terms
    combined = [(_terms(point), name) for point, name in zip(points, names, strict=True)]

    def trial(number: int, span: range) -> Trial:
        return trial_of(base, *combined[number - 1], span, benchmark)

    run.logger.info("Trying %d combinations over %d trading days", len(points), len(days))
    runs = _runs(params, laboratory, trial, len(days), run)
    rows = _rows(params, runs, days)
    name = rows["grid_id"][0]
    lake.replace_rows("backtest_grids", rows, f"grid_id = '{name}'")
    known = {choice.version: choice for choice in map(params.choice, points) if choice}
    silent = [choice for version, choice in known.items() if version not in set(signals["strategy"])]
    result = _result(params, runs, inputs, name, rows.height)
    return replace(result, message=f"{result.message} {describe_short_history(lake, silent)}".strip())


def _terms(point: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in point.items() if name in TERMS}


def _signals(
    lake: Lake, params: GridParams, points: Sequence[Mapping[str, Any]], days: Sequence[date]
) -> tuple[list[str], pl.DataFrame]:
    """Return the name of each combination's signals, and all signals."""
    choices = [params.choice(point) for point in points]
    known = {choice.version: choice for choice in choices if choice}
    if not known:
        return [params.strategy_of(point) for point in points], read_signals(lake, params.strategy_ids, days)
    test = strategy_tests(lake)
    for choice in known.values():
        test(choice)
    needs = _needs([*known.values()], days[0])
    rows = read_rows(lake, [*known.values()], needs)
    frames = [
        signals_of(choice, rows, days[0]).with_columns(pl.col("symbol").cast(pl.String), strategy=pl.lit(version))
        for version, choice in known.items()
    ]
    signals = pl.concat(frames).filter(pl.col("date") <= days[-1])
    return [choice.version for choice in choices if choice], signals


def _needs(choices: Sequence[Choice], first: date) -> Needs:
    names = tuple(dict.fromkeys(name for choice in choices for name in choice.definition.reads))
    bars = [choice.bars_needed for choice in choices]
    return Needs(names, first, None if None in bars else max(number for number in bars if number is not None))


def _runs(
    params: GridParams, laboratory: Laboratory, trial: Callable[[int, range], Trial], days: int, run: TaskRun
) -> list[_Run]:
    """Run the whole window, or each training window and the test of its best combination."""
    spans = [range(days)]
    tests: dict[range, range] = {}
    if params.train_days and params.test_days:
        tests = {window.train: window.test for window in windows(days, params.train_days, params.test_days)}
        spans = list(tests)
    phase = "train" if tests else "grid"
    numbers = range(1, len(params.points) + 1)
    tried = [(span, number, trial(number, span)) for span in spans for number in numbers]

    def done(number: int) -> None:
        run.report_progress(number, len(tried), f"{number:,} of {len(tried):,} backtests")

    trials = [item for *_, item in tried]
    engine = run.settings.engine if params.processes is None and len(trials) >= FEW else None
    if engine:
        from mystocks_dagster.tasks.backtest_cluster import run_on_cluster

        run.logger.info("Computing on %s", engine)
        figures = run_on_cluster(engine, laboratory, trials, done)
    else:
        figures = run_trials(laboratory, trials, params.processes, done)
    runs = [_Run(phase, *item, result) for item, result in zip(tried, figures, strict=True)]
    best = {span: _best([item for item in runs if item.span == span], params.metric) for span in spans}
    runs = [_Run(phase, i.span, i.number, i.trial, i.figures, i.number == best[i.span].number) for i in runs]
    tested = [(tests[span], best[span].number, trial(best[span].number, tests[span])) for span in tests]
    results = run_trials(laboratory, [item for *_, item in tested], params.processes)
    return runs + [_Run("test", *item, result, chosen=True) for item, result in zip(tested, results, strict=True)]


def _best(runs: Sequence[_Run], metric: str) -> _Run:
    """Return the best run; of equal ones the first, and an unknown figure is below all others."""
    return max(runs, key=lambda item: -math.inf if item.figures[metric] is None else item.figures[metric])


def _rows(params: GridParams, runs: Sequence[_Run], days: Sequence[date]) -> pl.DataFrame:
    ident = params.model_dump(mode="json", exclude={"processes"}) | {"days": [f"{days[0]}", f"{days[-1]}"]}
    name = hashlib.sha256(json.dumps(ident, sort_keys=True).encode()).hexdigest()[:16]
    points, moment = params.points, now()
    records = [
        {name: value for name, value in item.figures.items() if name in BACKTEST_GRIDS.dtypes}
        | {
            "grid_id": name,
            "phase": item.phase,
            "start_date": days[item.span.start],
            "end_date": days[item.span.stop - 1],
            "number": item.number,
            "strategy": params.strategy_of(points[item.number - 1]),
            "params": json.dumps(points[item.number - 1], ensure_ascii=False),
            "chosen": item.chosen,
            "run_at": moment,
        }
        for item in runs
    ]
    return BACKTEST_GRIDS.typed(pl.DataFrame(records, infer_schema_length=None))


def _result(params: GridParams, runs: Sequence[_Run], inputs: Inputs, name: str, rows: int) -> TaskResult:
    points, tests = params.points, [item for item in runs if item.phase == "test"]
    tried = ", ".join(params.strategy_ids)
    if inputs.signals.is_empty():
        text = describe_no_signals(tried, inputs.market.days)
    elif tests:
        gained = math.prod(1 + item.figures["total_return"] for item in tests) - 1
        text = f"{tried}, walk-forward in {len(tests)} windows: {gained:+.2%} on days not seen before."
    else:
        best = next(item for item in runs if item.chosen)
        values = ", ".join(
            f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in points[best.number - 1].items()
        )
        gained = f"{best.figures['total_return']:+.2%}"
        text = f"{tried}, best of {len(points):,} by {params.metric}: {values}, with a total return of {gained}."
    return TaskResult(
        status="partial_success" if inputs.doubts else "success",
        message=f"{text} {describe_doubts(inputs.doubts)}".strip(),
        rows={"backtest_grids": rows},
        failed_items=tuple(doubt.symbol for doubt in inputs.doubts),
        metadata={"grid_id": name, "combinations": len(points), "backtests": len(runs)},
    )
