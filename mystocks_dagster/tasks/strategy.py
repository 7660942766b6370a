"""Signals of the built-in strategies, out of the daily indicators."""

from collections.abc import Sequence
from datetime import date

import polars as pl
from pydantic import Field

from mystocks_dagster.errors import TableMissing
from mystocks_dagster.lake.delta import explained
from mystocks_dagster.lake.doubts import describe, doubts
from mystocks_dagster.lake.order import in_order
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import EVER, marks, stale_since, versions
from mystocks_dagster.market import signals
from mystocks_dagster.market.signals import STRATEGIES, StrategyName, needed_columns, strategy_signals
from mystocks_dagster.tasks.changes import write_changes
from mystocks_dagster.tasks.param_types import TaskParams
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares, tables_of


class SignalParams(TaskParams):
    """What `calculate_strategy_signals` takes."""

    strategies: list[StrategyName] = Field(
        default=list(STRATEGIES), min_length=1, description="Strategies to ask; the stored signals of the others stay."
    )
    force: bool = Field(default=False, description="Write the table anew even when no signal has changed.")


@declares(writes=("signals",), reads=("indicators_daily", "daily_bars"), formulas=(signals,))
def calculate_strategy_signals(params: SignalParams, run: TaskRun) -> TaskResult:
    """Ask the strategies about every day that is new or has changed: one row per symbol, day, strategy and side.

    A signal uses bars up to its own day and is known after that day's close. A symbol with an ex-dividend ratio that is
    not known has indicators, and thus signals, up to the day before; it is listed.

    Raises:
        TableMissing: The indicators that a strategy reads have not been calculated yet.
    """
    lake = run.lake()
    inputs = versions(lake, ("indicators_daily", "daily_bars"))
    version = tables_of(calculate_strategy_signals).code_version
    work = [f"{name} {version}" for name in params.strategies]
    since = EVER if params.force else stale_since(lake, "signals", work, inputs)
    rows = 0
    if since:
        found = _with_raw_close(
            lake, strategy_signals(_indicators(lake, params.strategies), params.strategies, since), since
        )
        content = _completed(lake, found, params.strategies, since)
        rows = write_changes(lake, "signals", content, since=since, marks=marks(work, inputs), force=params.force)
    stored = dict(lake.scan("signals").group_by("strategy").len().collect().iter_rows())
    counts = {name: stored.get(name, 0) for name in params.strategies}
    run.logger.info("Signals stored: %s", ", ".join(f"{name} {count}" for name, count in counts.items()))
    doubtful = doubts(lake)
    held = f"{sum(counts.values())} signals of {len(counts)} strategies are stored"
    idle = not rows and not params.force
    message = f"No signal has changed; {held}." if idle else f"{held}; {rows} rows were written."
    return TaskResult(
        status="partial_success" if doubtful else "skipped" if idle else "success",
        message=" ".join(filter(None, [message, describe(doubtful)])),
        rows={} if idle else {"signals": rows},
        failed_items=tuple(doubt.symbol for doubt in doubtful),
        metadata={"signals": counts},
    )


def _indicators(lake: Lake, strategies: list[StrategyName]) -> pl.DataFrame:
    """Return the daily indicators that the strategies read, in order of symbol (as an `Enum`) and date."""
    columns = needed_columns(strategies)
    stored = lake.scan("indicators_daily", columns=["symbol", "date", "close_hfq", *columns])
    table = in_order(stored, lake.location)
    if empty := [name for name in columns if table[name].null_count() == table.height]:
        raise TableMissing(
            f"indicators_daily holds no {', '.join(empty)}, which {', '.join(strategies)} needs; "
            "run calc_technical_indicators with that indicator."
        )
    return table


def _with_raw_close(lake: Lake, found: pl.DataFrame, since: date) -> pl.DataFrame:
    """Add the raw close; indicators of a bar that was taken away since then say nothing any more."""
    bars = lake.scan("daily_bars", columns=["symbol", "date", "close"], start=since)
    keyed = found.with_columns(pl.col("symbol").cast(pl.String)).lazy()
    with explained(lake.location):
        return keyed.join(bars, on=["symbol", "date"], maintain_order="left").collect()


def _completed(lake: Lake, found: pl.DataFrame, strategies: Sequence[StrategyName], since: date) -> pl.DataFrame:
    """Add the stored signals of the other strategies."""
    if not lake.exists("signals"):
        return found
    others = lake.scan("signals", start=since).filter(~pl.col("strategy").is_in(strategies)).collect()
    return pl.concat([found.select(others.columns), others])
