"""Bring bars, stock list and statements from a source into the lake."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Literal

import polars as pl
from pydantic import Field, field_validator, model_validator

from mystocks_dagster.errors import InvalidParams, NotOffered
from mystocks_dagster.lake.doubts import describe, doubts
from mystocks_dagster.lake.events import derive_unknown
from mystocks_dagster.lake.loads import complete_days, forget_missing, lacking_days, record_days, was_loaded
from mystocks_dagster.lake.quarantine import keys_of, waits
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.symbols import normalise_all
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.sources.checked import set_aside
from mystocks_dagster.sources.protocol import MarketSource, StatementTable
from mystocks_dagster.tasks.bars import bars_result, load_bars
from mystocks_dagster.tasks.corporate_actions import ask_about_doubts, sync_actions
from mystocks_dagster.tasks.findings import nothing_sound, stored_result
from mystocks_dagster.tasks.merge_results import joined
from mystocks_dagster.tasks.param_types import Day, SourceName, TaskParams
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares
from mystocks_dagster.tasks.stock_list import refresh_stock_list, sync_stock_list
from mystocks_dagster.tasks.wanted_days import latest_closed, wanted_days
from mystocks_dagster.trading_calendar.refresh import RefreshResult, refresh_when_due

ReportType = Literal["balance_sheet", "income_statement", "cash_flow"]
_STATEMENTS: dict[ReportType, StatementTable] = {
    "balance_sheet": "balance_sheets",
    "income_statement": "income_statements",
    "cash_flow": "cash_flows",
}
_REPORTS = {table: report for report, table in _STATEMENTS.items()}


class DailySync(TaskParams):
    """What `sync_daily_stock_data` takes."""

    data_source: SourceName = None
    include_basic: bool = Field(default=True, description="Refresh the stock list too, when the source has one.")
    include_kline: bool = Field(default=True, description="Load daily bars.")
    symbols: list[str] | None = Field(
        default=None, description="Symbols to load, in any spelling; empty means the whole market."
    )
    start_date: Day = Field(
        default=None, description="First day of a window to load; empty means what is not loaded yet."
    )
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

    data_source: SourceName = None
    include_delisted: bool = Field(default=False, description="Ask for delisted stocks too.")
    force: bool = Field(default=False, description="Fetch again although today's list is stored.")


class ActionSync(TaskParams):
    """What `sync_corporate_actions` takes."""

    data_source: SourceName = None
    start_date: Day = Field(default=None, description="First ex-dividend day; empty means a year before the last.")
    end_date: Day = Field(default=None, description="Last ex-dividend day; empty means the latest closed day.")
    force: bool = Field(default=False, description="Fetch again although today's are stored.")

    @model_validator(mode="after")
    def _in_order(self) -> "ActionSync":
        if self.start_date and self.end_date and self.start_date > self.end_date:
            raise ValueError(f"start_date {self.start_date} is after end_date {self.end_date}")
        return self


class StatementSync(TaskParams):
    """What `sync_financial_statements` takes."""

    data_source: SourceName = None
    report_types: list[ReportType] = Field(default=list(_STATEMENTS), min_length=1, description="Statements to fetch.")
    periods: list[date] | None = Field(
        default=None,
        description="Quarter ends to fetch; empty means the last four at first, then from the one before the newest stored.",
    )
    force: bool = Field(default=False, description="Fetch again although today's statements are stored.")

    @field_validator("periods")
    @classmethod
    def _quarters(cls, periods: list[date] | None) -> list[date] | None:
        for day in periods or []:
            if day != _quarter_end(day):
                raise ValueError(f"{day} is not the end of a quarter; {_quarter_end(day)} is")
        return sorted(set(periods)) if periods else None


@declares(
    writes=("daily_bars", "adjust_events"), also_writes=("stocks", "corporate_actions", "loaded_days", "quarantine")
)
def sync_daily_stock_data(params: DailySync, run: TaskRun) -> TaskResult:
    """Load the bars of all trading days that are wanted and not complete yet, and derive the adjustment events.

    Days are stored as the source gives them, so a run that was stopped goes on where it was. A day that looks like a
    part of the market only is stored, listed, and asked for again by the next run. Adjustment events that are unknown
    are derived again each time, and the source is asked for corporate actions that explain them. Rows that break a rule
    of the table, or contradict the day before, are set aside in the table `quarantine`; a day of which many do is
    refused.

    Raises:
        SourceError: The source failed; what came before is stored.
        LakeError: The lake cannot be written.
        OutsideCalendar: The window reaches beyond the published exchange calendar.
        TaskFailed: The stock list shrank so much that it cannot be right.
    """
    source, lake = _opened(params.data_source, run)
    refreshed = refresh_when_due(source, run.settings)
    parts = []
    if params.include_kline:
        parts.append(_or_skipped(lambda: _sync_bars(params, run, source, lake)))
    if params.include_basic:
        parts.append(_or_skipped(lambda: refresh_stock_list(source, lake, latest_closed(source), force=params.force)))
    return _with_calendar(joined(parts), refreshed, run)


def _with_calendar(result: TaskResult, refreshed: RefreshResult | None, run: TaskRun) -> TaskResult:
    """Return the result with what came of refreshing the trading calendar, where that is something to know."""
    if refreshed is None:
        return result
    if refreshed.error:
        run.logger.warning("The trading calendar was not refreshed: %s", refreshed.message)
    told = {"trading_calendar": refreshed.message}
    said = f"{result.message} {refreshed.message}".strip() if refreshed.changed else result.message
    return replace(result, message=said, metadata={**result.metadata, **told})


@declares(writes=("corporate_actions",), also_writes=("adjust_events", "loaded_days", "quarantine"))
def sync_corporate_actions(params: ActionSync, run: TaskRun) -> TaskResult:
    """Fetch dividends, bonus shares and rights, once a trading day, and derive the adjustment ratios that they explain.

    Raises:
        SourceError: The source failed.
        LakeError: The lake cannot be written.
    """
    source, lake = _opened(params.data_source, run)
    window = {"start": params.start_date, "end": params.end_date}
    return _or_skipped(lambda: sync_actions(source, lake, latest_closed(source), **window, force=params.force))


@declares(writes=("stocks",), also_writes=("loaded_days", "quarantine"))
def sync_basic_stock_info(params: BasicSync, run: TaskRun) -> TaskResult:
    """Fetch the stock list, once a trading day. Without `include_delisted`, delisted stocks that are stored already stay.

    Raises:
        SourceError: The source failed.
        LakeError: The lake cannot be written.
        TaskFailed: The list shrank so much that it cannot be right; the stored one is kept.
    """
    source, lake = _opened(params.data_source, run)
    return _or_skipped(
        lambda: sync_stock_list(
            source, lake, latest_closed(source), include_delisted=params.include_delisted, force=params.force
        )
    )


@declares(writes=tuple(_STATEMENTS.values()), also_writes=("loaded_days", "quarantine"))
def sync_financial_statements(params: StatementSync, run: TaskRun) -> TaskResult:
    """Fetch the statements of the latest quarters, once a trading day; corrections replace what was stored.

    Raises:
        SourceError: The source failed; the statements before are stored.
        LakeError: The lake cannot be written.
    """
    source, lake = _opened(params.data_source, run)
    parts = []
    for done, report in enumerate(dict.fromkeys(params.report_types)):
        run.report_progress(done, len(params.report_types), _STATEMENTS[report])
        parts.append(_or_skipped(lambda table=_STATEMENTS[report]: _sync_statement(table, params, source, lake)))
    return joined(parts)


def _opened(named: str | None, run: TaskRun) -> tuple[MarketSource, Lake]:
    source = run.source(named)
    lake = run.lake(source.world)
    lake.check_world()
    forget_missing(lake)
    return source, lake


def _sync_bars(params: DailySync, run: TaskRun, source: MarketSource, lake: Lake) -> TaskResult:
    settled = derive_unknown(lake)
    wanted = wanted_days(source, asked=run.days, start=params.start_date, end=params.end_date)
    complete = set() if params.force else set(complete_days(lake, "daily_bars"))
    days = _open_days(wanted.days, complete, lacking_days(lake, "daily_bars"))
    if not days:
        reason = (
            f"all {len(wanted.days)} trading days are complete" if wanted.days else "there is no trading day to load"
        )
        return _nothing_loaded(f"Bars: {reason}.", wanted.note, settled, source, lake, run)
    run.logger.info(
        "Loading bars of %d trading days from %s to %s out of %s", len(days), days[0], days[-1], source.name
    )
    loaded = load_bars(source, lake, days, params.symbols, run)
    asked = ask_about_doubts(source, lake, latest_closed(source), run)
    loaded.events += settled + asked.settled
    return asked.told(bars_result(loaded, days, params.symbols, source, lake, wanted=wanted), lake, source.name)


def _open_days(wanted: Sequence[date], complete: Collection[date], lacking: Collection[date]) -> list[date]:
    """Return the days that are not complete, and those after them whose rows were set aside without the day before."""
    to_judge_again = {day for before, day in pairwise(wanted) if day in lacking and before not in complete}
    return [day for day in wanted if day not in complete or day in to_judge_again]


def _nothing_loaded(
    message: str, note: str, settled: int, source: MarketSource, lake: Lake, run: TaskRun
) -> TaskResult:
    """Say that no bar was loaded; ratios may have become known all the same."""
    asked = ask_about_doubts(source, lake, latest_closed(source), run)
    settled += asked.settled
    known = f"{settled:,} adjustment ratios became known." if settled else ""
    told = " ".join(filter(None, [message, note, known, describe(doubts(lake))]))
    result = TaskResult(
        status="success" if settled else "skipped",
        message=told,
        rows={"adjust_events": settled} if settled else {},
    )
    return asked.told(result, lake, source.name)


def _sync_statement(table: StatementTable, params: StatementSync, source: MarketSource, lake: Lake) -> TaskResult:
    day = latest_closed(source)
    if not params.force and params.periods is None and was_loaded(lake, table, day):
        return TaskResult(status="skipped", message=f"{table}: fetched for {day} already.")
    periods = params.periods or _open_periods(lake, table, day)
    frame, found = source.statements(table, periods), set_aside(source, table)
    if frame.is_empty() and found.faults:
        raise nothing_sound(table, found, source.name)
    rows = lake.upsert(table, frame)
    if not rows:
        message = f"{table}: {source.name} has none of {periods[0]} to {periods[-1]}."
        return TaskResult(status="partial_success", message=message, failed_items=(table,))
    if params.periods is None:
        record_days(lake, table, {day: rows}, source=source.name)
    result = TaskResult(message=f"{table}: {rows:,} of {periods[0]} to {periods[-1]}.", rows={table: rows})
    keys = keys_of(frame, TABLES[table].key) if waits(lake, table) else ()
    return stored_result(
        result, lake, table, found, keys, source.name, {"report_types": [_REPORTS[table]], "force": True}
    )


def _open_periods(lake: Lake, table: str, day: date) -> list[date]:
    """Return the quarter ends to ask for: the last four, or from the one before the newest stored on.

    The one before, because an annual report may come out as late as the first quarter's after it.
    """
    stored = lake.days(table)
    first = _quarter_end(stored[-1] - timedelta(days=100)) if stored else _quarter_end(day - timedelta(days=366))
    ends = pl.date_range(first, day, interval="1q", eager=True).dt.month_end().to_list()
    return [end for end in ends if end <= day]


def _quarter_end(day: date) -> date:
    return pl.Series([day]).dt.truncate("1q").dt.offset_by("3mo").dt.offset_by("-1d").item()


def _or_skipped(work: Callable[[], TaskResult]) -> TaskResult:
    try:
        return work()
    except NotOffered as error:
        return TaskResult(status="skipped", message=str(error))
