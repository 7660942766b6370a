"""Bring bars, stock list and statements from a source into the lake."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal

import polars as pl
from pydantic import Field, field_validator, model_validator

from mystocks_dagster.errors import InvalidParams, NotOffered, TaskFailed
from mystocks_dagster.lake.loads import complete_days, record_days
from mystocks_dagster.lake.prices import unknown_factors
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.symbols import normalise_all
from mystocks_dagster.sources.protocol import MarketSource, StatementTable
from mystocks_dagster.tasks.bars import ENOUGH, Loaded, latest_closed, load_bars, wanted_days
from mystocks_dagster.tasks.params import Day, SourceName, TaskParams
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares

ReportType = Literal["balance_sheet", "income_statement", "cash_flow"]
_STATEMENTS: dict[ReportType, StatementTable] = {
    "balance_sheet": "balance_sheets",
    "income_statement": "income_statements",
    "cash_flow": "cash_flows",
}


class DailySync(TaskParams):
    """What `sync_daily_stock_data` takes."""

    data_source: SourceName = Field(default=None, description="Where the data come from; empty means akshare.")
    include_basic: bool = Field(default=True, description="Refresh the stock list too, when the source has one.")
    include_kline: bool = Field(default=True, description="Load daily bars.")
    symbols: list[str] | None = Field(default=None, description="Symbols to load, in any spelling; empty means the whole market.")
    start_date: Day = Field(default=None, description="First day of a window to load; empty means what is not loaded yet.")
    end_date: Day = Field(default=None, description="Last day of that window.")
    force: bool = Field(default=False, description="Load days again that are complete already.")

    @field_validator("symbols")
    @classmethod
    def _spelt(cls, symbols: list[str] | None) -> list[str] | None:
        try:
            return normalise_all(symbols) if symbols else None
        except InvalidParams as error:
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _in_order(self) -> "DailySync":
        if self.start_date and self.end_date and self.start_date > self.end_date:
            raise ValueError(f"start_date {self.start_date} is after end_date {self.end_date}")
        return self


class BasicSync(TaskParams):
    """What `sync_basic_stock_info` takes."""

    data_source: SourceName = Field(default=None, description="Where the data come from; empty means akshare.")
    include_delisted: bool = Field(default=False, description="Ask for delisted stocks too.")
    force: bool = Field(default=False, description="Fetch again although today's list is stored.")


class StatementSync(TaskParams):
    """What `sync_financial_statements` takes."""

    data_source: SourceName = Field(default=None, description="Where the data come from; empty means akshare.")
    report_types: list[ReportType] = Field(default=list(_STATEMENTS), min_length=1, description="Statements to fetch.")
    periods: list[date] | None = Field(
        default=None, description="Quarter ends to fetch; empty means the last four at first, then from the one before the newest stored."
    )
    force: bool = Field(default=False, description="Fetch again although today's statements are stored.")

    @field_validator("periods")
    @classmethod
    def _quarters(cls, periods: list[date] | None) -> list[date] | None:
        for day in periods or []:
            if day != _quarter_end(day):
                raise ValueError(f"{day} is not the end of a quarter; {_quarter_end(day)} is")
        return sorted(set(periods)) if periods else None


@declares(writes=("daily_bars", "adjust_events"), also_writes=("stocks", "loaded_days"))
def sync_daily_stock_data(params: DailySync, run: TaskRun) -> TaskResult:
    """Load the bars of all trading days that are wanted and not complete yet, and derive the adjustment events.

    Days are stored as the source gives them, so a run that was stopped goes on where it was. A day that looks like a
    part of the market only is stored, listed, and asked for again by the next run.

    Raises:
        SourceError: The source failed; what came before is stored.
        LakeError: The lake cannot be written.
        OutsideCalendar: The window reaches beyond the published exchange calendar.
        TaskFailed: The stock list shrank so much that it cannot be right.
    """
    source = run.source(params.data_source)
    lake = run.lake(source.world)
    parts = []
    if params.include_kline:
        parts.append(_sync_bars(params, run, source, lake))
    if params.include_basic:
        parts.append(_sync_stocks(source, lake, include_delisted=False, force=params.force))
    return _joined(parts)


@declares(writes=("stocks",), also_writes=("loaded_days",))
def sync_basic_stock_info(params: BasicSync, run: TaskRun) -> TaskResult:
    """Fetch the stock list. Without `include_delisted`, delisted stocks that are stored already stay.

    Raises:
        SourceError: The source failed.
        LakeError: The lake cannot be written.
        TaskFailed: The list shrank so much that it cannot be right; the stored one is kept.
    """
    source = run.source(params.data_source)
    lake = run.lake(source.world)
    result = _sync_stocks(source, lake, include_delisted=params.include_delisted, force=params.force)
    if result.rows:
        record_days(
            lake, "stocks", {latest_closed(): result.rows["stocks"]}, source=source.name,
            incomplete=() if params.include_delisted else [latest_closed()],
        )  # fmt: skip
    return result
