"""Fetch what the market shows beside bars: real-time quotes, 龙虎榜 and capital flow."""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import cast

import polars as pl
from pydantic import Field, model_validator

from mystocks_dagster.errors import NotOffered, SourceUnavailable
from mystocks_dagster.lake import quarantine
from mystocks_dagster.lake.loads import complete_days, forget_days, forget_missing, record_days, was_loaded
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.clock import SHANGHAI, now
from mystocks_dagster.sources.checked import RejectedRows, take_findings
from mystocks_dagster.sources.protocol import FlowKind, MarketSource, QuoteTable
from mystocks_dagster.tasks.admission import check_quotes
from mystocks_dagster.tasks.findings import findings_said, nothing_sound, stored_result
from mystocks_dagster.tasks.param_types import Day, SourceName, TaskParams
from mystocks_dagster.tasks.parts import in_parts, requests_of
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares
from mystocks_dagster.tasks.wanted_days import latest_closed

#: Quotes move between the opening auction and the last trades after the close.
QUOTES_FROM, QUOTES_TO = time(9, 15), time(15, 10)
#: The exchanges publish 龙虎榜 in the evening, vendors copy it bit by bit; from here on it is whole.
BOARD_READY = time(20, 0)
#: Sessions before the newest that are fetched along with it, for late corrections.
TRAILING = 3
#: Sessions asked for at once: some thousand rows.
_AT_ONCE = 40


class RealtimeParams(TaskParams):
    """What `fetch_realtime_market_data` takes."""

    fetch_stocks: bool = Field(default=True, description="Take a snapshot of all stocks.")
    fetch_etfs: bool = Field(default=True, description="Take a snapshot of all exchange-traded funds.")
    data_source: SourceName = None
    force: bool = Field(
        default=False, description="Take the snapshot outside trading hours too: the end of the last session."
    )


class LonghubangParams(TaskParams):
    """What `fetch_longhubang_data` takes."""

    data_source: SourceName = None
    start_date: Day = Field(default=None, description="First day of a window to fetch; empty means end_date alone.")
    end_date: Day = Field(default=None, description="Last day of that window; empty means the latest closed one.")
    force: bool = Field(default=False, description="Fetch days again that are complete already.")

    @model_validator(mode="after")
    def _in_order(self) -> "LonghubangParams":
        if self.start_date and self.end_date and self.start_date > self.end_date:
            raise ValueError(f"start_date {self.start_date} is after end_date {self.end_date}")
        return self


class CapitalFlowParams(TaskParams):
    """What `fetch_capital_flow_data` takes."""

    data_source: SourceName = None
    flow_types: list[FlowKind] = Field(
        default=["stock", "sector", "concept"], min_length=1, description="Flows to fetch."
    )
    force: bool = Field(default=False, description="Fetch again although the day is complete already.")


@declares(writes=("stock_quotes", "etf_quotes"), also_writes=("quarantine",), snapshot=True)
def fetch_realtime_market_data(params: RealtimeParams, run: TaskRun) -> TaskResult:
    """Store one snapshot of all stocks and funds; outside trading hours it is skipped with the reason.

    Raises:
        SourceError: The source failed for all that was asked.
        LakeError: The lake cannot be written.
    """
    closed = None if params.force else _why_closed(now())
    wanted = [
        table for table, asked in (("stock_quotes", params.fetch_stocks), ("etf_quotes", params.fetch_etfs)) if asked
    ]
    if closed or not wanted:
        return TaskResult(status="skipped", message=closed or "Neither stocks nor funds were asked for.")
    source = run.source(params.data_source)
    lake = run.lake(source.world)

    def snapshot(table: str) -> TaskResult:
        frame, found = source.quotes(cast(QuoteTable, table)), take_findings(source, table)
        if frame.is_empty() and found.faults:
            raise nothing_sound(table, found, source.name)
        if frame.is_empty():
            return TaskResult(status="skipped", message=f"{table}: {source.name} shows no prices yet.")
        if not params.force and (idle := _no_session(cast(date, frame["date"].max()), source.name)):
            return TaskResult(status="skipped", message=f"{table}: {idle}")
        if table == "stock_quotes":
            check_quotes(lake, frame)
        rows = lake.upsert(table, frame)
        result = TaskResult(
            message=f"{table}: {rows:,} rows from {source.name}.", rows={table: rows}, metadata=requests_of(source)
        )
        return stored_result(result, lake, table, found, (), source.name, again([table]))

    def again(failed: list[str]) -> dict[str, bool]:
        return {"fetch_stocks": "stock_quotes" in failed, "fetch_etfs": "etf_quotes" in failed}

    return in_parts(wanted, snapshot, run, again)


