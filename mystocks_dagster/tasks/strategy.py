"""Signals of the built-in strategies, out of the daily indicators."""

import polars as pl
from pydantic import Field

from mystocks_dagster.errors import TableMissing
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.signals import STRATEGIES, StrategyName, needed_columns, strategy_signals
from mystocks_dagster.tasks.changes import write_changes
from mystocks_dagster.tasks.params import TaskParams
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares


class SignalParams(TaskParams):
    """What `calculate_strategy_signals` takes."""

    strategies: list[StrategyName] = Field(
        default=list(STRATEGIES), min_length=1, description="Strategies to ask; the stored signals of the others stay."
    )
    force: bool = Field(default=False, description="Write the table anew even when no signal has changed.")


@declares(writes=("signals",), reads=("indicators_daily", "daily_bars"))
def calculate_strategy_signals(params: SignalParams, run: TaskRun) -> TaskResult:
    """Ask the strategies about every stored day: one row per symbol, day, strategy and side.

    A signal uses bars up to its own day and is known after that day's close.

    Raises:
        TableMissing: The indicators that a strategy reads have not been calculated yet.
    """
    lake = run.lake()
    signals = strategy_signals(_indicators(lake, params.strategies), params.strategies)
    # Only a stored bar has a raw close; indicators of a bar that was taken away since say nothing any more.
    signals = signals.join(lake.read("daily_bars", columns=["symbol", "date", "close"]), on=["symbol", "date"])
    if lake.exists("signals"):
        others = lake.scan("signals").filter(~pl.col("strategy").is_in(params.strategies)).collect()
        content = pl.concat([others, signals.select(others.columns)])
    else:
        content = signals
    rows = write_changes(lake, "signals", content, force=params.force)
    found = {name: signals.filter(strategy=name).height for name in params.strategies}
    run.logger.info("Signals found: %s", ", ".join(f"{name} {count}" for name, count in found.items()))
    if not rows and not params.force:
        return TaskResult(status="skipped", message=f"No signal has changed; {content.height} are stored.", metadata={"signals": found})
    return TaskResult(message=f"{signals.height} signals of {len(found)} strategies.", rows={"signals": rows}, metadata={"signals": found})


def _indicators(lake: Lake, strategies: list[StrategyName]) -> pl.DataFrame:
    columns = needed_columns(strategies)
    table = lake.read("indicators_daily", columns=["symbol", "date", "close_hfq", *columns])
    if empty := [name for name in columns if table[name].null_count() == table.height]:
        raise TableMissing(
            f"indicators_daily holds no {', '.join(empty)}, which {', '.join(strategies)} needs; "
            "run calc_technical_indicators with that indicator."
        )
    return table
