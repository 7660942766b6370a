"""Check stored rows against the contract of their table; Dagster's asset checks report the outcome."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

import polars as pl

from mystocks_dagster.lake.coverage import coverage
from mystocks_dagster.lake.layout import date_column
from mystocks_dagster.lake.outdated import outdated
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.checks import checks_of
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.publication import Publication
from mystocks_dagster.market.table import Check, Rule, Table
from mystocks_dagster.market.tables import TABLES

#: The check of all rules that are applied before a write; rows that an older version wrote may break them.
VALUE_RULES = "value_rules"
#: The number of failing rows that an outcome shows.
EXAMPLES = 20
_RULE_REMEDY = "See the table's rules in docs/lake.md, correct the rows at the source, and run the task again: {run}."
_RUN = "mystocks run {task}"


@dataclass(frozen=True, kw_only=True)
class StoredCheck:
    """The outcome of one check of one table.

    Attributes:
        rows: Number of checked rows, or days.
        failing: Number of failing rows.
        detail: The broken rules and an example of each.
        examples: The first failing rows.
        remedy: What a person does about a failure.
        blocking: Whether a failure is an error that stops what depends on the table.
        noun: What is counted: rows or days.
        summary: A sentence about the outcome.
    """

    name: str
    rows: int
    failing: int
    detail: str = ""
    examples: pl.DataFrame = field(default_factory=pl.DataFrame, compare=False)
    remedy: str = ""
    blocking: bool = False
    noun: str = "rows"
    summary: str = ""

    @property
    def description(self) -> str:
        """The outcome in one line, with the remedy of a failure."""
        if self.summary:
            return " ".join(filter(None, [self.summary, *((self.detail, self.remedy) if self.failing else ())]))
        if not self.failing:
            return f"All {self.rows:,} {self.noun} pass."
        summary = f"{self.failing:,} of {self.rows:,} {self.noun} fail."
        return " ".join(filter(None, [summary, self.detail, self.remedy]))


@dataclass(frozen=True, kw_only=True)
class CheckDeclaration:
    """A check of one table as Dagster lists it."""

    name: str
    description: str
    blocking: bool = False


class CheckedRows:
    """The rows that the checks of one table read; see `market.table.StoredRows`."""

    def __init__(
        self,
        lake: Lake,
        table: Table,
        published: Mapping[str, Publication] | None = None,
        moment: datetime | None = None,
    ) -> None:
        self._lake, self.table, self._published = lake, table, published
        self.now = moment or now()

    @cached_property
    def rows(self) -> pl.DataFrame:
        """The rows of the newest `check_days` days, or all."""
        table = self.table
        if table.check_days is None:
            return self._lake.read(table.name)
        newest = self._lake.head(table.name, 1)[date_column(table)].max()
        start = newest - timedelta(days=table.check_days) if isinstance(newest, date) else None
        return self._lake.read(table.name, start=start)

    @cached_property
    def days(self) -> Sequence[date]:
        """The distinct days of `rows`, ascending."""
        return self.rows[date_column(self.table)].unique().sort().to_list()

    def other(self, table: str, **selection: Any) -> pl.DataFrame:
        """Return rows of another table of the lake; empty if it does not exist."""
        if table not in TABLES or not self._lake.exists(table):
            columns = selection.get("columns")
            empty = TABLES[table].empty() if table in TABLES else pl.DataFrame(schema={"table": pl.String})
            return empty.select(columns) if columns and table in TABLES else empty
        return self._lake.read(table, **selection)

    @cached_property
    def _coverage(self) -> pl.DataFrame:
        return coverage(self._lake, [self.table.name], published=self._published, moment=self.now)

    def coverage(self) -> pl.DataFrame:
        """Return the state of each trading day of the table."""
        return self._coverage

    def outdated(self) -> pl.DataFrame:
        """Return the inputs that have changed since the table was computed."""
        return outdated(self._lake, self.table)


def check_declarations(table: Table, task: str | None = None) -> tuple[CheckDeclaration, ...]:
    """Return the checks of a table.

    Args:
        table: The table.
        task: The task that owns it, for the commands of the remedies.
    """
    names = {"table": table.name, "task": task or "TASK", "first": "DAY", "last": "DAY"}
    declared = [
        CheckDeclaration(
            name=check.name,
            description=f"Fails if {check.fails_if}. {check.remedy.format(**names)}",
            blocking=check.blocking,
        )
        for check in checks_of(table)
    ]
    rules = [
        CheckDeclaration(name=rule.name, description=f"Fails if {rule.reason}. {_remedy_of_rule(rule, task)}")
        for rule in table.rules
        if rule.severity == "check"
    ]
    if any(rule.severity != "check" for rule in table.rules):
        about = "Fails if a stored row breaks a rule that is checked before rows are stored."
        rules.append(CheckDeclaration(name=VALUE_RULES, description=f"{about} {_rule_remedy(task)}"))
    return (*rules, *declared)


def stored_checks(
    lake: Lake,
    table: Table,
    *,
    published: Mapping[str, Publication] | None = None,
    task: str | None = None,
    only: Collection[str] | None = None,
    moment: datetime | None = None,
) -> Iterator[StoredCheck]:
    """Yield the outcome of each check of a table, on its newest `check_days` days or on all rows.

    Args:
        lake: The lake.
        table: The table.
        published: When tables are published, where it is not as they declare.
        task: The task that owns the table, for the commands of the remedies.
        only: Names of the checks to run; None means all.
        moment: The present moment.

    Raises:
        TableMissing: The table does not exist yet.
        LakeError: The table, or another one that a check compares it with, cannot be read.
    """
    stored = CheckedRows(lake, table, published, moment)
    yield from (check for check in _rule_checks(stored, task, only))
    for check in checks_of(table):
        if only is None or check.name in only:
            yield _outcome(stored, check, task)


def _rule_checks(stored: CheckedRows, task: str | None, only: Collection[str] | None) -> Iterator[StoredCheck]:
    rules = stored.table.rules
    groups: dict[str, tuple[Rule, ...]] = {rule.name: (rule,) for rule in rules if rule.severity == "check"}
    if before := tuple(rule for rule in rules if rule.severity != "check"):
        groups[VALUE_RULES] = before
    wanted = {name: group for name, group in groups.items() if only is None or name in only}
    if not wanted:
        return
    frame = stored.rows
    counts = _counts(frame, [rule for group in wanted.values() for rule in group])
    for name, group in wanted.items():
        broken = [rule for rule in group if counts[rule.name]]
        yield StoredCheck(
            name=name,
            rows=frame.height,
            failing=sum(counts[rule.name] for rule in broken),
            detail=_details(frame, counts, broken),
            examples=_examples(frame, broken),
            remedy=_rule_remedy(task) if name == VALUE_RULES else _remedy_of_rule(group[0], task),
        )


def _outcome(stored: CheckedRows, check: Check, task: str | None) -> StoredCheck:
    failing = check.failing(stored)
    rows = _checked(stored, check)
    day = next((name for name in ("missing_on", "date", stored.table.date_column) if name in failing.columns), None)
    days = failing[day].drop_nulls() if day and failing.schema[day] == pl.Date else pl.Series([], dtype=pl.Date)
    first, last = (days.min(), days.max()) if len(days) else ("DAY", "DAY")
    return StoredCheck(
        name=check.name,
        rows=max(rows, failing.height),
        failing=failing.height,
        detail=f"{check.name}: {check.fails_if}, e.g. {_text(failing)}." if failing.height else "",
        examples=failing.head(EXAMPLES),
        remedy=check.remedy.format(table=stored.table.name, task=task or "TASK", first=first, last=last),
        blocking=check.blocking,
        noun="days" if check.of_days else "inputs" if check.of_inputs else "rows",
        summary=check.summary(stored),
    )


def _checked(stored: CheckedRows, check: Check) -> int:
    if check.of_inputs:
        return len(stored.table.computed_from)
    return stored.coverage().height if check.of_days else stored.rows.height


def _rule_remedy(task: str | None) -> str:
    return _RULE_REMEDY.format(run=_RUN.format(task=task or "TASK"))


def _remedy_of_rule(rule: Rule, task: str | None) -> str:
    return rule.remedy or _rule_remedy(task)


def _counts(frame: pl.DataFrame, rules: Sequence[Rule]) -> Mapping[str, int]:
    failing = (rule.breaks().fill_null(value=False).sum().alias(rule.name) for rule in rules)
    return frame.select(*failing).row(0, named=True)


def _details(frame: pl.DataFrame, counts: Mapping[str, int], broken: Sequence[Rule]) -> str:
    """Return each broken rule with its number of rows and an example."""
    texts = [
        f"{rule.name}: {rule.reason}, in {counts[rule.name]:,} rows, e.g. {_text(frame.filter(rule.breaks()))}"
        for rule in broken
    ]
    return f"{'; '.join(texts)}." if texts else ""


def _examples(frame: pl.DataFrame, broken: Sequence[Rule]) -> pl.DataFrame:
    parts = [frame.filter(rule.breaks()).head(EXAMPLES).with_columns(rule=pl.lit(rule.name)) for rule in broken]
    return pl.concat(parts, how="vertical").head(EXAMPLES) if parts else pl.DataFrame()


def _text(frame: pl.DataFrame) -> str:
    return ", ".join(f"{name}={value}" for name, value in frame.row(0, named=True).items() if value is not None)
