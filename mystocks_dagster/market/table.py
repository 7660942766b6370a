"""The types with which a table is declared: its columns, key, partitioning and value rules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import Any, Literal, Protocol

import polars as pl

from mystocks_dagster.market.publication import AFTER_THE_CLOSE, Publication

#: The type of every stored moment: microseconds in Shanghai's time zone.
MOMENT = pl.Datetime("us", "Asia/Shanghai")

#: The effect of a broken rule. `row`: the row is set aside. `value`: one column becomes unknown. `refuse`: the write of
#: a computed table is refused. `check`: the row is stored, and the asset check of the rule's name warns.
Severity = Literal["row", "value", "refuse", "check"]

#: The subject of a table: its asset group in Dagster, and the module of `market.tables` that declares it.
Domain = Literal["reference", "market", "fundamentals", "flows", "indicators", "research", "system"]

#: The origin of a table's rows: a source with past days, a source with the present moment only, or our own tasks.
Origin = Literal["source", "snapshot", "computed"]


@dataclass(frozen=True)
class Column:
    """A column: its type, its unit or meaning in words, and whether it may be null.

    Attributes:
        label: What the source of a dataset file calls it, if that is Chinese; the columns of this package have their
            Chinese names in `texts/zh/declared/column_names.json`.
    """

    name: str
    dtype: pl.DataType | type[pl.DataType]
    unit: str
    null: bool = False
    label: str = ""


#: The origin of a row, which the lake stores with each row of a table from outside.
PROVENANCE = (
    Column("source", pl.String, "name of the source that gave the row; null in rows of an older version", null=True),
    Column("loaded_at", MOMENT, "time of the request that gave the row; null in rows of an older version", null=True),
)


@dataclass(frozen=True)
class Rule:
    """A rule about the values of a row.

    Attributes:
        name: The value of the column `rule` in the table `quarantine`.
        reason: The fault of a row that breaks the rule, as a clause.
        breaks: Returns the expression that is true in such rows; null means that the rule is not broken. It is called
            for each check, as some rules depend on today or on the trading calendar.
        severity: The effect on such rows.
        column: With `value`, the column that becomes unknown.
        remedy: With `check`, what a person does about such rows, as a sentence.
    """

    name: str
    reason: str
    breaks: Callable[[], pl.Expr]
    severity: Severity = "row"
    column: str | None = None
    remedy: str = ""


class StoredRows(Protocol):
    """What a check may read: the rows of its table's newest days, and other tables of the same lake.

    Attributes:
        table: The checked table.
        rows: Its rows of the last `check_days` days, or all.
        now: The moment of the check.
    """

    table: "Table"
    rows: pl.DataFrame
    now: datetime

    @property
    def days(self) -> Sequence[date]:
        """The distinct days of `rows`, ascending."""
        ...

    def other(self, table: str, **selection: Any) -> pl.DataFrame:
        """Return rows of another table of the lake, selected as in `Lake.read`; empty if it does not exist."""
        ...

    def coverage(self) -> pl.DataFrame:
        """Return the state of each trading day of the table; see `lake.coverage`."""
        ...

    def outdated(self) -> pl.DataFrame:
        """Return the inputs that have changed since the table was computed; see `lake.outdated`."""
        ...


@dataclass(frozen=True)
class Check:
    """An asset check of a table.

    Attributes:
        name: Its name in Dagster.
        fails_if: When it fails, as a clause.
        remedy: What a person does about a failure, as sentences; `{table}`, `{task}`, `{first}` and `{last}` stand for
            the table, its task, and the first and last failing day.
        failing: Returns the rows that fail, with whatever columns explain them; empty means passed.
        blocking: Whether a failure is an error that stops what depends on the table; else it is a warning.
        of_days: Whether it checks the days of `coverage`, without reading a row.
        of_inputs: Whether it checks the inputs of a computed table, without reading a row.
        summary: Returns a sentence about the outcome, such as a percentage, whether it failed or not.
    """

    name: str
    fails_if: str
    remedy: str
    failing: Callable[[StoredRows], pl.DataFrame]
    blocking: bool = False
    of_days: bool = False
    of_inputs: bool = False
    summary: Callable[[StoredRows], str] = lambda _: ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of the lake.

    Attributes:
        name: The name of the table and its Dagster asset key.
        title: The Chinese name.
        about: The content in one line of English.
        about_zh: The content in one line of Chinese.
        domain: The subject, which is the asset group.
        origin: The origin of the rows.
        grain: What one row stands for.
        key: The columns that identify a row uniquely.
        columns: The columns in stored order.
        computed_from: The tables from whose rows our own tasks compute it; a check compares it with them.
        date_column: The column of the trading day (or report period), if any.
        by_day: Whether a trading day is written and replaced as a whole. Such a table is partitioned by trading day in
            Dagster and by year on disk.
        by_month: Whether it is stored like such a table, in one file per calendar month, although it is not written by
            whole days.
        rules: The value rules; every source's rows are checked against them before they are stored. The table's asset
            checks in Dagster are built from them: one for each `check` rule, and one for all others.
        check_days: The number of newest days that the asset checks read; None means all rows.
        known_by: The columns that state since which day a row has been known; the first that is not null counts. A row
            in which all are null is not known as of any day. Empty: the table cannot be read as of a day.
        version_key: The columns in which the versions of one fact agree: as of a day, only the newest rows known by
            then are read. Empty: no row replaces another.
        ends: Days that are stated once they have come, such as the end of a membership: as of an earlier day, null.
        available_after: When the rows of a trading day are published; before that the newest day is neither missing
            nor late. A task's field of the same name wins.
        open: Whether columns of numbers may be added to the stored table, such as those of further indicators.
        checks: Asset checks that compare rows with each other, with other tables and with the calendar; every table
            has those of its key and of its required columns.
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
    computed_from: tuple[str, ...] = ()
    date_column: str | None = None
    by_day: bool = False
    by_month: bool = False
    rules: tuple[Rule, ...] = ()
    check_days: int | None = None
    known_by: tuple[str, ...] = ()
    version_key: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    available_after: Publication = AFTER_THE_CLOSE
    open: bool = False
    checks: tuple[Check, ...] = ()

    @property
    def description(self) -> str:
        """The content in one line of plain text in both languages."""
        return f"{self.title}：{self.about_zh}。{self.about}."

    @property
    def partitioned(self) -> bool:
        """Whether the table is partitioned by year on disk, in one file per calendar month."""
        return self.by_day or self.by_month

    @property
    def dtypes(self) -> dict[str, pl.DataType | type[pl.DataType]]:
        """The polars types by column name, in stored order."""
        return {column.name: column.dtype for column in self.columns}

    @cached_property
    def stored(self) -> "Table":
        """The table as the lake stores it: with `PROVENANCE`, unless our own tasks compute it."""
        if self.origin == "computed":
            return self
        names = {column.name for column in self.columns}
        return replace(self, columns=(*self.columns, *(item for item in PROVENANCE if item.name not in names)))

    def stamped(self, frame: pl.DataFrame, source: str, moment: datetime) -> pl.DataFrame:
        """Return rows of the declared columns with their provenance, as the lake stores them."""
        values = {"source": pl.lit(source), "loaded_at": pl.lit(moment).cast(MOMENT)}
        absent = [name for name in self.stored.dtypes if name not in self.dtypes]
        return frame.with_columns(values[name].alias(name) for name in absent)

    def complete(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the frame in stored order, with null in the nullable columns that it lacks."""
        absent = (column for column in self.columns if column.null and column.name not in frame.columns)
        frame = frame.with_columns(pl.lit(None, column.dtype).alias(column.name) for column in absent)
        return frame.select(name for name in self.dtypes if name in frame.columns)

    def typed(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the frame in stored order and types, with null in the nullable columns that it lacks.

        Raises:
            polars.exceptions.PolarsError: A value does not fit its type, or a required column is missing.
        """
        complete = self.complete(frame)
        return complete.select(pl.col(name).cast(dtype) for name, dtype in self.dtypes.items())

    def empty(self) -> pl.DataFrame:
        """Return a frame with this table's columns and no rows."""
        return pl.DataFrame(schema=self.dtypes)
