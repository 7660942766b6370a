"""Compare the stored rows of a day with a source that did not give them, and keep the differences."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Literal, get_args

import polars as pl
from pydantic import Field, field_validator

from mystocks_dagster.errors import MyStocksError, NotOffered, SettingsError, SourceError, SourceNotSet
from mystocks_dagster.market import clock
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.symbols import board_expr
from mystocks_dagster.market.witnesses import (
    COMPARED,
    WITNESS_TABLES,
    Comparison,
    calendar_differences,
    compare,
    compare_columns,
    day_difference,
)
from mystocks_dagster.settings import Settings
from mystocks_dagster.source_choice import source_names
from mystocks_dagster.sources.chain import late_until
from mystocks_dagster.sources.checked import CheckedSource, take_findings
from mystocks_dagster.sources.registry import open_source
from mystocks_dagster.sources.witnesses import Witness, covers, witnesses_of
from mystocks_dagster.tasks.dataset_witness import compare_stored, sampled, witnessing
from mystocks_dagster.tasks.param_types import Day, TaskParams
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares
from mystocks_dagster.tasks.stored_day import StoredDay, in_exchanges, known_day, stored_day
from mystocks_dagster.tasks.witness_report import WitnessReport

ComparedTable = Literal["daily_bars", "index_bars", "etf_bars", "daily_valuation", "adjust_events", "corporate_actions"]
#: Tables of which a trading day may have no row.
_SPARSE = frozenset({"adjust_events", "corporate_actions"})
#: Calendars are compared so many days before and after the compared day.
_CALENDAR = timedelta(days=45)


class WitnessParams(TaskParams):
    """Parameters of `compare_sources`."""

    tables: list[ComparedTable] = Field(
        default=list(get_args(ComparedTable)),
        min_length=1,
        description="Tables to compare.",
    )
    day: Day = Field(default=None, description="Trading day to compare; empty means the newest loaded one.")
    witnesses: list[str] = Field(
        default=[], description="Sources to compare with, in order; empty means those that the tables declare."
    )
    sample: int = Field(
        default=20, ge=1, le=500, description="Symbols to compare with a source that has no whole days at a low cost."
    )

    @field_validator("witnesses")
    @classmethod
    def _exist(cls, names: list[str]) -> list[str]:
        for name in names:
            if name not in source_names():
                raise ValueError(f"there is no data source {name!r}; the sources are {', '.join(source_names())}")
        return names


@declares(writes=("source_differences", "source_comparisons"), reads=tuple(COMPARED))
def compare_sources(params: WitnessParams, run: TaskRun) -> TaskResult:
    """Compare the stored rows of a day with a source that did not give them, table by table.

    All rows are compared where the other source gives the day in bulk, else a sample of symbols. A dataset that is the
    witness of a table is compared with it where both are stored. The stored rows stay
    as they are: neither source is preferred, and each difference is kept in the table `source_differences`.

    Raises:
        SourceError: Every source that was asked failed.
        LakeError: The lake cannot be read or written.
    """
    lake = run.lake()
    if (lake.stored_world() or "real") != "real":
        return TaskResult(status="skipped", message="Simulated data has no witness: there is one source of it.")
    report, opened = WitnessReport(lake=lake), dict[str, CheckedSource]()
    for done, table in enumerate(params.tables):
        run.report_progress(done, len(params.tables), table)
        _compare_table(table, params, run, opened, report)
    for dataset in witnessing():
        if compared := compare_stored(dataset, lake, params.day):
            stored, result = compared
            report.add(stored, (stored.source, dataset.name), result)
    _compare_calendars(report.asked.values(), params.day, report)
    return report.result()


def _compare_table(
    table: str, params: WitnessParams, run: TaskRun, opened: dict[str, CheckedSource], report: WitnessReport
) -> None:
    """Compare a table with the first witness that has the day, and record the result."""
    stored = stored_day(report.lake, table, params.day)
    if stored is None:
        report.skipped.append(f"{table}: nothing is loaded{f' of {params.day}' if params.day else ''}.")
        return
    if pair := stored.pair():
        (first, own), (second, other) = pair
        report.add(stored, (first, second), compare(table, own, other))
        return
    failures: dict[str, MyStocksError] = {}
    for witness in _candidates(stored, params.witnesses):
        try:
            source = _opened(witness.source, run.settings, opened)
            if late_until(source, table, stored.day):
                continue
            result, other = _compare_with(stored, witness, source, params.sample)
        except (NotOffered, SourceNotSet):
            continue
        except (SourceError, SettingsError) as error:
            run.logger.warning("%s could not be compared with %s: %s", table, witness.source, error)
            failures[witness.source] = error
            continue
        report.asked[source.name] = source
        report.add(stored, (stored.source, witness.source), result)
        if table == "adjust_events":
            _compare_ex_days(stored.day, witness, other, report)
        report.add_failures(stored, failures, followed=True)
        return
    report.add_failures(stored, failures, followed=False)
    if not failures:
        report.skipped.append(f"{table}: no other source has {stored.day} now.")


def _candidates(stored: StoredDay, named: Sequence[str]) -> list[Witness]:
    """Return the witnesses that can have the day by their declarations, in order."""
    newest, _ = shanghai().probable_latest_closed(clock.now())
    witnesses = witnesses_of(stored.table, without=stored.givers)
    if named:
        witnesses = tuple(sorted((w for w in witnesses if w.source in named), key=lambda w: named.index(w.source)))
    return [witness for witness in witnesses if covers(witness, stored.day, newest)]


def _opened(name: str, settings: Settings, opened: dict[str, CheckedSource]) -> CheckedSource:
    """Return a source, opened once.

    Raises:
        SourceNotSet: Its variable is not set.
        SettingsError: It cannot be opened, for example because its file is not there.
    """
    if name not in opened:
        opened[name] = CheckedSource(open_source(name, settings))
    return opened[name]


def _compare_ex_days(day: date, witness: Witness, factors: pl.DataFrame, report: WitnessReport) -> None:
    """Compare which stocks have a corporate action on a day with those of which the witness states a factor.

    That is done where the actions of the day are known. Factors are cumulated, so their size is not compared.
    """
    known = known_day(report.lake, "corporate_actions", day)
    if known is None:
        return
    of_stocks = in_exchanges(witness.offer.exchanges) & board_expr("symbol").is_not_null()
    acting = known.rows.filter(of_stocks).unique("symbol").sort("symbol")
    result = compare_columns({}, acting, factors.filter(of_stocks), same_rows=True)
    report.add(known, (known.source, witness.source), result)


def _compare_with(
    stored: StoredDay, witness: Witness, source: CheckedSource, sample: int
) -> tuple[Comparison, pl.DataFrame]:
    """Return the comparison, and the rows of the witness."""
    own = stored.rows.filter(in_exchanges(witness.offer.exchanges))
    symbols = None if witness.in_bulk else sampled(own["symbol"].to_list(), sample, f"{stored.table} {stored.day}")
    other = _fetch(stored, source, symbols)
    if symbols is not None:
        own = own.filter(pl.col("symbol").is_in(symbols))
    if other.is_empty() and own.height and stored.table not in _SPARSE:
        return _no_rows(stored, source, own.height), other
    return compare(stored.table, own, other.filter(in_exchanges(stored.exchanges))), other


def _fetch(stored: StoredDay, source: CheckedSource, symbols: list[str] | None) -> pl.DataFrame:
    if stored.table == "daily_bars":
        frames = [stored.rows.clear(), *source.daily_bars([stored.day], symbols)]
        other = pl.concat(frames, how="diagonal_relaxed")
    elif stored.table == "corporate_actions":
        other = source.corporate_actions(stored.day, stored.day)
    else:
        other = source.rows(WITNESS_TABLES.get(stored.table, stored.table), stored.day, stored.day)
        other = other if symbols is None else other.filter(pl.col("symbol").is_in(symbols))
    take_findings(source, WITNESS_TABLES.get(stored.table, stored.table))
    return other


def _no_rows(stored: StoredDay, source: CheckedSource, rows: int) -> Comparison:
    """Return the comparison of a day of which the witness has no row: a holiday by its calendar, or not."""
    try:
        days = source.trading_days()
    except NotOffered:
        days = []
    if days and days[0] <= stored.day <= days[-1] and stored.day not in set(days):
        note = f"{source.name} calls {stored.day} a holiday, while {stored.source} has {rows:,} rows of it."
        return day_difference("holiday", f"{rows} rows", "holiday", note, rows)
    note = f"{source.name} has no row of {stored.day}, while {stored.source} has {rows:,}."
    return day_difference("no_rows", f"{rows} rows", None, note, rows)


def _compare_calendars(sources: Iterable[CheckedSource], day: date | None, report: WitnessReport) -> None:
    """Compare the trading days around the day by the calendar in force and by each opened source that states them."""
    around, calendar = day or clock.now().date(), shanghai()
    for source in sources:
        try:
            days = source.trading_days()
        except NotOffered:
            continue
        except SourceError as error:
            report.failures[f"trading_calendar with {source.name}"] = error
            continue
        first = max(around - _CALENDAR, calendar.first, days[0])
        last = min(around + _CALENDAR, calendar.last, days[-1])
        if first > last:
            continue
        ours = set(calendar.sessions(first, last))
        theirs = {item for item in days if first <= item <= last}
        report.add_calendar(source.name, calendar_differences(ours, theirs), (first, last))
