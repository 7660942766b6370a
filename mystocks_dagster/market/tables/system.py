"""The lake's own tables: loaded days, and rows set aside."""

import polars as pl

from mystocks_dagster.market.table import Rule, Table
from mystocks_dagster.market.tables.columns import DATE, count, day, flag, moment, text

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
