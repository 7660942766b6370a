"""The lake's own tables: loaded days, rows set aside, and comparisons of sources."""

import polars as pl

from mystocks_dagster.market.table import Rule, Table
from mystocks_dagster.market.tables.columns import DATE, count, day, flag, moment, number, text

LOADED_DAYS = Table(
    name="loaded_days",
    title="装载记录",
    about="Which trading days of which tables are loaded, how many rows, and whether they are complete",
    about_zh="各表已装载的交易日、行数与完整性",
    domain="system",
    grain="one table on one trading day that was loaded",
    key=("table", "date"),
    date_column="date",
    known_by=("loaded_at",),
    rules=(Rule("day_incomplete", "the day is only partly loaded", lambda: ~pl.col("complete"), "check"),),
    columns=(
        text("table", "name of the table"),
        DATE,
        count("rows", "rows stored for that day"),
        flag("complete", "true if all rows of the source for that day are loaded"),
        text("source", "name of the source"),
        moment("loaded_at", "time of the load"),
        flag(
            "lacking",
            "true if rows are missing or set aside although the source has no more: a missing bar is not a suspension",
            null=True,
        ),
    ),
)

QUARANTINE = Table(
    name="quarantine",
    title="隔离区",
    about="Rows that broke a value rule and were not stored, with the reason",
    about_zh="违反数值规则而未入库的数据行及原因",
    domain="system",
    grain="one row of a source and one rule that it breaks; a later load of a valid row removes it",
    key=("table", "key", "rule"),
    known_by=("set_aside_at",),
    rules=(Rule("rows_set_aside", "a row is set aside", lambda: pl.col("rule").is_not_null(), "check"),),
    columns=(
        text("table", "name of the row's table"),
        text("key", "key of the row: 600000.SH 2024-03-01"),
        text("rule", "name of the rule"),
        text("reason", "fault of the row"),
        day("date", "trading day, or end of the report period", null=True),
        text("row", "values of the row as JSON, as the source gave them"),
        text("source", "name of the source"),
        moment("set_aside_at", "time of the load"),
    ),
)

SOURCE_COMPARISONS = Table(
    name="source_comparisons",
    title="数据源比对",
    about="Which two sources were compared on which trading day, and how many rows agree",
    about_zh="各交易日两个数据源的比对结果与一致的行数",
    domain="system",
    grain="one comparison of the stored rows of a day with another source; a later one of the same pair replaces it",
    key=("table", "date", "source_a", "source_b"),
    date_column="date",
    columns=(
        text("table", "name of the table"),
        DATE,
        text("source_a", "source of the stored rows"),
        text("source_b", "the other source"),
        count("rows_a", "stored rows that were compared"),
        count("rows_b", "rows of the other source that were compared"),
        count("agreeing", "rows that both have, without a difference"),
        count("differing", "rows that differ, or that only one of them has"),
        text("note", "why rows are missing or not comparable; may be empty"),
        moment("checked_at", "time of the comparison"),
    ),
)

SOURCE_DIFFERENCES = Table(
    name="source_differences",
    title="数据源差异",
    about="Values on which two sources disagree; the stored row is kept, and none of them is preferred",
    about_zh="两个数据源不一致的数值；已入库的行保持不变，不偏向任何一方",
    domain="system",
    grain="one value, or one row that only one source has, of the newest comparison of two sources on a day",
    key=("table", "symbol", "date", "column", "source_a", "source_b"),
    date_column="date",
    columns=(
        text("table", "name of the table"),
        text("symbol", "six digits and exchange; * stands for the whole day"),
        DATE,
        text("column", "name of the column; * stands for the whole row"),
        text("source_a", "source of the stored row"),
        text("value_a", "its value; null if it has no row", null=True),
        text("source_b", "the other source"),
        text("value_b", "its value; null if it has no row", null=True),
        text("kind", "value, only_one, earlier_moment, holiday, no_rows or unread; see docs/sources.md"),
        number("size", "absolute difference in the column's unit; null if it is not a number", null=True),
        moment("checked_at", "time of the comparison"),
    ),
)
