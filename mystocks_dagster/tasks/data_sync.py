"""Sync daily bars, stock list, corporate actions and financial statements from a source into the lake."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Literal

from pydantic import Field, field_validator

from mystocks_dagster.errors import NotOffered
from mystocks_dagster.lake.action_check import check_actions
from mystocks_dagster.lake.doubts import describe_doubts, find_doubts
from mystocks_dagster.lake.events import derive_unknown
from mystocks_dagster.lake.loads import complete_days, forget_missing, lacking_days, record_days, was_loaded
from mystocks_dagster.lake.previous_closes import fill_previous_closes
from mystocks_dagster.lake.quarantine import has_quarantined_rows, keys_of
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.versions import upsert_versions
from mystocks_dagster.market import clock
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.sources.chain import first_of
from mystocks_dagster.sources.checked import take_findings
from mystocks_dagster.sources.protocol import MarketSource, StatementTable
from mystocks_dagster.tasks.bars_chain import first_day, load_from_members
from mystocks_dagster.tasks.bars_result import bars_result
from mystocks_dagster.tasks.corporate_actions import (
    describe_differences,
    fetch_actions_from_first,
    sync_actions_with_witness,
)
from mystocks_dagster.tasks.findings import no_valid_rows, stored_result
from mystocks_dagster.tasks.merge_results import merge_results
from mystocks_dagster.tasks.param_types import Day, SourceName, Symbols, TaskParams, WindowParams
from mystocks_dagster.tasks.parts import add_deliveries
from mystocks_dagster.tasks.report_periods import check_periods, open_periods
from mystocks_dagster.tasks.requested_days import latest_closed, requested_days
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares
from mystocks_dagster.tasks.stock_list import refresh_stock_list, sync_stock_list
from mystocks_dagster.trading_calendar.refresh import RefreshResult, refresh_when_due

ReportType = Literal["balance_sheet", "income_statement", "cash_flow"]
_STATEMENTS: dict[ReportType, StatementTable] = {
    "balance_sheet": "balance_sheets",
    "income_statement": "income_statements",
    "cash_flow": "cash_flows",
}
_REPORTS = {table: report for report, table in _STATEMENTS.items()}


class DailySync(WindowParams):
    """Parameters of `sync_daily_stock_data`."""

    data_source: SourceName = None
    include_basic: bool = Field(default=True, description="Refresh the stock list too, when the source has one.")
    include_kline: bool = Field(default=True, description="Load daily bars.")
    symbols: Symbols = Field(
        default=None, description="Symbols to load, in any common notation; empty means the whole market."
    )
    start_date: Day = Field(
        default=None, description="First day of a window to load; empty means all days that are not loaded yet."
    )
    end_date: Day = Field(default=None, description="Last day of that window.")
    force: bool = Field(default=False, description="Also load days that are already complete.")


class BasicSync(TaskParams):
    """Parameters of `sync_basic_stock_info`."""

    data_source: SourceName = None
    include_delisted: bool = Field(default=False, description="Fetch delisted stocks too.")
    force: bool = Field(default=False, description="Fetch again even when today's list is stored.")


class ActionSync(WindowParams):
    """Parameters of `sync_corporate_actions`."""

    data_source: SourceName = None
    start_date: Day = Field(default=None, description="First ex-dividend day; empty means a year before the last.")
    end_date: Day = Field(default=None, description="Last ex-dividend day; empty means the latest closed day.")
    force: bool = Field(default=False, description="Fetch again even when today's actions are stored.")


class StatementSync(TaskParams):
    """Parameters of `sync_financial_statements`."""

    data_source: SourceName = None
    report_types: list[ReportType] = Field(default=list(_STATEMENTS), min_length=1, description="Statements to fetch.")
    periods: list[date] | None = Field(
        default=None,
        description="Quarter ends to fetch; empty means the last four at first, later from the one before the newest "
        "stored.",
    )
    force: bool = Field(default=False, description="Fetch again even when today's statements are stored.")

    @field_validator("periods")
    @classmethod
    def _quarters(cls, periods: list[date] | None) -> list[date] | None:
        return check_periods(periods)


@declares(
    writes=("daily_bars", "adjust_events"),
    also_writes=(
        *("stocks", "stock_names", "code_changes", "corporate_actions", "action_differences", "daily_valuation"),
        *("loaded_days", "quarantine"),
    ),
)
def sync_daily_stock_data(params: DailySync, run: TaskRun) -> TaskResult:
    """Load the bars of all requested trading days that are not complete yet, and derive the adjustment events.

    Days are stored as they arrive, so that the next run continues after a stopped one. An incomplete day is stored,
    listed in the result, and loaded again by the next run. Unknown adjustment events are derived again each time, and
    corporate actions that explain them are fetched. Rows that break a rule of the table, or contradict the day before,
    are set aside in the table `quarantine`; a day with many such rows is refused.

    Raises:
        SourceError: The source failed; the days before are stored.
        LakeError: The lake cannot be written.
        OutsideCalendar: The window reaches beyond the published trading calendar.
        TaskFailed: The stock list is truncated; the stored one is kept.
    """
    source, lake = _open_source_and_lake(params.data_source, run)
    refreshed = refresh_when_due(source, run.settings)
    parts = []
    if params.include_kline:
        parts.append(_skip_if_not_offered(lambda: _sync_bars(params, run, source, lake)))
    if params.include_basic:
        parts.append(_skip_if_not_offered(lambda: _refresh_stocks(params, source, lake)))
    return add_deliveries(_with_calendar(merge_results(parts), refreshed, run), source)


def _refresh_stocks(params: DailySync, source: MarketSource, lake: Lake) -> TaskResult:
    day = latest_closed(source)
    return first_of(source, "stocks", lambda member: refresh_stock_list(member, lake, day, force=params.force))


def _with_calendar(result: TaskResult, refreshed: RefreshResult | None, run: TaskRun) -> TaskResult:
    """Return the result with the outcome of refreshing the trading calendar."""
    if refreshed is None:
        return result
    if refreshed.error:
        run.logger.warning("The trading calendar was not refreshed: %s", refreshed.message)
    metadata = {"trading_calendar": refreshed.message}
    message = f"{result.message} {refreshed.message}".strip() if refreshed.changed else result.message
    return replace(result, message=message, metadata={**result.metadata, **metadata})


@declares(
    writes=("corporate_actions", "action_differences"), also_writes=("adjust_events", "loaded_days", "quarantine")
)
def sync_corporate_actions(params: ActionSync, run: TaskRun) -> TaskResult:
    """Fetch dividends, bonus shares and rights issues once per trading day, and derive the ratios that they explain.

    Of several sources the first that answers gives them, and the next one is their witness.

    Raises:
        SourceError: The source failed.
        LakeError: The lake cannot be written.
    """
    source, lake = _open_source_and_lake(params.data_source, run)
    window = {"start": params.start_date, "end": params.end_date}
    day = latest_closed(source)
    result = _skip_if_not_offered(lambda: sync_actions_with_witness(source, lake, day, **window, force=params.force))
    return add_deliveries(result, source)


@declares(writes=("stocks",), also_writes=("stock_names", "loaded_days", "quarantine"))
def sync_basic_stock_info(params: BasicSync, run: TaskRun) -> TaskResult:
    """Fetch the stock list once per trading day. Without `include_delisted`, stored delisted stocks are kept.

    Raises:
        SourceError: The source failed.
        LakeError: The lake cannot be written.
        TaskFailed: The list is truncated; the stored one is kept.
    """
    source, lake = _open_source_and_lake(params.data_source, run)
    day, options = latest_closed(source), {"include_delisted": params.include_delisted, "force": params.force}

    def sync(member: MarketSource) -> TaskResult:
        return sync_stock_list(member, lake, day, **options)

    return add_deliveries(_skip_if_not_offered(lambda: first_of(source, "stocks", sync)), source)


@declares(writes=tuple(_STATEMENTS.values()), also_writes=("loaded_days", "quarantine"))
def sync_financial_statements(params: StatementSync, run: TaskRun) -> TaskResult:
    """Fetch the statements of the latest quarters once per trading day; corrections are stored as further versions.

    Raises:
        SourceError: The source failed; the statements before are stored.
        LakeError: The lake cannot be written.
    """
    source, lake = _open_source_and_lake(params.data_source, run)
    parts = []
    for done, report in enumerate(dict.fromkeys(params.report_types)):
        table = _STATEMENTS[report]
        run.report_progress(done, len(params.report_types), table)
        parts.append(_skip_if_not_offered(lambda table=table: _sync_from_first(table, params, source, lake)))
    return add_deliveries(merge_results(parts), source)


def _sync_from_first(table: StatementTable, params: StatementSync, source: MarketSource, lake: Lake) -> TaskResult:
    """Sync a statement table from the first source that has some of the periods."""
    return first_of(
        source,
        table,
        lambda member: _sync_statement(table, params, member, lake),
        enough=lambda result: result.message if result.failed_items == (table,) else None,
    )


def _open_source_and_lake(named: str | Sequence[str] | None, run: TaskRun) -> tuple[MarketSource, Lake]:
    source = run.source(named)
    lake = run.lake(source.world)
    lake.check_world()
    forget_missing(lake)
    return source, lake


def _sync_bars(params: DailySync, run: TaskRun, source: MarketSource, lake: Lake) -> TaskResult:
    settled = derive_unknown(lake)
    begin = params.start_date or (first_day(source, lake) if not (run.days or params.end_date) else None)
    published = run.publication("daily_bars")
    wanted = requested_days(source, asked=run.days, start=begin, end=params.end_date, published=published)
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
    loaded = load_from_members(source, lake, days, params.symbols, run)
    fetched = fetch_actions_from_first(source, lake, latest_closed(source), run)
    loaded.events += settled + fetched.settled
    fill_previous_closes(lake, sorted(loaded.rows))
    result = bars_result(loaded, days, params.symbols, source, lake, wanted=wanted)
    result = fetched.add_to(result, lake, source.name)
    compared = check_actions(lake, sorted(loaded.rows))
    message = f"{result.message}{describe_differences(compared.open)}".strip()
    return replace(result, message=message, rows={**result.rows, **compared.rows})


def _open_days(wanted: Sequence[date], complete: Collection[date], lacking: Collection[date]) -> list[date]:
    """Return the days that are not complete, and days after them whose rows were set aside without the day before."""
    to_check_again = {day for before, day in pairwise(wanted) if day in lacking and before not in complete}
    return [day for day in wanted if day not in complete or day in to_check_again]


def _nothing_loaded(
    message: str, note: str, settled: int, source: MarketSource, lake: Lake, run: TaskRun
) -> TaskResult:
    """Return the result of a run that loaded no bars; ratios may have become known even so."""
    fetched = fetch_actions_from_first(source, lake, latest_closed(source), run)
    settled += fetched.settled
    known = f"{settled:,} adjustment ratios became known." if settled else ""
    text = " ".join(filter(None, [message, note, known, describe_doubts(find_doubts(lake))]))
    result = TaskResult(
        status="success" if settled else "skipped",
        message=text,
        rows={"adjust_events": settled} if settled else {},
    )
    return fetched.add_to(result, lake, source.name)


def _sync_statement(table: StatementTable, params: StatementSync, source: MarketSource, lake: Lake) -> TaskResult:
    day = latest_closed(source)
    if not params.force and params.periods is None and was_loaded(lake, table, day):
        return TaskResult(status="skipped", message=f"{table}: already fetched for {day}.")
    periods = params.periods or open_periods(lake, table, day)
    frame, rejected = source.statements(table, periods), take_findings(source, table)
    if frame.is_empty() and rejected.faults:
        raise no_valid_rows(table, rejected, source.name)
    rows = upsert_versions(lake, table, frame, clock.now().date())
    if not rows:
        message = f"{table}: {source.name} has no statements of {periods[0]} to {periods[-1]}."
        return TaskResult(status="partial_success", message=message, failed_items=(table,))
    if params.periods is None:
        record_days(lake, table, {day: rows}, source=source.name)
    result = TaskResult(message=f"{table}: {rows:,} statements of {periods[0]} to {periods[-1]}.", rows={table: rows})
    keys = keys_of(frame, TABLES[table].key) if has_quarantined_rows(lake, table) else ()
    return stored_result(
        result, lake, table, rejected, keys, source.name, {"report_types": [_REPORTS[table]], "force": True}
    )


def _skip_if_not_offered(work: Callable[[], TaskResult]) -> TaskResult:
    try:
        return work()
    except NotOffered as error:
        return TaskResult(status="skipped", message=str(error))
