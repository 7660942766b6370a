"""How a frame is checked against the value rules of its table; the rules themselves stand beside its columns."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from mystocks_dagster.market.table import Rule, Table

#: A day (or a frame, of a table without days) is refused as a whole when more than this share of its rows is set
#: aside, and more than `FEW`: then it is not what it says, and the rest is not trusted either.
MOST = 0.05
FEW = 3
#: Of a refused day, so many rows are kept to show why.
EXAMPLES = 3


@dataclass(frozen=True)
class Fault:
    """One row that broke a rule: `key` as text, its day if it has one, and its values.

    `stored` says that the row is in its table nevertheless, with one value unknown.
    """

    rule: str
    reason: str
    key: str
    date: date | None
    row: Mapping[str, Any]
    stored: bool = False

    def as_json(self) -> str:
        """Return the row as JSON; what JSON has no number for becomes text."""
        return json.dumps({name: _plain(value) for name, value in self.row.items()}, ensure_ascii=False)


@dataclass(frozen=True)
class Checked:
    """A frame held against rules.

    Attributes:
        rows: What may be stored.
        faults: What was set aside, and rows of which a value became unknown.
        refused: Days (None: the whole frame) that are refused, and why.
    """

    rows: pl.DataFrame
    faults: tuple[Fault, ...] = ()
    refused: Mapping[date | None, str] = field(default_factory=dict)


def check(table: Table, frame: pl.DataFrame) -> Checked:
    """Hold a frame with the columns of `table` against the table's rules, in one pass when nothing is wrong."""
    rules = [rule for rule in table.rules if rule.severity in ("row", "value")]
    if not rules or frame.is_empty():
        return Checked(frame)
    broken = frame.select(rule.breaks().fill_null(value=False).any().alias(rule.name) for rule in rules).row(
        0, named=True
    )
    values, rows = (
        {rule: rule.breaks() for rule in rules if broken[rule.name] and (rule.severity == "value") is kind}
        for kind in (True, False)
    )
    # A value that is none is unknown to the other rules too: its row may be sound without it.
    first = part(table, frame, values)
    second = part(table, first.rows, rows)
    return Checked(second.rows, first.faults + second.faults, second.refused)


def broken_rule(table: Table, frame: pl.DataFrame) -> tuple[Rule, pl.DataFrame] | None:
    """Return the first `refuse` rule that is broken, with the rows that break it; None when all are obeyed."""
    for rule in table.rules:
        if rule.severity == "refuse" and (bad := frame.filter(rule.breaks())).height:
            return rule, bad
    return None


def part(table: Table, frame: pl.DataFrame, breaks: Mapping[Rule, pl.Expr], *, whole: bool = True) -> Checked:
    """Part a frame into the rows that may be stored and those that break one of `breaks`.

    A row that breaks several rules is listed under each. A frame that is not `whole` holds some symbols only, so that
    a share of them says nothing about a day.
    """
    if not breaks:
        return Checked(frame)
    flags = frame.select(expr.fill_null(value=False).alias(rule.name) for rule, expr in breaks.items())
    names = [rule.name for rule in breaks if rule.severity == "row"]
    bad = (
        flags.select(pl.any_horizontal(names)).to_series()
        if names
        else pl.repeat(value=False, n=frame.height, eager=True)
    )
    refused = (
        _refused(table, frame, bad, flags, {rule.name: rule.reason for rule in breaks if rule.name in names})
        if whole and names
        else {}
    )
    faults = [fault for rule in breaks for fault in _faults(table, frame.filter(flags[rule.name]), rule, refused)]
    unknown = [
        pl.when(flags[rule.name]).then(None).otherwise(pl.col(rule.column)).alias(rule.column)
        for rule in breaks
        if rule.severity == "value" and rule.column
    ]
    for value in unknown:  # two rules may be about one column
        frame = frame.with_columns(value)
    keep = ~bad & ~_of_days(table, frame, refused)
    return Checked(frame.filter(keep), tuple(faults), refused)


def key_of(table: Table, row: Mapping[str, Any]) -> str:
    """Return a row's key as text: `600000.SH 2024-03-01`."""
    return " ".join(f"{row[name]}" for name in table.key)


def _refused(
    table: Table, frame: pl.DataFrame, bad: pl.Series, flags: pl.DataFrame, reasons: Mapping[str, str]
) -> dict[date | None, str]:
    """Return the days of which too many rows are bad, each with the rule that most of them break."""
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
            f"{worst}: {reasons[worst]}, in {row[worst]:,} of {row['rows']:,} rows, e.g. {_shown(example)}"
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


def _shown(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in row.items() if value is not None)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value}"
    return value if isinstance(value, str | int | float | bool | None) else f"{value}"
