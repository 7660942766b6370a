"""Technical indicators of the whole market, daily and weekly, on backward-adjusted prices."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Literal, get_args

import polars as pl
from pydantic import Field

from mystocks_dagster.errors import LakeError
from mystocks_dagster.lake.doubts import Doubt, describe_doubts, find_doubts
from mystocks_dagster.lake.events import derive_unknown
from mystocks_dagster.lake.identity import identity_inputs
from mystocks_dagster.lake.prices import before_unknown
from mystocks_dagster.lake.sorting import collect_sorted
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import BEGINNING, Version, stale_since, versions, watermarks
from mystocks_dagster.market import adjust, indicators, weekly
from mystocks_dagster.market.indicators import INDICATORS, Indicator, blocks, indicator_table
from mystocks_dagster.market.table import Table
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.weekly import weekly_bars
from mystocks_dagster.tasks.changes import write_changes
from mystocks_dagster.tasks.param_types import Symbols, TaskParams
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares, tables_of

Period = Literal["daily", "weekly"]


class IndicatorParams(TaskParams):
    """Parameters of `calculate_technical_indicators`."""

    indicators: list[Indicator] = Field(
        default=list(INDICATORS),
        min_length=1,
        description="Indicators to calculate; the stored columns of the others do not change.",
    )
    periods: list[Period] = Field(
        default=list(get_args(Period)), min_length=1, description="Daily bars, weekly bars, or both."
    )
    symbols: Symbols = Field(default=None, description="Only these symbols, like 600519.SH; empty means all.")
    force: bool = Field(default=False, description="Rewrite the tables even when nothing has changed.")


@declares(
    writes=("indicators_daily", "indicators_weekly"),
    also_writes=("adjust_events",),
    reads=("daily_bars", "adjust_events"),
    formulas=(adjust, indicators, weekly),
)
def calculate_technical_indicators(params: IndicatorParams, run: TaskRun) -> TaskResult:
    """Calculate indicators from the whole stored history and write the days that differ from the stored ones.

    When neither bars nor events have changed since the last calculation, nothing is computed. A symbol with an unknown
    adjustment ratio is calculated up to the day before and listed in the result, as is a symbol without bars. Ratios
    that have become known since are derived first.

    Raises:
        TableMissing: There are no bars yet.
        LakeError: None of the symbols has bars.
    """
    lake = run.lake()
    derive_unknown(lake)
    inputs = versions(lake, ("daily_bars", "adjust_events", *identity_inputs(lake)))
    doubtful = find_doubts(lake, symbols=params.symbols)
    version = tables_of(calculate_technical_indicators).code_version
    work = [f"{name} {version}" for name in params.indicators]
    stale = _stale_periods(lake, params, work, inputs)
    if not stale:
        return _result({}, doubtful, (), f"Already complete up to {_last_day(lake, params.periods)}.")
    bars = _traded_bars(lake, params.symbols)
    symbols = bars["symbol"].unique().cast(pl.String).to_list()
    without = sorted({*(params.symbols or ())} - set(symbols))
    if not symbols:
        raise LakeError(f"No symbol can be calculated: {_without_bars(without)}")
    run.logger.info("Calculating %s of %d symbols, %d bars", ", ".join(params.indicators), len(symbols), bars.height)
    rows: dict[str, int] = {}
    for done, (period, since) in enumerate(stale.items()):
        run.report_progress(done, len(stale), f"{period} indicators")
        table = TABLES[f"indicators_{period}"]
        fresh = _calculated(bars, period, params.indicators, since)
        content = _completed(lake, table, fresh, since, others_than=symbols if params.symbols else None)
        del fresh
        seen = {} if params.symbols else watermarks(work, inputs)
        rows[table.name] = write_changes(lake, table.name, content, since=since, watermarks=seen, force=params.force)
    run.report_progress(len(stale), len(stale), "stored")
    if not any(rows.values()):
        return _result({}, doubtful, without, f"Already complete up to {bars['date'].max()}.")
    return _result(
        rows, doubtful, without, f"{sum(rows.values())} rows of {len(symbols)} symbols up to {bars['date'].max()}."
    )


def _stale_periods(
    lake: Lake, params: IndicatorParams, work: Sequence[str], inputs: Sequence[Version]
) -> dict[Period, date]:
    """Return the periods to calculate, and the first day from which each may have changed."""
    if params.symbols or params.force:
        return dict.fromkeys(params.periods, BEGINNING)
    changed_since = {period: stale_since(lake, f"indicators_{period}", work, inputs) for period in params.periods}
    # A changed bar changes its week, whose stored row may have an earlier date.
    if weekly := changed_since.get("weekly"):
        changed_since["weekly"] = weekly - timedelta(days=weekly.weekday())
    return {period: since for period, since in changed_since.items() if since}


def _last_day(lake: Lake, periods: Sequence[Period]) -> date:
    return max(lake.days(f"indicators_{period}")[-1] for period in periods)


def _traded_bars(lake: Lake, symbols: Sequence[str] | None) -> pl.DataFrame:
    """Return hfq bars of the days on which a symbol traded, up to an unknown ratio, sorted by symbol and date."""
    stored = lake.scan("daily_bars", columns=["symbol", "date", "high", "low", "close", "suspended"], symbols=symbols)
    bars = collect_sorted(before_unknown(lake, stored.filter(~pl.col("suspended")).drop("suspended")), lake.location)
    return adjust.adjust(bars, lake.read("adjust_events", symbols=symbols)).drop("factor")


def _calculated(bars: pl.DataFrame, period: Period, names: Sequence[Indicator], since: date) -> pl.DataFrame:
    """Compute the rows from the day `since` on, in blocks, so that only these rows of the market are in memory."""
    tables = []
    for block in blocks(bars):
        table = indicator_table(block if period == "daily" else weekly_bars(block), names)
        tables.append(table.filter(pl.col("date") >= since).with_columns(pl.col("symbol").cast(pl.String)))
    return pl.concat(tables, rechunk=False)


def _completed(
    lake: Lake, table: Table, fresh: pl.DataFrame, since: date, *, others_than: Sequence[str] | None
) -> pl.DataFrame:
    """Add stored values to `fresh`, for the whole content of the table from the day `since` on.

    Columns that were not calculated keep their stored values, and so do the rows of all symbols except `others_than`;
    None means that no other rows are kept.
    """
    absent = [column for column in table.columns if column.name not in fresh.columns]
    if not lake.exists(table.name):
        nulls = [pl.lit(None, column.dtype).alias(column.name) for column in absent]
        return fresh.with_columns(nulls).select(*table.dtypes)
    if absent:
        kept = lake.read(table.name, columns=[*table.key, *(column.name for column in absent)], start=since)
        fresh = fresh.join(kept, on=table.key, how="left", maintain_order="left").select(*table.dtypes)
    if others_than is None:
        return fresh
    others = lake.scan(table.name, start=since).filter(~pl.col("symbol").is_in(others_than)).collect()
    return pl.concat([fresh, others])


def _result(rows: Mapping[str, int], doubtful: Sequence[Doubt], without: Sequence[str], message: str) -> TaskResult:
    failed = (*(doubt.symbol for doubt in doubtful), *without)
    if failed:
        text = " ".join(filter(None, [message, describe_doubts(doubtful), _without_bars(without)]))
        retry = {"symbols": list(failed)}
        return TaskResult(status="partial_success", message=text, rows=rows, failed_items=failed, retry_params=retry)
    return TaskResult(status="success" if rows else "skipped", message=message, rows=rows)


def _without_bars(symbols: Sequence[str]) -> str:
    if not symbols:
        return ""
    names = ", ".join(symbols[:5]) + ("…" if len(symbols) > 5 else "")
    return f"{len(symbols)} symbols have no bars ({names}); load them with daily_data_sync and run again."
