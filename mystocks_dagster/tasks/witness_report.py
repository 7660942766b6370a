"""What a run of `compare_sources` has compared, stored and missed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.lake.comparisons import record_calendar, record_comparison
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.witnesses import Comparison, unread
from mystocks_dagster.sources.checked import CheckedSource
from mystocks_dagster.tags import State
from mystocks_dagster.tasks.run import TaskResult
from mystocks_dagster.tasks.stored_day import StoredDay


@dataclass(kw_only=True)
class WitnessReport:
    """What was compared so far.

    Attributes:
        lake: Where comparisons and differences are stored.
        compared: A sentence for each comparison.
        skipped: A sentence for each table that has no witness now.
        rows: Number of written rows by table.
        failures: Errors by `TABLE with SOURCE`.
        asked: The sources that gave rows, by name.
    """

    lake: Lake
    compared: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    failures: dict[str, MyStocksError] = field(default_factory=dict)
    asked: dict[str, CheckedSource] = field(default_factory=dict)

    def add(self, stored: StoredDay, sources: tuple[str, str], result: Comparison) -> None:
        """Store a comparison."""
        record_comparison(self.lake, stored.table, stored.day, sources, result)
        self._count("source_differences", result.differences.height)
        self._count("source_comparisons", 1)
        self.compared.append(_sentence(stored, sources, result))

    def add_failures(self, stored: StoredDay, failures: Mapping[str, MyStocksError], *, followed: bool) -> None:
        """Add the witnesses that failed, and store those that need a person: a retry does not mend their files.

        Args:
            stored: The rows.
            failures: The errors by source.
            followed: Whether another witness was compared, so that one which may answer later is no failure of the
                task.
        """
        for source, error in failures.items():
            if not error.retryable:
                result = unread(f"{source} could not be compared: {error}", stored.rows.height)
                record_comparison(self.lake, stored.table, stored.day, (stored.source, source), result)
                self._count("source_differences", result.differences.height)
            if followed and error.retryable:
                self.compared.append(f"{stored.table}: {source} could not be compared: {error}")
            else:
                self.failures[f"{stored.table} with {source}"] = error

    def add_calendar(self, source: str, differences: pl.DataFrame, span: tuple[date, date]) -> None:
        """Store the days of a span on which the calendar of a source differs."""
        record_calendar(self.lake, source, differences, span)
        self._count("source_differences", differences.height)
        if differences.height:
            listed = ", ".join(f"{row['date']} ({row['value_b']} there)" for row in differences.iter_rows(named=True))
            self.compared.append(f"The calendar of {source} differs: {listed}.")

    def result(self) -> TaskResult:
        """Return the result of the run.

        Raises:
            SourceError, SettingsError: Every source that was asked failed.
        """
        if self.failures and not self.compared:
            errors = list(self.failures.values())
            raise next((error for error in errors if error.retryable), errors[0])
        failures = [f"{name} failed: {error}" for name, error in self.failures.items()]
        status = State.SUCCESS if self.compared or self.rows.get("source_comparisons") else State.SKIPPED
        return TaskResult(
            status=State.PARTIAL_SUCCESS if failures else status,
            message=" ".join([*self.compared, *failures, *self.skipped]),
            rows=self.rows,
            failed_items=tuple(self.failures),
        )

    def _count(self, table: str, rows: int) -> None:
        self.rows[table] = self.rows.get(table, 0) + rows


def _sentence(stored: StoredDay, sources: tuple[str, str], result: Comparison) -> str:
    table, day, (first, second) = stored.table, stored.day, sources
    if result.note:
        return f"{table} of {day}: {first} and {second}: {result.note}"
    rows = result.agreeing + result.differing
    if not rows:
        return f"{table} of {day}: neither {first} nor {second} has a row."
    if result.differing:
        return f"{table} of {day}: {first} and {second} agree except in {result.differing:,} of {rows:,} rows."
    return f"{table} of {day}: {first} and {second} agree in all {rows:,} rows."
