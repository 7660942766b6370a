"""Load a dataset by trading day: which days are asked for, how they are stored, and what is missing."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time

import polars as pl

from mystocks_dagster.datasets.reader import Dataset
from mystocks_dagster.errors import NotOffered, SourceError
from mystocks_dagster.excerpts import abbreviate
from mystocks_dagster.lake import quarantine
from mystocks_dagster.lake.loads import complete_days, forget_days, record_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.clock import SHANGHAI, now
from mystocks_dagster.market.publication import Publication
from mystocks_dagster.sources.checked import RejectedRows, take_findings
from mystocks_dagster.sources.protocol import MarketSource
from mystocks_dagster.tags import State
from mystocks_dagster.tasks.findings import describe_findings
from mystocks_dagster.tasks.parts import requests_of
from mystocks_dagster.tasks.requested_days import latest_closed
from mystocks_dagster.tasks.run import TaskResult, TaskRun

#: Trading days up to the newest published one that a run without a window loads if they are not complete.
NEWEST = 5
#: Trading days in one call by a range of days.
_AT_ONCE = 20
Window = tuple[date | None, date | None]


@dataclass
class _Loaded:
    """What a run has done so far."""

    counts: dict[date, int] = field(default_factory=dict)
    missing: list[date] = field(default_factory=list)
    failed: dict[date, SourceError] = field(default_factory=dict)
    rejected: RejectedRows = field(default_factory=RejectedRows)


def sync_days(
    dataset: Dataset, source: MarketSource, lake: Lake, run: TaskRun, window: Window, *, force: bool
) -> TaskResult:
    """Load the requested trading days that are published and not complete; each day is replaced as a whole.

    Raises:
        NotOffered: The source does not have any of the requested days.
        SourceError: The source failed, and no day was loaded.
    """
    publication = run.publication(dataset.table.name)
    newest = min(publication.newest(now()), latest_closed(source))
    days, note = _requested(dataset, run.days, window, newest, publication)
    done = set() if force else set(complete_days(lake, dataset.table.name))
    days = [day for day in days if day not in done]
    if _states_its_days(dataset) and not run.days and window == (None, None):
        loaded = _load_all(dataset, source, lake, done, newest)
    elif not days:
        return TaskResult(status="skipped", message=f"{dataset.table.name}: nothing to load. {note}".strip())
    else:
        loaded = _load(dataset, source, lake, days, run)
    if loaded.failed and not loaded.counts:
        raise next((error for error in loaded.failed.values() if error.retryable), next(iter(loaded.failed.values())))
    return _result(dataset, source, loaded, note)


def _states_its_days(dataset: Dataset) -> bool:
    """Return whether one answer has all days, each row with its own."""
    return dataset.spec.asked_by == "whole" and not dataset.spec.is_present_only


def _requested(
    dataset: Dataset, asked: Sequence[date], window: Window, newest: date, publication: Publication
) -> tuple[list[date], str]:
    """Return the trading days to load, ascending, and a sentence about those that are left out.

    Raises:
        NotOffered: The source has none of the requested days.
    """
    start, end = window
    if asked:
        days = sorted(set(asked))
    elif start or end:
        days = shanghai().sessions(start or end or newest, end or max(newest, start or newest))
    else:
        days = _sessions_back(newest, NEWEST)
    early = [day for day in days if day > newest]
    days = [day for day in days if day not in early]
    note = f"{early[0]} is published at {publication.moment(early[0]):%Y-%m-%d %H:%M}." if early else ""
    reach = 1 if dataset.spec.is_present_only else dataset.spec.reach
    if reach:
        first = _sessions_back(newest, reach)[0]
        beyond = [day for day in days if day < first]
        days = [day for day in days if day >= first]
        if beyond and (asked or start):
            limit = "the latest trading day" if reach == 1 else f"the newest {reach} trading days"
            note = f"The source of {dataset.name} has {limit} only, not {beyond[0]}. {note}".strip()
            if not days:
                raise NotOffered(note)
    return days, note


def _sessions_back(day: date, count: int) -> list[date]:
    """Return the last `count` trading days up to `day`, ascending; beyond the calendar, weekdays count as such."""
    days = [day]
    while len(days) < count:
        days.insert(0, shanghai().probable_latest_closed(datetime.combine(days[0], time(), SHANGHAI))[0])
    return days


def _load(dataset: Dataset, source: MarketSource, lake: Lake, days: Sequence[date], run: TaskRun) -> _Loaded:
    loaded = _Loaded()
    at_once = 1 if dataset.spec.asked_by == "day" or dataset.spec.is_present_only else _AT_ONCE
    for index, chunk in enumerate(_chunks(days, at_once)):
        run.report_progress(index * at_once, len(days), f"{dataset.name} {chunk[0]}")
        try:
            frame = source.rows(dataset.table.name, chunk[0], chunk[-1])
        except SourceError as error:
            take_findings(source, dataset.table.name)
            run.logger.warning("%s of %s failed: %s", dataset.name, chunk[0], error)
            loaded.failed |= dict.fromkeys(chunk, error)
            continue
        _store(dataset, source, lake, frame.filter(pl.col("date").is_in(chunk)), chunk, loaded)
    return loaded


def _load_all(dataset: Dataset, source: MarketSource, lake: Lake, done: Collection[date], newest: date) -> _Loaded:
    """Load all days of one answer that are not complete."""
    loaded = _Loaded()
    frame = source.rows(dataset.table.name, shanghai().first, newest)
    frame = frame.filter(~pl.col("date").is_in(list(done)))
    days = {*frame["date"].unique(), *_rejected_days(source, dataset.table.name, loaded)} - set(done)
    _store(dataset, source, lake, frame, sorted(days), loaded)
    return loaded


def _rejected_days(source: MarketSource, table: str, loaded: _Loaded) -> set[date]:
    """Take the findings of the source; return their trading days."""
    rejected = take_findings(source, table)
    loaded.rejected.faults += rejected.faults
    loaded.rejected.refused |= rejected.refused
    return {fault.date for fault in rejected.faults if fault.date} | set(rejected.refused)


def _chunks(days: Sequence[date], size: int) -> Iterator[list[date]]:
    for index in range(0, len(days), size):
        yield list(days[index : index + size])


def _store(
    dataset: Dataset, source: MarketSource, lake: Lake, frame: pl.DataFrame, days: Sequence[date], loaded: _Loaded
) -> None:
    """Replace those days, and quarantine their rejected rows; a day without rows is stored if it may be empty."""
    table = dataset.table.name
    _rejected_days(source, table, loaded)
    counts = dict(frame.group_by("date").agg(pl.len()).sort("date").iter_rows())
    rejected = loaded.rejected
    spoilt = {fault.date for fault in rejected.faults if not fault.stored} | set(rejected.refused)
    if dataset.spec.may_be_empty:
        counts = {day: counts.get(day, 0) for day in days if day in counts or day not in spoilt}
    loaded.missing += [day for day in days if day not in counts and day not in rejected.refused]
    faults = [fault for fault in rejected.faults if fault.date in days]
    quarantine.replace_days(lake, table, faults, {*counts, *(rejected.refused.keys() & set(days))}, source.name)
    if counts:
        forget_days(lake, table, list(counts))
        lake.replace_days(table, frame, list(counts))
        record_days(lake, table, counts, source=source.name, lacking=[day for day in counts if day in spoilt])
    loaded.counts |= counts


def _result(dataset: Dataset, source: MarketSource, loaded: _Loaded, note: str) -> TaskResult:
    table, counts, rejected = dataset.table.name, loaded.counts, loaded.rejected
    missing = [day for day in loaded.missing if day not in rejected.refused]
    again = sorted(
        {
            *missing,
            *loaded.failed,
            *rejected.refused,
            *(fault.date for fault in rejected.faults if fault.date and not fault.stored),
        }
    )
    sentences = [
        f"{table}: {sum(counts.values()):,} rows of {len(counts)} trading days from {source.name}."
        if counts
        else f"{table}: nothing was loaded.",
        f"{source.name} has no rows of {abbreviate(missing)}." if missing else "",
        *dict.fromkeys(f"{day} failed: {error}" for day, error in list(loaded.failed.items())[:3]),
        *describe_findings(rejected.faults, rejected.refused),
        note,
    ]
    status = State.SUCCESS if counts else State.SKIPPED
    return TaskResult(
        status=State.PARTIAL_SUCCESS if again else status,
        message=" ".join(filter(None, sentences)),
        rows={table: sum(counts.values())} if counts else {},
        days={table: tuple(sorted(counts))} if counts else {},
        failed_items=tuple(map(str, again)),
        retry_params={"start_date": f"{again[0]}", "end_date": f"{again[-1]}", "force": True} if again else {},
        metadata=requests_of(source),
    )
