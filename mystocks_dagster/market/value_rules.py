"""Check a frame against the value rules of its table; `market.tables` declares the rules beside the columns."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from mystocks_dagster.market.table import Rule, Table

#: A day (or the frame, if the table has no days) is refused as a whole if more than this share of its rows, and more
#: than `FEW` rows, break a rule: then the remaining rows cannot be trusted either.
MOST = 0.05
FEW = 3
#: From so many rows on, a frame is checked in streaming.
_LARGE = 200_000
#: The number of rows of a refused day that are kept as examples.
EXAMPLES = 3


@dataclass(frozen=True)
class Fault:
    """A row that breaks a rule: its key as text, its day if it has one, and its values.

    `stored` is True if the row is stored nevertheless, with one value unknown.
    """

    rule: str
    reason: str
    key: str
    date: date | None
    row: Mapping[str, Any]
    stored: bool = False

    def as_json(self) -> str:
        """Return the row as JSON; a value that JSON cannot represent becomes text."""
        return json.dumps({name: _plain(value) for name, value in self.row.items()}, ensure_ascii=False)


@dataclass(frozen=True)
class CheckedFrame:
    """The result of checking a frame against rules.

    Attributes:
        rows: The rows to store.
        faults: Rows that are not stored, and rows with a value set to unknown.
        refused: Refused days (None: the whole frame), with the reason.
    """

    rows: pl.DataFrame
    faults: tuple[Fault, ...] = ()
    refused: Mapping[date | None, str] = field(default_factory=dict)


def check(table: Table, frame: pl.DataFrame) -> CheckedFrame:
    """Check a frame with the columns of `table` against the table's rules, in one pass if no rule is broken."""
    rules = [rule for rule in table.rules if rule.severity in ("row", "value")]
    if not rules or frame.is_empty():
        return CheckedFrame(frame)
    flags = frame.lazy().select(rule.breaks().fill_null(value=False).any().alias(rule.name) for rule in rules)
    # In streaming, the intermediate columns of a large frame stay in the processor's cache: half the time.
    flags = flags.collect(engine="streaming" if frame.height > _LARGE else "in-memory")
    broken = [rule for rule in rules if flags[rule.name].item()]
    # An invalid value is set to unknown before the row rules run: its row may be valid without it.
    first = apply_rules(table, frame, {rule: rule.breaks() for rule in broken if rule.severity == "value"})
    second = apply_rules(table, first.rows, {rule: rule.breaks() for rule in broken if rule.severity == "row"})
    return CheckedFrame(second.rows, first.faults + second.faults, second.refused)


def broken_rule(table: Table, frame: pl.DataFrame) -> tuple[Rule, pl.DataFrame] | None:
    """Return the first broken `refuse` rule and the rows that break it; None if no rule is broken."""
    for rule in table.rules:
        if rule.severity == "refuse" and (bad := frame.filter(rule.breaks())).height:
            return rule, bad
    return None


def apply_rules(
    table: Table, frame: pl.DataFrame, breaks: Mapping[Rule, pl.Expr], *, whole: bool = True
) -> CheckedFrame:
    """Separate the rows to store from the rows that break one of `breaks`.

    A row that breaks several rules has a fault for each. If `whole` is False, the frame holds a selection of symbols,
    and no day is refused because of the share of its broken rows.
    """
    if not breaks:
        return CheckedFrame(frame)
    flags = frame.select(expr.fill_null(value=False).alias(rule.name) for rule, expr in breaks.items())
    reasons = {rule.name: rule.reason for rule in breaks if rule.severity == "row"}
    bad, refused = pl.repeat(value=False, n=frame.height, eager=True), {}
    if reasons:
        bad = flags.select(pl.any_horizontal(list(reasons))).to_series()
        refused = _refused(table, frame, bad, flags, reasons) if whole else {}
    faults = [fault for rule in breaks for fault in _faults(table, frame.filter(flags[rule.name]), rule, refused)]
    unknown = [
        pl.when(flags[rule.name]).then(None).otherwise(pl.col(rule.column)).alias(rule.column)
        for rule in breaks
        if rule.severity == "value" and rule.column
    ]
    for value in unknown:  # one at a time: two rules may concern the same column
        frame = frame.with_columns(value)
    keep = ~bad & ~_of_days(table, frame, refused)
    return CheckedFrame(frame.filter(keep), tuple(faults), refused)


def key_of(table: Table, row: Mapping[str, Any]) -> str:
    """Return a row's key as text: `600000.SH 2024-03-01`."""
    return " ".join(f"{row[name]}" for name in table.key)


def _refused(
    table: Table, frame: pl.DataFrame, bad: pl.Series, flags: pl.DataFrame, reasons: Mapping[str, str]
) -> dict[date | None, str]:
    """Return the days with too many bad rows, each with the rule that most of them break."""
    days = (
        frame[table.date_column]
        if table.by_day and table.date_column
        else pl.repeat(None, frame.height, dtype=pl.Date, eager=True)
    )
    names = list(reasons)
    counts = (
        flags.select(names)
        .with_columns(day=days, bad=bad)
        .group_by("day", maintain_order=True)
        .agg(pl.len().alias("rows"), pl.col("bad", *names).sum())
        .filter(pl.col("bad") > pl.max_horizontal(pl.lit(FEW), pl.col("rows") * MOST))
    )
    refused: dict[date | None, str] = {}
    for row in counts.iter_rows(named=True):
        worst = max(names, key=lambda name: row[name])
        example = frame.filter(flags[worst] & days.eq_missing(pl.lit(row["day"], pl.Date))).row(0, named=True)
        refused[row["day"]] = (
            f"{worst}: {reasons[worst]}, in {row[worst]:,} of {row['rows']:,} rows, e.g. {_to_text(example)}"
        )
    return refused


def _faults(table: Table, broken: pl.DataFrame, rule: Rule, refused: Mapping[date | None, str]) -> list[Fault]:
    day = table.date_column
    if table.by_day and day and refused:
        examples = broken.filter(pl.col(day).is_in(list(refused))).group_by(day, maintain_order=True).head(EXAMPLES)
        broken = pl.concat([broken.filter(~pl.col(day).is_in(list(refused))), examples.select(broken.columns)])
    elif refused:
        broken = broken.head(EXAMPLES)
    return [
        Fault(rule.name, rule.reason, key_of(table, row), row.get(day or ""), row, rule.severity == "value")
        for row in broken.iter_rows(named=True)
    ]


def _of_days(table: Table, frame: pl.DataFrame, refused: Mapping[date | None, str]) -> pl.Series:
    if not refused or None in refused:
        return pl.repeat(None in refused, frame.height, dtype=pl.Boolean, eager=True)
    return frame[table.date_column or ""].is_in(list(refused))


def _to_text(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in row.items() if value is not None)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value}"
    return value if isinstance(value, str | int | float | bool | None) else f"{value}"
