"""Backtests of the stored signals under the rules of the Chinese exchanges."""

from collections import Counter
from datetime import date
from typing import Any

import polars as pl

from mystocks_dagster.lake.doubts import describe_doubts
from mystocks_dagster.market import rules
from mystocks_dagster.market.backtesting import (
    account,
    dividend_tax,
    engine,
    ex_days,
    fills,
    market,
    metrics,
    orders,
    prices,
    sleeve,
    terms,
)
from mystocks_dagster.market.backtesting.engine import BacktestResult, backtest
from mystocks_dagster.market.backtesting.figures import Figures, measure
from mystocks_dagster.tasks.backtest_inputs import (
    Inputs,
    describe_no_signals,
    read_benchmark,
    read_inputs,
    read_signals,
    survivors,
    trading_days,
)
from mystocks_dagster.tasks.backtest_params import BacktestParams
from mystocks_dagster.tasks.backtest_store import DETAILS, backtest_id, store
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares

#: The modules that decide about the result.
FORMULAS = (account, dividend_tax, engine, ex_days, fills, market, metrics, orders, prices, rules, sleeve, terms)
READS = ("signals", "daily_bars", "adjust_events", "corporate_actions", "stocks", "stock_names", "index_bars")


@declares(writes=("backtests", *DETAILS), reads=READS, formulas=FORMULAS)
def run_backtest(params: BacktestParams, run: TaskRun) -> TaskResult:
    """Trade the stored signals of one or several strategies and store figures, equity, orders, trades and holdings.

    A run with the same strategies, window and parameters replaces the stored result. A symbol with an unknown
    adjustment ratio is traded up to the day before and listed in the result; shares held then stay in the account at
    their last close.

    Raises:
        TableMissing: There are no bars, or no signals of a strategy.
        InvalidParams: No stored trading day lies within the window, or the benchmark is not stored.
    """
    lake = run.lake()
    days = trading_days(lake, params.start_date, params.end_date)
    signals = read_signals(lake, params.weights, days)
    benchmark = read_benchmark(lake, params.benchmark, days) if params.benchmark else None
    alive = survivors(lake) if params.survivorship else None
    run.logger.info("Trading %d signals of %s from %s to %s", signals.height, params.label, days[0], days[-1])
    inputs = read_inputs(lake, signals, days)
    outcome = simulate(params, inputs)
    figures = measure(outcome, benchmark)
    survived = None if alive is None else _return_of(params, inputs, alive)
    name = backtest_id(params, days)
    rows = store(lake, name, params, outcome, figures, benchmark=benchmark, survivors_return=survived)
    return TaskResult(
        status="partial_success" if inputs.doubts else "success",
        message=_message(params, outcome, figures, survived, inputs),
        rows=rows,
        failed_items=tuple(doubt.symbol for doubt in inputs.doubts),
        metadata=_metadata(name, outcome, figures, survived),
    )


def simulate(params: BacktestParams, inputs: Inputs, *, recorded: bool = True) -> BacktestResult:
    """Trade the signals of a backtest."""
    return backtest(inputs.market, inputs.signals, params.terms, weights=params.weights, recorded=recorded)


def _return_of(params: BacktestParams, inputs: Inputs, symbols: list[str]) -> float:
    """Return the total return with the signals of some symbols only."""
    kept = Inputs(inputs.market, inputs.signals.filter(pl.col("symbol").is_in(symbols)), [])
    return measure(simulate(params, kept, recorded=False)).performance.total_return


def _message(
    params: BacktestParams, outcome: BacktestResult, figures: Figures, survived: float | None, inputs: Inputs
) -> str:
    first, last = outcome.balances[0].date, outcome.balances[-1].date
    if inputs.signals.is_empty():
        return f"{describe_no_signals(params.label, [first, last])} {describe_doubts(inputs.doubts)}".strip()
    measured, compared = figures.performance, figures.comparison
    parts = [f"{params.label} from {first} to {last}: {measured.total_return:+.2%}"]
    if compared:
        parts.append(f"{params.benchmark} {compared.benchmark_return:+.2%}")
    parts += [f"max drawdown {measured.max_drawdown:.2%}", f"{len(outcome.trades)} orders filled."]
    text = ", ".join(parts)
    if survived is not None:
        text += f" With today's stocks only: {survived:+.2%}."
    guessed = sum(event.kind == "ratio" for event in outcome.events)
    if guessed and params.dividends == "cash":
        text += f" On {guessed} ex-days no published terms explain the price: dividends were reinvested, without tax."
    return f"{text} {describe_doubts(inputs.doubts)}".strip()


def _metadata(name: str, outcome: BacktestResult, figures: Figures, survived: float | None) -> dict[str, Any]:
    values = figures.named()
    kinds = Counter(event.kind for event in outcome.events)
    return {
        "backtest_id": name,
        **{key: value.isoformat() if isinstance(value, date) else value for key, value in values.items()},
        "survivors_return": survived,
        "unfilled": dict(outcome.unfilled),
        "events": dict(sorted(kinds.items())),
    }
