"""Figures of the statements as columns of a strategy's rows: what was known on each row's day."""

from collections.abc import Sequence

import polars as pl

from mystocks_dagster.lake.delta import translate_errors
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.statement_factors import known_figures
from mystocks_dagster.market.tables import TABLES


def with_statements(lake: Lake, rows: pl.DataFrame, wanted: Sequence[str]) -> pl.DataFrame:
    """Add figures of the statements that were known on each row's day."""
    kind = rows.schema["symbol"]
    income = _figures(lake, "income_statements", ["net_profit", "revenue"])
    frame = rows.with_columns(pl.col("symbol").cast(pl.String)).with_row_index("_row").sort("date")
    frame = _as_of(frame, income)
    if "operating_cash_ttm" in wanted:
        frame = _as_of(
            frame, _figures(lake, "cash_flows", ["operating"]).rename({"operating_ttm": "operating_cash_ttm"})
        )
    if "roe_ttm" in wanted:
        equity = _figures(lake, "balance_sheets", ["total_equity"])
        frame = _as_of(frame, equity.select("symbol", "known", "total_equity"))
        profit = pl.col("net_profit_ttm") / pl.col("total_equity")
        frame = frame.with_columns(roe_ttm=pl.when(pl.col("total_equity") > 0).then(profit))
    return frame.sort("_row").select(*rows.columns, *wanted).with_columns(pl.col("symbol").cast(kind))


def _as_of(frame: pl.DataFrame, figures: pl.DataFrame) -> pl.DataFrame:
    figures = figures.drop("period", strict=False)
    return frame.join_asof(figures, left_on="date", right_on="known", by="symbol", check_sortedness=False)


def _figures(lake: Lake, table: str, figures: Sequence[str]) -> pl.DataFrame:
    schema = TABLES[table]
    with translate_errors(lake.location):
        versions = lake.scan(table, columns=["symbol", "period", *schema.known_by, *figures]).collect()
    versions = versions.with_columns(known=pl.coalesce(schema.known_by)).drop(schema.known_by)
    return known_figures(versions, figures)
