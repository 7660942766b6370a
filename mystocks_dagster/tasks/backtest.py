"""Backtests of the stored signals under the rules of the Chinese exchanges."""

import hashlib
import json
from datetime import date
from typing import Any

import polars as pl
from pydantic import Field, field_validator

from mystocks_dagster.errors import InvalidParams, TableMissing
from mystocks_dagster.lake.doubts import describe_doubts, find_doubts
from mystocks_dagster.lake.prices import before_unknown
from mystocks_dagster.lake.stock_names import with_known_st
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market import backtest as backtest_module
from mystocks_dagster.market import metrics, portfolio, price_matrix, rules
from mystocks_dagster.market.backtest import BacktestResult, Terms, backtest
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.metrics import Performance, performance
from mystocks_dagster.market.rules import COMMISSION_MIN, COMMISSION_RATE
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS
from mystocks_dagster.market.tables.research import BACKTESTS
from mystocks_dagster.strategies.choices import label_fault
from mystocks_dagster.strategies.registry import DEFAULT as STRATEGIES
from mystocks_dagster.tasks.param_types import Day, WindowParams
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares

_BAR_COLUMNS = ["symbol", "date", "open", "close", "prev_close", "amount", "is_st", "suspended"]


class BacktestParams(WindowParams):
    """Parameters of `run_backtest`."""

    strategy_id: str = Field(
        default="",
        validate_default=True,
        description=f"A strategy, or its label in calculate_strategy_signals; empty means {STRATEGIES[0]}.",
    )
    start_date: Day = Field(default=None, description="First day to trade; empty means the first stored day.")
    end_date: Day = Field(default=None, description="Last day to trade; empty means the last stored day.")
    initial_capital: float = Field(default=1_000_000.0, ge=10_000, le=1e12, description="CNY.")
    max_positions: int = Field(
        default=10, ge=1, le=1000, description="Most symbols held at once; each gets an equal share of the equity."
    )
    commission_rate: float = Field(
        default=COMMISSION_RATE, ge=0, le=0.01, description="Commission as a fraction of an order's amount."
    )
    commission_min: float = Field(
        default=COMMISSION_MIN, ge=0, le=100, description="Minimum commission per order, CNY."
    )

    @field_validator("strategy_id")
    @classmethod
    def _known(cls, name: str) -> str:
        if name and (fault := label_fault(name)):
            raise ValueError(fault)
        return name or STRATEGIES[0]

    @property
    def terms(self) -> Terms:
        """The account's terms."""
        return Terms(
            initial_capital=self.initial_capital,
            max_positions=self.max_positions,
            commission_rate=self.commission_rate,
            commission_min=self.commission_min,
        )


@declares(
    writes=("backtests", "backtest_equity", "backtest_trades"),
    reads=("signals", "daily_bars", "adjust_events"),
    formulas=(backtest_module, metrics, portfolio, price_matrix, rules),
)
def run_backtest(params: BacktestParams, run: TaskRun) -> TaskResult:
    """Trade a strategy's stored signals from the first to the last day and store result, equity curve and trades.

    A run with the same strategy, window and parameters replaces the stored result. A symbol with an unknown adjustment
    ratio is traded up to the day before and listed in the result; shares held then stay in the account at their last
    close.

    Raises:
        TableMissing: There are no bars, or no signals of that strategy.
        InvalidParams: No stored trading day lies within the window.
    """
    lake = run.lake()
    days = _days(lake, params)
    signals = _signals(lake, params.strategy_id, days)
    doubtful = find_doubts(lake, end=days[-1])
    run.logger.info("Trading %d signals of %s from %s to %s", signals.height, params.strategy_id, days[0], days[-1])
    bars = lake.scan(
        "daily_bars", columns=_BAR_COLUMNS, symbols=signals["symbol"].unique().to_list(), start=days[0], end=days[-1]
    )
    frames = (bars, signals.lazy(), _events(lake, days).lazy())
    known_bars, known_signals, events = (before_unknown(lake, frame).collect() for frame in frames)
    ends = {doubt.symbol: doubt.day for doubt in doubtful}
    known_bars = with_known_st(lake, known_bars)
    outcome = backtest(days, known_signals, known_bars, events, params.terms, ends=ends)
    measured = performance([balance.equity for balance in outcome.balances])
    backtest_id = _backtest_id(params, days)
    rows = _store(lake, backtest_id, params, outcome, measured)
    return TaskResult(
        status="partial_success" if doubtful else "success",
        message=f"{params.strategy_id} from {days[0]} to {days[-1]}: {measured.total_return:+.2%}, "
        f"max drawdown {measured.max_drawdown:.2%}, {len(outcome.trades)} orders filled. "
        f"{describe_doubts(doubtful)}".strip(),
        rows=rows,
        failed_items=tuple(doubt.symbol for doubt in doubtful),
        metadata={"backtest_id": backtest_id, **measured._asdict(), "unfilled": dict(outcome.unfilled)},
    )


