"""The terms in which a table is declared: columns, keys, partitioning and value rules, as data."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import polars as pl

#: Every stored moment is an instant in Shanghai's time zone, to the microsecond.
MOMENT = pl.Datetime("us", "Asia/Shanghai")

#: What becomes of a row that breaks a rule:
#: `row` is set aside as a whole; of `value` one column becomes unknown; `refuse` refuses the write of a computed table;
#: of `check` the row is stored, and the asset check of the rule's name warns.
Severity = Literal["row", "value", "refuse", "check"]

#: What a table is about: its asset group in Dagster, and the module of `market.tables` that declares it.
Domain = Literal["reference", "market", "fundamentals", "flows", "indicators", "research", "system"]

#: Where a table's rows come from: a source that has them of past days too, a source that gives the present moment only,
#: or our own tasks.
Origin = Literal["source", "snapshot", "computed"]


@dataclass(frozen=True)
class Column:
    """One column: its type, its unit in words, and whether it may be null."""

    name: str
    dtype: pl.DataType | type[pl.DataType]
    unit: str
    null: bool = False


@dataclass(frozen=True)
class Rule:
    """One rule about the values of a row.

    Attributes:
        name: As in the column `rule` of the table `quarantine`.
        reason: What is wrong with a row that breaks it, in words.
        breaks: Makes the expression that is true in such rows; null counts as obeyed. It is made when it is needed:
            some rules depend on today or on the trading calendar.
        severity: What becomes of such rows.
        column: With `value`, the column that becomes unknown.
    """

    name: str
    reason: str
    breaks: Callable[[], pl.Expr]
    severity: Severity = "row"
    column: str | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of the lake.

    Attributes:
        name: Also the Dagster asset key.
        title: Its Chinese name.
        about: What it holds, in one line of plain English.
        about_zh: The same in Chinese.
        domain: What it is about: its asset group.
        origin: Where its rows come from.
        grain: What one row is.
        key: The columns that identify a row; no two rows share them.
        columns: In stored order.
        date_column: The column that holds the trading day (or report period), if any.
        by_day: True when a trading day is written and replaced as a whole; such a table is partitioned
            by trading day in Dagster and by year on disk.
        rules: What no row may hold; every source's rows are held against them before they are stored. The table's
            asset checks in Dagster are built from them too: one of each `check` rule, and one of all the others.
        check_days: How many days back from the newest one the asset checks look; None means all rows.
    """

    name: str
    title: str
    about: str
    about_zh: str
    domain: Domain
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    origin: Origin = "computed"
    date_column: str | None = None
    by_day: bool = False
    rules: tuple[Rule, ...] = ()
    check_days: int | None = None

    @property
    def description(self) -> str:
        """What it holds, in one line of plain text in both languages."""
        return f"{self.title}：{self.about_zh}。{self.about}."

    @property
    def dtypes(self) -> dict[str, pl.DataType | type[pl.DataType]]:
        """Column name to polars type, in stored order."""
        return {column.name: column.dtype for column in self.columns}

    def empty(self) -> pl.DataFrame:
        """Return a frame with this table's columns and no rows."""
        return pl.DataFrame(schema=self.dtypes)
