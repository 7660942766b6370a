"""Signals of the built-in strategies, from the daily indicators."""

from collections.abc import Sequence
from datetime import date

import polars as pl
from pydantic import Field

from mystocks_dagster.errors import TableMissing
from mystocks_dagster.lake.delta import translate_errors
from mystocks_dagster.lake.doubts import describe_doubts, find_doubts
from mystocks_dagster.lake.identity import identity_inputs
from mystocks_dagster.lake.sorting import collect_sorted
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import BEGINNING, stale_since, versions, watermarks
from mystocks_dagster.market import signals
from mystocks_dagster.market.signals import STRATEGIES, StrategyName, needed_columns, strategy_signals
from mystocks_dagster.market.tables.research import SIGNALS
from mystocks_dagster.tags import State
from mystocks_dagster.tasks.changes import write_changes
from mystocks_dagster.tasks.param_types import TaskParams
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares, tables_of


class SignalParams(TaskParams):
    """Parameters of `calculate_strategy_signals`."""

    strategies: list[StrategyName] = Field(
        default=list(STRATEGIES),
        min_length=1,
        description="Strategies to run; the stored signals of the others do not change.",
    )
    force: bool = Field(default=False, description="Rewrite the table even when no signal has changed.")


@declares(writes=("signals",), reads=("indicators_daily", "daily_bars"), formulas=(signals,))
def calculate_strategy_signals(params: SignalParams, run: TaskRun) -> TaskResult:
    """Run the strategies on all new or changed days and store one row per symbol, day, strategy and side.

    A signal uses bars up to its own day and is known after that day's close. A symbol with an unknown adjustment ratio
    has indicators, and thus signals, up to the day before; it is listed in the result.

    Raises:
        TableMissing: Indicators that a strategy needs have not been calculated yet.
    """
    lake = run.lake()
    inputs = versions(lake, ("indicators_daily", "daily_bars", *identity_inputs(lake)))
    version = tables_of(calculate_strategy_signals).code_version
    work = [f"{name} {version}" for name in params.strategies]
    since = BEGINNING if params.force else stale_since(lake, "signals", work, inputs)
    rows = 0
    if since:
        computed = strategy_signals(_indicators(lake, params.strategies), params.strategies, since)
        fresh = _with_raw_close(lake, computed, since)
        content = _completed(lake, fresh, params.strategies, since)
        seen = watermarks(work, inputs)
        rows = write_changes(lake, "signals", content, since=since, watermarks=seen, force=params.force)
    stored = dict(lake.scan("signals").group_by("strategy").len().collect().iter_rows())
    counts = {name: stored.get(name, 0) for name in params.strategies}
    run.logger.info("Signals stored: %s", ", ".join(f"{name} {count}" for name, count in counts.items()))
    doubtful = find_doubts(lake)
    total = f"{sum(counts.values())} signals of {len(counts)} strategies are stored"
    idle = not rows and not params.force
    message = f"No signal has changed; {total}." if idle else f"{total}; {rows} rows were written."
    status = State.SKIPPED if idle else State.SUCCESS
    return TaskResult(
        status=State.PARTIAL_SUCCESS if doubtful else status,
        message=" ".join(filter(None, [message, describe_doubts(doubtful)])),
        rows={} if idle else {"signals": rows},
        failed_items=tuple(doubt.symbol for doubt in doubtful),
        metadata={"signals": counts},
    )


def _indicators(lake: Lake, strategies: list[StrategyName]) -> pl.DataFrame:
    """Return the daily indicators that the strategies need, sorted by symbol (an `Enum`) and date."""
    columns = needed_columns(strategies)
    stored = lake.scan("indicators_daily", columns=["symbol", "date", "close_hfq", *columns])
    table = collect_sorted(stored, lake.location)
    if empty := [name for name in columns if table[name].null_count() == table.height]:
        raise TableMissing(
            f"indicators_daily has no values of {', '.join(empty)}, which {', '.join(strategies)} needs; "
            "run calc_technical_indicators with that indicator."
        )
    return table


def _with_raw_close(lake: Lake, signals: pl.DataFrame, since: date) -> pl.DataFrame:
    """Add the raw close; signals of a bar that was removed since the indicators were calculated are dropped."""
    bars = lake.scan("daily_bars", columns=["symbol", "date", "close"], start=since)
    keyed = signals.with_columns(pl.col("symbol").cast(pl.String)).lazy()
    with translate_errors(lake.location):
        return keyed.join(bars, on=["symbol", "date"], maintain_order="left").collect()


def _completed(lake: Lake, fresh: pl.DataFrame, strategies: Sequence[StrategyName], since: date) -> pl.DataFrame:
    """Add the stored signals of the other strategies."""
    fresh = SIGNALS.complete(fresh)
    if not lake.exists("signals"):
        return fresh
    others = lake.scan("signals", start=since).filter(~pl.col("strategy").is_in(strategies)).collect()
    return pl.concat([fresh, others.select(fresh.columns)])