def _days(lake: Lake, params: BacktestParams) -> list[date]:
    stored = lake.days("daily_bars")
    if not stored:
        raise TableMissing("The table daily_bars is empty; fill the lake: mystocks bootstrap")
    days = [day for day in stored if (params.start_date or day) <= day <= (params.end_date or day)]
    if not days:
        window = f"{params.start_date or stored[0]} to {params.end_date or stored[-1]}"
        raise InvalidParams(f"No stored trading day from {window}; bars are stored from {stored[0]} to {stored[-1]}.")
    return days


def _signals(lake: Lake, strategy: str, days: list[date]) -> pl.DataFrame:
    signals = lake.scan("signals", columns=["symbol", "date", "strategy", "side"]).filter(strategy=strategy).collect()
    if signals.is_empty():
        raise TableMissing(f"The table signals has no rows of {strategy}; run calc_strategy_signals for it.")
    return signals.filter(pl.col("date").is_between(days[0], days[-1])).drop("strategy")


def _events(lake: Lake, days: list[date]) -> pl.DataFrame:
    if not lake.exists("adjust_events"):
        return ADJUST_EVENTS.empty()
    return lake.read("adjust_events", start=days[0], end=days[-1])


def _backtest_id(params: BacktestParams, days: list[date]) -> str:
    """Return an id of strategy, window and parameters, stable across processes."""
    terms = params.model_dump(mode="json") | {"start_date": f"{days[0]}", "end_date": f"{days[-1]}"}
    return hashlib.sha256(json.dumps(terms, sort_keys=True).encode()).hexdigest()[:16]


def _store(
    lake: Lake, name: str, params: BacktestParams, outcome: BacktestResult, measured: Performance
) -> dict[str, int]:
    """Write the summary last, so that it never refers to a curve or trades that are not stored."""
    trades = _frame("backtest_trades", name, outcome.trades)
    equity = _frame("backtest_equity", name, outcome.balances)
    summary = {
        "backtest_id": name,
        "strategy": params.strategy_id,
        "start_date": outcome.balances[0].date,
        "end_date": outcome.balances[-1].date,
        "initial_capital": params.initial_capital,
        "final_equity": outcome.balances[-1].equity,
        **measured._asdict(),
        "trades": len(outcome.trades),
        "fees": round(sum(trade.fees for trade in outcome.trades), 2),
        "run_at": now(),
    }
    return {
        "backtest_trades": _replace(lake, "backtest_trades", name, trades),
        "backtest_equity": _replace(lake, "backtest_equity", name, equity),
        "backtests": lake.upsert("backtests", pl.DataFrame([summary], schema=BACKTESTS.dtypes, orient="row")),
    }


def _frame(table: str, name: str, rows: list[Any]) -> pl.DataFrame:
    records = [{"backtest_id": name, **row._asdict()} for row in rows]
    return pl.DataFrame(records, schema=TABLES[table].dtypes, orient="row")


def _replace(lake: Lake, table: str, name: str, rows: pl.DataFrame) -> int:
    """Replace the stored rows of the backtest `name` by `rows`."""
    if not lake.exists(table):
        return lake.replace_all(table, rows)
    stored = lake.read(table)
    # After bars were repaired, the earlier run may have more trades or days than this one.
    if stored.filter(backtest_id=name).join(rows, on=TABLES[table].key, how="anti").height:
        lake.replace_all(table, pl.concat([stored.filter(pl.col("backtest_id") != name), rows]))
        return rows.height
    return lake.upsert(table, rows)