@declares(writes=("longhubang",), also_writes=("loaded_days", "quarantine"))
def fetch_longhubang_data(params: LonghubangParams, run: TaskRun) -> TaskResult:
    """Fetch 龙虎榜 of the partitions, of a window, or of the latest closed day and some days before it.

    A day is replaced as a whole. It is complete when it was fetched after its publication in the evening; before that
    a day without rows is no failure.

    Raises:
        SourceError: The source failed; the days before are stored.
        LakeError: The lake cannot be written.
        OutsideCalendar: The window reaches beyond the published exchange calendar.
    """
    source = run.source(params.data_source)
    lake = run.lake(source.world)
    forget_missing(lake)
    complete = set() if params.force else set(complete_days(lake, "longhubang"))
    closed = latest_closed(source)
    days = _board_days(params, run, complete, closed)
    if not days:
        return TaskResult(status="skipped", message="龙虎榜: all days asked for are complete already, or not over yet.")
    counts: dict[date, int] = {}
    found = RejectedRows()
    for at in range(0, len(days), _AT_ONCE):
        run.report_progress(at, len(days), f"龙虎榜 from {days[at]}")
        counts |= _store_board(source, lake, days[at : at + _AT_ONCE], found)
    return _board_result(source, days, counts, found, closed)


@declares(
    writes=("capital_flow_stock", "capital_flow_sector", "capital_flow_concept"),
    also_writes=("loaded_days", "quarantine"),
)
def fetch_capital_flow_data(params: CapitalFlowParams, run: TaskRun) -> TaskResult:
    """Fetch the capital flow of the partitions or of the latest closed day, by stock, sector and concept.

    Raises:
        SourceError: The source failed for all flows that were asked for.
        LakeError: The lake cannot be written.
    """
    source = run.source(params.data_source)
    lake = run.lake(source.world)
    forget_missing(lake)
    closed = latest_closed(source)
    days = sorted(day for day in set(run.days) if day <= closed) if run.days else [closed]
    if not days:
        return TaskResult(status="skipped", message=f"{run.days[0]} is not over yet.")

    def fetch(kind: str) -> TaskResult:
        table = f"capital_flow_{kind}"
        due = [day for day in days if params.force or not was_loaded(lake, table, day)]
        if not due:
            return TaskResult(status="skipped", message=f"{table}: complete already.")
        return _fetch_flow(source, lake, cast(FlowKind, kind), due)

    return in_parts(list(dict.fromkeys(params.flow_types)), fetch, run, lambda failed: {"flow_types": failed})


def _no_session(shown: date, source: str) -> str | None:
    """Say why today, a weekday beyond the calendar, is taken for a holiday; None when it is not."""
    today = now().date()
    if today <= shanghai().last or shown >= today:
        return None
    return f"{source} shows the session of {shown}: {today}, which the trading calendar does not reach, is taken for no trading day."


def _why_closed(moment: datetime) -> str | None:
    """Say why no quotes move at that moment; None when they do."""
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
        return [
            day for day in shanghai().sessions(params.start_date or end, end) if day <= closed and day not in complete
        ]
    if closed in complete:
        return []
    days = [closed]
    while len(days) <= TRAILING:
        days.insert(0, shanghai().probable_latest_closed(datetime.combine(days[0], time.min, SHANGHAI))[0])
    return days


