"""Store 龙虎榜 day by day, and report the result."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from mystocks_dagster.lake import quarantine
from mystocks_dagster.lake.loads import forget_days, record_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.publication import Publication
from mystocks_dagster.sources.checked import RejectedRows, take_findings
from mystocks_dagster.sources.protocol import MarketSource
from mystocks_dagster.tags import State
from mystocks_dagster.tasks.findings import describe_findings
from mystocks_dagster.tasks.parts import requests_of
from mystocks_dagster.tasks.run import TaskResult


def store_board(
    source: MarketSource, lake: Lake, days: Sequence[date], findings: RejectedRows, published: Publication
) -> dict[date, int]:
    """Fetch and replace those days; return the number of rows of each stored day."""
    frame = source.longhubang(days[0], days[-1]).filter(pl.col("date").is_in(list(days)))
    rejected = take_findings(source, "longhubang")
    counts = dict(frame.group_by("date").agg(pl.len()).sort("date").iter_rows())
    # What another source gave badly does not matter for a day that this one gave well.
    findings.faults = [fault for fault in findings.faults if fault.date not in counts] + rejected.faults
    findings.refused = {day: why for day, why in findings.refused.items() if day not in counts} | rejected.refused
    if source.world != "real":  # a small simulated market has days without any qualifying stock
        counts = {day: counts.get(day, 0) for day in days}
    quarantine.replace_days(lake, "longhubang", rejected.faults, {*counts, *rejected.refused}, source.name)
    if counts:
        forget_days(lake, "longhubang", list(counts))
        lake.replace_days("longhubang", frame, list(counts))
        early = [day for day in counts if source.world == "real" and not _is_published(day, published)]
        record_days(lake, "longhubang", counts, source=source.name, incomplete=early)
    return counts


def _is_published(day: date, published: Publication) -> bool:
    return now() >= published.moment(day)


def board_result(
    source: MarketSource,
    days: Sequence[date],
    counts: dict[date, int],
    rejected: RejectedRows,
    closed: date,
    published: Publication,
) -> TaskResult:
    """Return the result of storing `counts` out of `days`; `closed` is the latest closed trading day."""
    # A weekday beyond the calendar may be a holiday, except the latest closed day, for which the source has bars.
    sessions = [day for day in days if day <= shanghai().last or day == closed]
    absent = [day for day in days if day not in counts and day not in rejected.refused]
    missing = [day for day in absent if day in sessions and _is_published(day, published)]
    retry_days = sorted(
        {*missing, *rejected.refused, *(fault.date for fault in rejected.faults if fault.date and not fault.stored)}
    )
    early = [day for day in absent if not _is_published(day, published)]
    sentences = [
        f"龙虎榜: {sum(counts.values()):,} rows of {len(counts)} days from {source.name}." if counts else "",
        f"{early[0]} is not published yet; run again in the evening, after {published}." if early else "",
        f"{source.name} has no rows for {', '.join(map(str, missing))}, although every trading day has some."
        if missing
        else "",
        *describe_findings(rejected.faults, rejected.refused),
    ]
    status = State.SUCCESS if counts else State.SKIPPED
    return TaskResult(
        status=State.PARTIAL_SUCCESS if retry_days else status,
        message=" ".join(filter(None, sentences)),
        rows={"longhubang": sum(counts.values())} if counts else {},
        days={"longhubang": tuple(sorted(counts))} if counts else {},
        failed_items=tuple(map(str, retry_days)),
        retry_params={"start_date": f"{retry_days[0]}", "end_date": f"{retry_days[-1]}", "force": True}
        if retry_days
        else {},
        metadata=requests_of(source),
    )
