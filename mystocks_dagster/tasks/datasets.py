"""Sync a dataset that a YAML file declares: its table, its source, its days and its value rules."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Annotated, Any

import polars as pl
from pydantic import AfterValidator, Field, field_validator

from mystocks_dagster.datasets import registry
from mystocks_dagster.datasets.reader import Dataset
from mystocks_dagster.errors import InvalidParams, MyStocksError, NotOffered, SourceChanged, TableMissing, UnknownName
from mystocks_dagster.lake.loads import forget_missing, record_days, was_loaded
from mystocks_dagster.lake.quarantine import has_quarantined_rows, keys_of
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market import clock
from mystocks_dagster.source_choice import AUTO
from mystocks_dagster.sources.akshare import SOURCE as AKSHARE
from mystocks_dagster.sources.checked import CheckedSource, RejectedRows, take_findings
from mystocks_dagster.sources.dataset_source import DatasetSource
from mystocks_dagster.sources.protocol import MarketSource
from mystocks_dagster.tags import State
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.schedule import fault
from mystocks_dagster.tasks.dataset_days import sync_days
from mystocks_dagster.tasks.dataset_witness import WRITTEN, sample_of, with_agreement
from mystocks_dagster.tasks.findings import no_valid_rows, stored_result
from mystocks_dagster.tasks.param_types import Day, Symbols, WindowParams
from mystocks_dagster.tasks.parts import requests_of, run_parts
from mystocks_dagster.tasks.report_periods import check_periods, open_periods
from mystocks_dagster.tasks.requested_days import latest_closed
from mystocks_dagster.tasks.run import Tables, TaskResult, TaskRun, declares

#: Share of the stored rows of a report period that a new answer may lack.
MOST_LOST = 0.1
_ALSO = ("loaded_days", "quarantine")


def _known(name: str) -> str:
    try:
        registry.find(name)
    except UnknownName as error:
        raise fault(str(error)) from None
    except TaskFileError as error:
        first, *others = error.problems
        more = f" (and {len(others)} more problems)" if others else ""
        text = f"the dataset {name} has a problem: {first.file}:{first.line}:{first.column}: {first.message}{more}"
        raise fault(text, first.hint or "Correct that file.") from None
    return name


class DatasetSync(WindowParams):
    """Parameters of `sync_dataset`."""

    dataset: Annotated[str, AfterValidator(_known)] = Field(
        description="Name of the dataset: the name of its file, see docs/datasets.md."
    )
    symbols: Symbols = Field(default=None, description="Symbols, for a dataset whose source is asked by symbol.")
    start_date: Day = Field(
        default=None, description="First day of a window; empty means the newest days that are not loaded yet."
    )
    end_date: Day = Field(default=None, description="Last day of that window; empty means the newest published day.")
    periods: list[date] | None = Field(
        default=None, description="Quarter ends, for a dataset by report period; empty means the newest ones."
    )
    force: bool = Field(default=False, description="Also load what is already complete.")

    @field_validator("periods")
    @classmethod
    def _quarters(cls, periods: list[date] | None) -> list[date] | None:
        return check_periods(periods)


def tables_of_dataset(params: Mapping[str, Any]) -> Tables:
    """Return the tables of a task that syncs the dataset in `params`."""
    try:
        dataset = registry.find(str(params.get("dataset")))
    except MyStocksError:  # the task has a problem, which its params report
        return Tables(also_writes=_ALSO)
    reads = {table: None for reference in _references(dataset).values() for table, _ in [reference]}
    also = (*_ALSO, *(WRITTEN if dataset.spec.witness else ()))
    return Tables((dataset.table.name,), also, tuple(reads), snapshot=dataset.spec.is_present_only)


@declares(also_writes=_ALSO, by_params=tables_of_dataset)
def sync_dataset(params: DatasetSync, run: TaskRun) -> TaskResult:
    """Load the rows of a dataset that are published and not loaded yet.

    A table by trading day is replaced day by day; another table is updated by its key. Rows that break a rule of the
    dataset are set aside in the table `quarantine`.

    Raises:
        SourceError: The source failed; what was loaded before is stored.
        LakeError: The lake cannot be written, or a table that the dataset reads is missing.
        InvalidParams: The dataset needs symbols and the task gives none.
    """
    dataset = registry.find(params.dataset)
    try:
        lake = run.lake()
        source = _open(dataset, params, run, lake)
        lake = run.lake(source.world)
        lake.check_world()
        forget_missing(lake)
        if dataset.table.by_day:
            result = sync_days(dataset, source, lake, run, (params.start_date, params.end_date), force=params.force)
        elif dataset.spec.asked_by == "period":
            result = _sync_periods(dataset, source, lake, params, run)
        else:
            result = _sync_rows(dataset, source, lake, params)
    except NotOffered as error:
        return TaskResult(status="skipped", message=str(error))
    return with_agreement(_with_left_out(result, dataset, getattr(source, "left_out", ())), dataset, lake)


def _with_left_out(result: TaskResult, dataset: Dataset, left_out: Sequence[str]) -> TaskResult:
    """Return the result with what was left out of files: then the load is not complete."""
    if not left_out:
        return result
    message = " ".join([result.message, *dict.fromkeys(left_out)])
    failed = result.failed_items or (dataset.table.name,)
    return replace(result, message=message, status=State.PARTIAL_SUCCESS, failed_items=failed)


def _open(dataset: Dataset, params: DatasetSync, run: TaskRun, lake: Lake) -> MarketSource:
    """Return the source of the rows; another source than akshare is used if it offers the table.

    Raises:
        NotOffered: This run uses another source, which does not offer the table.
    """
    named = run.source_override or run.settings.source or AKSHARE.name
    names = [named] if isinstance(named, str) else named
    if not {AKSHARE.name, AUTO} & set(names) and not dataset.spec.files:
        source = run.source(None)
        if dataset.table.name not in source.offers:
            raise NotOffered(f"{source.name} has no {dataset.table.name}: the dataset {dataset.name} is from akshare.")
        return source
    symbols = params.symbols or sample_of(dataset, lake, clock.now().date())
    if dataset.spec.asked_by == "symbol" and not symbols:
        raise InvalidParams(f"The source of {dataset.name} is asked by symbol; give the task `symbols: [600519.SH]`.")
    each = _each(dataset, lake)
    return CheckedSource(DatasetSource(dataset, run.settings, symbols=symbols, each=each))  # ty: ignore[invalid-argument-type]


def _references(dataset: Dataset) -> dict[str, tuple[str, str]]:
    """Return the placeholders whose values are those of a stored table: name to table and column."""
    references = {}
    for call in dataset.spec.call or ():
        for name, values in call.each.items():
            if len(values) == 1 and "." in values[0]:
                table, _, column = values[0].partition(".")
                references[name] = (table, column)
    return references


def _each(dataset: Dataset, lake: Lake) -> dict[str, Sequence[str]]:
    """Return the values of the calls' own placeholders.

    Raises:
        TableMissing: A table from which they come is not stored yet.
    """
    each: dict[str, Sequence[str]] = {
        name: values for call in dataset.spec.call or () for name, values in call.each.items()
    }
    for name, (table, column) in _references(dataset).items():
        days = lake.days(table) if lake.exists(table) else []
        if not days:
            raise TableMissing(
                f"The dataset {dataset.name} reads {table}.{column}, and there is no row of {table} yet: "
                f"run the task that writes it, such as one of the dataset {table}, before this one."
            )
        each[name] = sorted(lake.read(table, columns=[column], start=days[-1])[column].drop_nulls().unique())
    return each


def _sync_periods(dataset: Dataset, source: MarketSource, lake: Lake, params: DatasetSync, run: TaskRun) -> TaskResult:
    """Fetch report periods once per trading day, each for itself: a failed one does not stop the others."""
    table, day = dataset.table.name, latest_closed(source)
    if not params.force and params.periods is None and was_loaded(lake, table, day):
        return TaskResult(status="skipped", message=f"{table}: already fetched for {day}.")
    periods = params.periods or open_periods(lake, table, day)
    total = 0

    def fetch(period: str) -> TaskResult:
        nonlocal total
        end = date.fromisoformat(period)
        frame = source.rows(table, end, end)
        rejected = take_findings(source, table)
        if frame.is_empty() and not rejected.faults:
            return TaskResult(status="skipped", message=f"{source.name} has no rows of {period} yet.")
        _check_period(dataset, lake, frame, end)
        result = _store(dataset, source, lake, frame, rejected, {"periods": [period], "force": True}, period=end)
        total += result.rows.get(table, 0)
        return result

    result = run_parts(
        [f"{period}" for period in periods], fetch, run, lambda failed: {"periods": failed, "force": True}
    )
    if params.periods is None and total and not result.failed_items:
        record_days(lake, table, {day: total}, source=source.name)
    text = f"{table}: {total:,} rows of {periods[0]} to {periods[-1]} from {source.name}."
    return replace(result, message=f"{text} {result.message}".strip(), rows={table: total} if total else {})


def _check_period(dataset: Dataset, lake: Lake, frame: pl.DataFrame, period: date) -> None:
    """Refuse an answer for a period that lacks many of its stored rows, since a period is replaced as a whole.

    Raises:
        SourceChanged: More than a tenth of the stored rows would vanish.
    """
    table = dataset.table.name
    stored = (
        lake.read(table, columns=[*dataset.table.key], start=period, end=period).height if lake.exists(table) else 0
    )
    if frame.height < stored * (1 - MOST_LOST):
        raise SourceChanged(
            f"The answer for {period} has {frame.height:,} rows of {table}, and {stored:,} are stored: the answer is "
            "not complete. Run again later; the stored rows are unchanged."
        )


def _sync_rows(dataset: Dataset, source: MarketSource, lake: Lake, params: DatasetSync) -> TaskResult:
    """Update the rows of a table that is not by trading day, once per trading day."""
    table, day = dataset.table.name, latest_closed(source)
    explicit = params.start_date or params.end_date or params.symbols
    if not params.force and not explicit and was_loaded(lake, table, day):
        return TaskResult(status="skipped", message=f"{table}: already fetched for {day}.")
    before, after = dataset.spec.window or (0, 0)
    start, end = params.start_date or day - timedelta(days=before), params.end_date or day + timedelta(days=after)
    frame = source.rows(table, min(start, end), end)
    again = {"force": True, **({"symbols": params.symbols} if params.symbols else {})}
    result = _store(dataset, source, lake, frame, take_findings(source, table), again)
    rows = result.rows.get(table, 0)
    if not explicit and (rows or dataset.spec.may_be_empty):
        record_days(lake, table, {day: rows}, source=source.name)
    return replace(result, message=f"{table}: {rows:,} rows from {source.name}. {result.message}".strip())


def _store(
    dataset: Dataset,
    source: MarketSource,
    lake: Lake,
    frame: pl.DataFrame,
    rejected: RejectedRows,
    again: Mapping[str, object],
    *,
    period: date | None = None,
) -> TaskResult:
    """Update rows by their key, or replace those of a period, and quarantine rejected rows.

    The message of the result is about rejected rows only.
    """
    table = dataset.table.name
    if frame.is_empty() and rejected.faults:
        raise no_valid_rows(table, rejected, source.name)
    if frame.height and period and dataset.table.date_column:
        rows = lake.replace_days(table, frame, [period])
    else:
        rows = lake.upsert(table, frame) if frame.height else 0
    if not rows and not dataset.spec.may_be_empty:
        return TaskResult(
            status="partial_success",
            message=f"{source.name} has no rows.",
            metadata=requests_of(source),
            failed_items=(table,),
        )
    keys = keys_of(frame, dataset.table.key) if has_quarantined_rows(lake, table) else ()
    result = TaskResult(rows={table: rows} if rows else {}, metadata=requests_of(source))
    return stored_result(result, lake, table, rejected, keys, source.name, again)