def _store_board(source: MarketSource, lake: Lake, days: Sequence[date], findings: RejectedRows) -> dict[date, int]:
    """Fetch and replace those days; return the rows of each day that has a result, which may be none at all."""
    frame = source.longhubang(days[0], days[-1]).filter(pl.col("date").is_in(list(days)))
    found = take_findings(source, "longhubang")
    findings.faults += found.faults
    findings.refused |= found.refused
    counts = dict(frame.group_by("date").agg(pl.len()).sort("date").iter_rows())
    if source.world != "real":  # in a small simulated market a day on which nobody qualifies is nothing odd
        counts = {day: counts.get(day, 0) for day in days}
    quarantine.replace_days(lake, "longhubang", found.faults, {*counts, *found.refused}, source.name)
    if counts:
        forget_days(lake, "longhubang", list(counts))
        lake.replace_days("longhubang", frame, list(counts))
        early = [day for day in counts if source.world == "real" and not _published(day)]
        record_days(lake, "longhubang", counts, source=source.name, incomplete=early)
    return counts


def _published(day: date) -> bool:
    return now() >= datetime.combine(day, BOARD_READY, SHANGHAI)


def _board_result(
    source: MarketSource, days: Sequence[date], counts: dict[date, int], found: RejectedRows, closed: date
) -> TaskResult:
    # A weekday beyond the calendar may have been a holiday; the latest closed day is one of which the source has bars.
    sessions = [day for day in days if day <= shanghai().last or day == closed]
    missing = [day for day in sessions if day not in counts and day not in found.refused and _published(day)]
    again = sorted(
        {*missing, *found.refused, *(fault.date for fault in found.faults if fault.date and not fault.stored)}
    )
    early = [day for day in days if day not in counts and day not in found.refused and not _published(day)]
    said = [
        f"龙虎榜: {sum(counts.values()):,} rows of {len(counts)} days from {source.name}." if counts else "",
        f"{early[0]} is not published yet; it comes in the evening, run again after {BOARD_READY:%H:%M}."
        if early
        else "",
        f"{source.name} has no rows of {', '.join(map(str, missing))}, though every trading day has some."
        if missing
        else "",
        *findings_said(found.faults, found.refused),
    ]
    return TaskResult(
        status="partial_success" if again else "success" if counts else "skipped",
        message=" ".join(filter(None, said)),
        rows={"longhubang": sum(counts.values())} if counts else {},
        days={"longhubang": tuple(sorted(counts))} if counts else {},
        failed_items=tuple(map(str, again)),
        retry_params={"start_date": f"{again[0]}", "end_date": f"{again[-1]}", "force": True} if again else {},
        metadata=requests_of(source),
    )


def _fetch_flow(source: MarketSource, lake: Lake, kind: FlowKind, days: Sequence[date]) -> TaskResult:
    table = f"capital_flow_{kind}"
    counts: dict[date, int] = {}
    lacking: list[str] = []
    findings = RejectedRows()
    for day in days:
        try:
            frame = source.capital_flow(kind, day)
        except NotOffered as error:
            lacking.append(str(error))
            continue
        found = take_findings(source, table)
        findings.faults += found.faults
        if frame.is_empty() and found.faults:
            raise nothing_sound(table, found, source.name)
        if frame.is_empty():
            raise SourceUnavailable(f"{source.name} has no capital flow by {kind} of {day} yet. Try again later.")
        forget_days(lake, table, [day])
        counts[day] = lake.replace_days(table, frame, [day])
        record_days(lake, table, {day: counts[day]}, source=source.name)
        quarantine.replace_days(lake, table, found.faults, [day], source.name)
    if not counts:
        raise NotOffered(" ".join(dict.fromkeys(lacking)))
    message = f"{table}: {sum(counts.values()):,} rows of {', '.join(map(str, counts))} from {source.name}."
    apart = tuple(dict.fromkeys(fault.key for fault in findings.faults if not fault.stored))
    return TaskResult(
        status="partial_success" if apart else "success",
        message=" ".join([message, *dict.fromkeys(lacking), *findings_said(findings.faults, {})]),
        rows={table: sum(counts.values())},
        days={table: tuple(counts)},
        failed_items=apart,
        retry_params={"flow_types": [kind], "force": True} if apart else {},
        metadata=requests_of(source),
    )
