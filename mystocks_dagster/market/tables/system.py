"""The lake's own book-keeping: what was loaded, and what was set aside."""

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
    rules=(Rule("day_incomplete", "the day is loaded in part only", lambda: ~pl.col("complete"), "check"),),
    columns=(
        text("table", "name of the table"),
        DATE,
        count("rows", "rows stored for that day"),
        flag("complete", "true when the source gave all that it has for that day"),
        text("source", "name of the source"),
        moment("loaded_at", "when"),
        flag(
            "lacking",
            "true when rows are missing or set aside though the source has no more: a missing bar is no pause",
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
    grain="one row of a source and one rule that it breaks; a later load of that row without a fault removes it",
    key=("table", "key", "rule"),
    rules=(Rule("rows_set_aside", "a row is set aside", lambda: pl.col("rule").is_not_null(), "check"),),
    columns=(
        text("table", "name of the table that the row was meant for"),
        text("key", "its key in that table: 600000.SH 2024-03-01"),
        text("rule", "name of the rule"),
        text("reason", "what is wrong"),
        day("date", "its trading day, or the end of its report period", null=True),
        text("row", "its values as JSON, as the source gave them"),
        text("source", "name of the source"),
        moment("set_aside_at", "when"),
    ),
)
