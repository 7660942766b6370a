"""Technical indicators of the whole market, daily and weekly, on backward-adjusted prices."""

from collections.abc import Sequence
from typing import Literal, get_args

import polars as pl
from pydantic import Field, field_validator

from mystocks_dagster.errors import InvalidParams, LakeError
from mystocks_dagster.lake.prices import adjusted_bars, unknown_factors
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market import schemas
from mystocks_dagster.market.indicators import INDICATORS, Indicator, indicator_table
from mystocks_dagster.market.symbols import normalise_all
from mystocks_dagster.market.weekly import weekly_bars
from mystocks_dagster.tasks.changes import write_changes
from mystocks_dagster.tasks.params import TaskParams
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares

Period = Literal["daily", "weekly"]


class IndicatorParams(TaskParams):
    """What `calculate_technical_indicators` takes."""

    indicators: list[Indicator] = Field(
        default=list(INDICATORS), min_length=1, description="Which indicators; the stored columns of the others stay as they are."
    )
    periods: list[Period] = Field(default=list(get_args(Period)), min_length=1, description="Daily bars, weekly bars, or both.")
    symbols: list[str] | None = Field(default=None, description="Only these symbols, like 600519.SH; empty means all.")
    force: bool = Field(default=False, description="Write the tables anew even when nothing has changed.")

    @field_validator("symbols")
    @classmethod
    def _one_spelling(cls, symbols: list[str] | None) -> list[str] | None:
        try:
            return normalise_all(symbols) if symbols else None
        except InvalidParams as error:
            raise ValueError(str(error)) from None


@declares(writes=("indicators_daily", "indicators_weekly"), reads=("daily_bars", "adjust_events"))
def calculate_technical_indicators(params: IndicatorParams, run: TaskRun) -> TaskResult:
    """Calculate indicators over the whole stored history and write the days that differ from what is stored.

    Symbols without bars, and symbols with an ex-dividend ratio that is not known, are left out and listed; what is
    stored of them stays.

    Raises:
        TableMissing: There are no bars yet.
        LakeError: Every symbol had to be left out.
    """
    lake = run.lake()
    bars = _traded_bars(lake, params.symbols)
    left_out = _left_out(lake, params.symbols, bars)
    if bars.is_empty():
        raise LakeError(f"No symbol can be calculated; {_why(left_out)}.")
    run.logger.info("Calculating %s of %d symbols, %d bars", ", ".join(params.indicators), bars["symbol"].n_unique(), bars.height)
    rows: dict[str, int] = {}
    for done, period in enumerate(params.periods):
        run.report_progress(done, len(params.periods), f"{period} indicators")
        series = bars if period == "daily" else weekly_bars(bars)
        table = schemas.table(f"indicators_{period}")
        content = _content(lake, table, indicator_table(series, params.indicators), whole_market=not params.symbols and not left_out)
        rows[table.name] = write_changes(lake, table.name, content, force=params.force)
    run.report_progress(len(params.periods), len(params.periods), "stored")
    if left_out:
        return TaskResult(
            status="partial_success", message=_why(left_out), rows=rows, failed_items=left_out, retry_params={"symbols": list(left_out)}
        )
    if not any(rows.values()):
        return TaskResult(status="skipped", message=f"Already complete up to {bars['date'].max()}.")
    return TaskResult(message=f"{sum(rows.values())} rows of {bars['symbol'].n_unique()} symbols up to {bars['date'].max()}.", rows=rows)


def _traded_bars(lake: Lake, symbols: Sequence[str] | None) -> pl.DataFrame:
    """Return hfq bars of the days on which the symbol traded, without symbols that cannot be adjusted."""
    columns = ["symbol", "date", "open", "high", "low", "close", "suspended"]
    bars = adjusted_bars(lake, "hfq", symbols=symbols, columns=columns, unknown="leave_out")
    return bars.filter(~pl.col("suspended")).drop("suspended")


def _left_out(lake: Lake, symbols: Sequence[str] | None, bars: pl.DataFrame) -> tuple[str, ...]:
    missing = set(symbols or ()) - set(bars["symbol"].unique())
    return tuple(sorted(missing | set(unknown_factors(lake, symbols=symbols)["symbol"])))


def _why(left_out: tuple[str, ...]) -> str:
    named = ", ".join(left_out[:5]) + ("…" if len(left_out) > 5 else "")
    return (
        f"{len(left_out)} symbols have no bars, or an ex-dividend ratio that is not known because the trading day before "
        f"is not stored ({named}); load the missing days with daily_data_sync and run again"
    )


def _content(lake: Lake, table: schemas.Table, fresh: pl.DataFrame, *, whole_market: bool) -> pl.DataFrame:
    """Complete `fresh` to the whole content of the table: columns not asked for, and symbols not calculated, as stored."""
    absent = [column for column in table.columns if column.name not in fresh.columns]
    if not lake.exists(table.name):
        return fresh.with_columns(pl.lit(None, column.dtype).alias(column.name) for column in absent).select(*table.dtypes)
    if whole_market and not absent:
        return fresh
    stored = lake.read(table.name)
    kept = stored.select(*table.key, *(column.name for column in absent))
    complete = fresh.join(kept, on=table.key, how="left").select(*table.dtypes)
    if whole_market:
        return complete
    return pl.concat([complete, stored.join(fresh.select("symbol").unique(), on="symbol", how="anti")])
