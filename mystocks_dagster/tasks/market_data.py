"""Fetch real-time quotes, 龙虎榜 and capital flow."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time
from typing import cast

from pydantic import Field

from mystocks_dagster.errors import NotOffered, SourceUnavailable
from mystocks_dagster.excerpts import abbreviate
from mystocks_dagster.lake import quarantine
from mystocks_dagster.lake.loads import complete_days, forget_days, forget_missing, record_days, was_loaded
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.clock import SHANGHAI, now
from mystocks_dagster.sources.chain import first_of, members_of
from mystocks_dagster.sources.checked import RejectedRows, take_findings
from mystocks_dagster.sources.protocol import FlowKind, MarketSource, QuoteTable
from mystocks_dagster.tags import State
from mystocks_dagster.tasks.admission import check_quotes
from mystocks_dagster.tasks.findings import describe_findings, no_valid_rows, stored_result
from mystocks_dagster.tasks.longhubang import board_result, store_board
from mystocks_dagster.tasks.merge_results import merge_results
from mystocks_dagster.tasks.param_types import Day, SourceName, TaskParams, WindowParams
from mystocks_dagster.tasks.parts import add_deliveries, requests_of, run_parts
from mystocks_dagster.tasks.requested_days import latest_closed
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares

#: Quotes change between the opening auction and the last trades after the close.
QUOTES_FROM, QUOTES_TO = time(9, 15), time(15, 10)
#: Sessions before the newest one that are fetched with it, for late corrections.
TRAILING = 3
#: Sessions per request: some thousand rows.
_AT_ONCE = 40


class RealtimeParams(TaskParams):
    """Parameters of `fetch_realtime_market_data`."""

    fetch_stocks: bool = Field(default=True, description="Fetch quotes of all stocks.")
    fetch_etfs: bool = Field(default=True, description="Fetch quotes of all exchange-traded funds (ETFs).")
    data_source: SourceName = None
    force: bool = Field(
        default=False, description="Also fetch outside trading hours: quotes of the end of the last session."
    )


class LonghubangParams(WindowParams):
    """Parameters of `fetch_longhubang_data`."""

    data_source: SourceName = None
    start_date: Day = Field(default=None, description="First day of a window to fetch; empty means end_date alone.")
    end_date: Day = Field(default=None, description="Last day of that window; empty means the latest closed day.")
    force: bool = Field(default=False, description="Also fetch days that are already complete.")


class CapitalFlowParams(TaskParams):
    """Parameters of `fetch_capital_flow_data`."""

    data_source: SourceName = None
    flow_types: list[FlowKind] = Field(
        default=["stock", "sector", "concept"], min_length=1, description="Kinds of capital flow to fetch."
    )
    force: bool = Field(default=False, description="Fetch again even when the day is complete.")


@declares(writes=("stock_quotes", "etf_quotes"), also_writes=("quarantine",), snapshot=True)
def fetch_realtime_market_data(params: RealtimeParams, run: TaskRun) -> TaskResult:
    """Store one snapshot of all stocks and ETFs; skipped outside trading hours.

    Raises:
        SourceError: The source failed for all requested tables.
        LakeError: The lake cannot be written.
    """
    closed = None if params.force else _why_closed(now())
    selected = {"stock_quotes": params.fetch_stocks, "etf_quotes": params.fetch_etfs}
    tables = [table for table, is_selected in selected.items() if is_selected]
    if closed or not tables:
        return TaskResult(status="skipped", message=closed or "Neither stocks nor ETFs were requested.")
    source = run.source(params.data_source)
    lake = run.lake(source.world)

    def snapshot(table: str) -> TaskResult:
        return first_of(source, table, lambda member: snapshot_of(member, table), enough=_why_skipped)

    def snapshot_of(source: MarketSource, table: str) -> TaskResult:
        frame, rejected = source.quotes(cast(QuoteTable, table)), take_findings(source, table)
        if frame.is_empty() and rejected.faults:
            raise no_valid_rows(table, rejected, source.name)
        if frame.is_empty():
            return TaskResult(status="skipped", message=f"{table}: {source.name} has no prices yet.")
        if not params.force and (reason := _no_session(cast(date, frame["date"].max()), source.name)):
            return TaskResult(status="skipped", message=f"{table}: {reason}")
        if table == "stock_quotes":
            checked = check_quotes(lake, frame)
            frame = checked.rows
            rejected.faults += checked.faults
        rows = lake.upsert(table, frame)
        result = TaskResult(
            message=f"{table}: {rows:,} rows from {source.name}.", rows={table: rows}, metadata=requests_of(source)
        )
        return stored_result(result, lake, table, rejected, (), source.name, again([table]))

    def again(failed: list[str]) -> dict[str, bool]:
        return {"fetch_stocks": "stock_quotes" in failed, "fetch_etfs": "etf_quotes" in failed}

    return add_deliveries(run_parts(tables, snapshot, run, again), source)


@declares(writes=("longhubang",), also_writes=("loaded_days", "quarantine"))
def fetch_longhubang_data(params: LonghubangParams, run: TaskRun) -> TaskResult:
    """Fetch 龙虎榜 of the requested partitions, of a window, or of the latest closed day and some days before it.

    A day is replaced as a whole. It is complete when it was fetched after its publication in the evening; before
    that, a day without rows is not a failure.

    Raises:
        SourceError: The source failed; the days before are stored.
        LakeError: The lake cannot be written.
        OutsideCalendar: The window reaches beyond the published trading calendar.
    """
    source = run.source(params.data_source)
    lake = run.lake(source.world)
    forget_missing(lake)
    complete = set() if params.force else set(complete_days(lake, "longhubang"))
    closed = latest_closed(source)
    days = _board_days(params, run, complete, closed)
    if not days:
        return TaskResult(status="skipped", message="龙虎榜: all requested days are complete, or not over yet.")
    counts, rejected, published = dict[date, int](), RejectedRows(), run.publication("longhubang")

    def load(member: MarketSource) -> list[date]:
        missing = [day for day in days if day not in counts]
        for index in range(0, len(missing), _AT_ONCE):
            run.report_progress(len(counts), len(days), f"龙虎榜 from {missing[index]}")
            counts.update(store_board(member, lake, missing[index : index + _AT_ONCE], rejected, published))
        return [day for day in days if day not in counts]

    first_of(
        source,
        "longhubang",
        load,
        day=days[-1],
        enough=lambda missing: f"no rows for {abbreviate(missing)}" if missing else None,
    )
    return add_deliveries(board_result(source, days, counts, rejected, closed, published), source)


@declares(
    writes=("capital_flow_stock", "capital_flow_sector", "capital_flow_concept"),
    also_writes=("loaded_days", "quarantine"),
)
def fetch_capital_flow_data(params: CapitalFlowParams, run: TaskRun) -> TaskResult:
    """Fetch the capital flow of the requested partitions or of the latest closed day, by stock, sector and concept.

    Raises:
        SourceError: The source failed for all requested flows.
        LakeError: The lake cannot be written.
    """
    source = run.source(params.data_source)
    lake = run.lake(source.world)
    forget_missing(lake)
    closed = latest_closed(source, run.publication("capital_flow_stock"))
    days = sorted(day for day in set(run.days) if day <= closed) if run.days else [closed]
    if not days:
        return TaskResult(status="skipped", message=f"{run.days[0]} is not over yet.")

    def fetch(kind: str) -> TaskResult:
        table = f"capital_flow_{kind}"
        due = [day for day in days if params.force or not was_loaded(lake, table, day)]
        if not due:
            return TaskResult(status="skipped", message=f"{table}: already complete.")
        return _fetch_flow_from_first(source, lake, cast(FlowKind, kind), due)

    result = run_parts(list(dict.fromkeys(params.flow_types)), fetch, run, lambda failed: {"flow_types": failed})
    return add_deliveries(result, source)


def _why_skipped(result: TaskResult) -> str | None:
    return result.message if result.status == State.SKIPPED else None


def _no_session(shown: date, source: str) -> str | None:
    """Return why today, a weekday beyond the calendar, counts as a holiday; None when it does not."""
    today = now().date()
    if today <= shanghai().last or shown >= today:
        return None
    return (
        f"{source} has quotes of {shown}; {today} is treated as a holiday, because the trading calendar ends on "
        f"{shanghai().last}."
    )


def _why_closed(moment: datetime) -> str | None:
    """Return why quotes do not change at that moment; None when they do."""
    trades, _ = shanghai().is_probable_session(moment.date())
    if not trades:
        return f"{moment:%Y-%m-%d} is not a trading day."
    if QUOTES_FROM <= moment.time() <= QUOTES_TO:
        return None
    return f"{moment:%H:%M} is outside trading hours ({QUOTES_FROM:%H:%M} to {QUOTES_TO:%H:%M}, Shanghai)."


def _board_days(params: LonghubangParams, run: TaskRun, complete: set[date], closed: date) -> list[date]:
    """Return the closed trading days to fetch, ascending; `closed` is the latest one."""
    if run.days:
        return sorted(day for day in set(run.days) if day <= closed and day not in complete)
    if params.start_date or params.end_date:
        end = params.end_date or closed
        sessions = shanghai().sessions(params.start_date or end, end)
        return [day for day in sessions if day <= closed and day not in complete]
    if closed in complete:
        return []
    days = [closed]
    while len(days) <= TRAILING:
        days.insert(0, shanghai().probable_latest_closed(datetime.combine(days[0], time.min, SHANGHAI))[0])
    return days


def _fetch_flow_from_first(source: MarketSource, lake: Lake, kind: FlowKind, days: Sequence[date]) -> TaskResult:
    """Fetch the capital flow of `days`; each day that a source does not have is requested from the next one."""
    table = f"capital_flow_{kind}"
    if len(members_of(source, table)) == 1:
        return first_of(source, table, lambda member: _fetch_flow(member, lake, kind, days))
    results = [
        first_of(source, table, lambda member, day=day: _fetch_flow(member, lake, kind, [day]), day=day) for day in days
    ]
    rows = sum(result.rows[table] for result in results)
    return replace(merge_results(results), rows={table: rows}, days={table: tuple(days)})


def _fetch_flow(source: MarketSource, lake: Lake, kind: FlowKind, days: Sequence[date]) -> TaskResult:
    table = f"capital_flow_{kind}"
    counts: dict[date, int] = {}
    not_offered: list[str] = []
    findings = RejectedRows()
    for day in days:
        try:
            frame = source.capital_flow(kind, day)
        except NotOffered as error:
            not_offered.append(str(error))
            continue
        rejected = take_findings(source, table)
        findings.faults += rejected.faults
        if frame.is_empty() and rejected.faults:
            raise no_valid_rows(table, rejected, source.name)
        if frame.is_empty():
            raise SourceUnavailable(f"{source.name} has no capital flow by {kind} for {day} yet. Try again later.")
        forget_days(lake, table, [day])
        counts[day] = lake.replace_days(table, frame, [day])
        record_days(lake, table, {day: counts[day]}, source=source.name)
        quarantine.replace_days(lake, table, rejected.faults, [day], source.name)
    if not counts:
        raise NotOffered(" ".join(dict.fromkeys(not_offered)))
    message = f"{table}: {sum(counts.values()):,} rows of {', '.join(map(str, counts))} from {source.name}."
    rejected_keys = tuple(dict.fromkeys(fault.key for fault in findings.faults if not fault.stored))
    return TaskResult(
        status="partial_success" if rejected_keys else "success",
        message=" ".join([message, *dict.fromkeys(not_offered), *describe_findings(findings.faults, {})]),
        rows={table: sum(counts.values())},
        days={table: tuple(counts)},
        failed_items=rejected_keys,
        retry_params={"flow_types": [kind], "force": True} if rejected_keys else {},
        metadata=requests_of(source),
    )
