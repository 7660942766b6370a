"""Storing a backtest: its figures, and its rows in the tables of the lake."""

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.backtesting.engine import BacktestResult
from mystocks_dagster.market.backtesting.figures import Figures
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables.research import BACKTESTS
from mystocks_dagster.tasks.backtest_params import BacktestParams

#: The tables of a backtest's details; the summary `backtests` is written after them.
DETAILS = ("backtest_trades", "backtest_orders", "backtest_positions", "backtest_events", "backtest_equity")


def backtest_id(params: BacktestParams, days: Sequence[date]) -> str:
    """Return an id of strategy, window and parameters, stable across processes."""
    terms = params.model_dump(mode="json") | {"start_date": f"{days[0]}", "end_date": f"{days[-1]}"}
    return hashlib.sha256(json.dumps(terms, sort_keys=True).encode()).hexdigest()[:16]


def store(
    lake: Lake,
    name: str,
    params: BacktestParams,
    outcome: BacktestResult,
    figures: Figures,
    *,
    benchmark: Sequence[float] | None = None,
    survivors_return: float | None = None,
) -> dict[str, int]:
    """Replace what is stored of the backtest `name`; return the rows written by table.

    The summary is written last, so that it never refers to a curve or trades that are not stored.
    """
    rows = {
        "backtest_trades": [trade._asdict() for trade in outcome.trades],
        "backtest_orders": _numbered(outcome.orders),
        "backtest_positions": [held._asdict() for held in outcome.positions],
        "backtest_events": _numbered(outcome.events),
        "backtest_equity": _equity(outcome, benchmark),
    }
    written = {table: _replace(lake, table, name, rows[table]) for table in DETAILS}
    summary = {
        "backtest_id": name,
        "strategy": params.label,
        "start_date": outcome.balances[0].date,
        "end_date": outcome.balances[-1].date,
        "initial_capital": params.initial_capital,
        "final_equity": outcome.balances[-1].equity,
        "trades": len(outcome.trades),
        "fees": round(sum(trade.fees for trade in outcome.trades), 2),
        "run_at": now(),
        "params": json.dumps(params.model_dump(mode="json"), ensure_ascii=False, sort_keys=True),
        "benchmark": params.benchmark or None,
        "survivors_return": survivors_return,
        "unfilled": sum(outcome.unfilled.values()),
        "dividends": round(sum(event.cash for event in outcome.events if event.kind == "dividend"), 2),
        "dividend_tax": round(sum(trade.tax for trade in outcome.trades), 2),
    } | figures.named()
    frame = BACKTESTS.typed(pl.DataFrame([summary], infer_schema_length=None))
    return written | {"backtests": lake.upsert("backtests", frame)}


def _numbered(rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [{"sequence": number, **row._asdict()} for number, row in enumerate(rows, start=1)]


def _equity(outcome: BacktestResult, benchmark: Sequence[float] | None) -> list[dict[str, Any]]:
    """Return the curve, with the benchmark scaled to begin with the capital."""
    begin = outcome.balances[0].equity
    values = [value / benchmark[0] * begin for value in benchmark] if benchmark else [None] * len(outcome.balances)
    return [{**balance._asdict(), "benchmark": value} for balance, value in zip(outcome.balances, values, strict=True)]


def _replace(lake: Lake, table: str, name: str, rows: list[dict[str, Any]]) -> int:
    """Replace the stored rows of the backtest `name`: after a repair of bars there may be fewer than before."""
    records = [{"backtest_id": name, **row} for row in rows]
    frame = pl.DataFrame(records, schema=TABLES[table].dtypes, orient="row")
    if frame.is_empty() and not lake.exists(table):
        return lake.replace_all(table, frame)
    return lake.replace_rows(table, frame, f"backtest_id = '{name}'")
