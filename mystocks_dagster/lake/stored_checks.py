"""Check stored rows against the rules of their table; Dagster's asset checks report the outcome."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from mystocks_dagster.lake.layout import date_column
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.table import Rule, Table

#: The check of all rules that are applied before a write; rows that an older version wrote may break them.
VALUE_RULES = "value_rules"
_ROWS = "_rows"


@dataclass(frozen=True, kw_only=True)
class StoredCheck:
    """The outcome of one check of one table: the number of checked and of failing rows, and an example."""

    name: str
    rows: int
    failing: int
    detail: str = ""

    @property
    def description(self) -> str:
        """The outcome in one line."""
        failure = f"{self.failing:,} of {self.rows:,} rows fail. {self.detail}"
        return failure if self.failing else f"All {self.rows:,} rows pass."


def check_descriptions(table: Table) -> dict[str, str]:
    """Return the checks of a table by name, each with its description."""
    descriptions = {rule.name: f"Fails if {rule.reason}." for rule in table.rules if rule.severity == "check"}
    if any(rule.severity != "check" for rule in table.rules):
        descriptions[VALUE_RULES] = "Fails if a stored row breaks a rule that is checked before rows are stored."
    return descriptions


def stored_checks(lake: Lake, table: Table) -> Iterator[StoredCheck]:
    """Yield the outcome of each check of a table, on its newest `check_days` days or on all rows.

    Raises:
        TableMissing: The table does not exist yet.
        LakeError: The table cannot be read.
    """
    frame = _rows_to_check(lake, table)
    counts = _counts(frame, table.rules)
    before = [rule for rule in table.rules if rule.severity != "check"]
    for rule in table.rules:
        if rule.severity == "check":
            yield StoredCheck(
                name=rule.name, rows=counts[_ROWS], failing=counts[rule.name], detail=_details(frame, counts, [rule])
            )
    if before:
        failing = sum(counts[rule.name] for rule in before)
        yield StoredCheck(name=VALUE_RULES, rows=counts[_ROWS], failing=failing, detail=_details(frame, counts, before))


def _rows_to_check(lake: Lake, table: Table) -> pl.DataFrame:
    if table.check_days is None:
        return lake.read(table.name)
    newest = lake.head(table.name, 1)[date_column(table)].max()
    start = newest - timedelta(days=table.check_days) if isinstance(newest, date) else None
    return lake.read(table.name, start=start)


def _counts(frame: pl.DataFrame, rules: Sequence[Rule]) -> Mapping[str, int]:
    failing = (rule.breaks().fill_null(value=False).sum().alias(rule.name) for rule in rules)
    return frame.select(pl.len().alias(_ROWS), *failing).row(0, named=True)


def _details(frame: pl.DataFrame, counts: Mapping[str, int], rules: Sequence[Rule]) -> str:
    """Return each broken rule with its number of rows and an example."""
    texts = []
    for rule in rules:
        if counts[rule.name]:
            row = frame.filter(rule.breaks()).row(0, named=True)
            example = ", ".join(f"{name}={value}" for name, value in row.items() if value is not None)
            texts.append(f"{rule.name}: {rule.reason}, in {counts[rule.name]:,} rows, e.g. {example}")
    return "; ".join(texts)
