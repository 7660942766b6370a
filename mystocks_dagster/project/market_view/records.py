"""What the lake has about one stock besides its bars."""

from typing import Any

import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.project.market_view.securities import BARS, Security

#: Rows of each table on the page of a stock.
MOST = 12


def last_bars(lake: Lake, security: Security) -> list[dict[str, Any]]:
    """Return the newest daily bars with `change_pct`, newest first; prices are raw, amounts in CNY."""
    table = BARS[security.kind]
    if not lake.exists(table):
        return []
    columns = ["date", "open", "high", "low", "close", "prev_close", "volume", "amount"]
    columns += ["turnover", "suspended"] if security.kind == "stock" else []
    rows = lake.scan(table, columns=columns, symbols=[security.symbol]).sort("date", descending=True).head(MOST)
    change = pl.when(pl.col("prev_close") > 0).then((pl.col("close") / pl.col("prev_close") - 1) * 100)
    return rows.with_columns(change_pct=change).collect().to_dicts()


def statements(lake: Lake, symbol: str) -> list[dict[str, Any]]:
    """Return the newest report periods, newest first: `period`, `notice_date` and main figures of three statements.

    Amounts are in CNY. Each period has its newest version.
    """
    figures = {
        "income_statements": ["revenue", "net_profit"],
        "balance_sheets": ["total_assets", "total_equity"],
        "cash_flows": ["operating"],
    }
    joined: pl.DataFrame | None = None
    for table, columns in figures.items():
        if not lake.exists(table):
            continue
        rows = lake.read(table, columns=["period", "notice_date", "known_since", *columns], symbols=[symbol])
        newest = rows.sort("known_since").unique("period", keep="last").drop("known_since")
        if joined is None:
            joined = newest
        else:
            joined = joined.join(newest.drop("notice_date"), on="period", how="full", coalesce=True)
    return [] if joined is None else joined.sort("period", descending=True).head(MOST).to_dicts()


def actions(lake: Lake, symbol: str) -> list[dict[str, Any]]:
    """Return the newest corporate actions, newest first: `ex_date`, `cash`, `bonus`, `rights`, ... per share."""
    return _newest(lake, "corporate_actions", symbol, "ex_date")


def longhubang(lake: Lake, symbol: str) -> list[dict[str, Any]]:
    """Return the newest appearances on the 龙虎榜, newest first; amounts in CNY."""
    return _newest(lake, "longhubang", symbol, "date")


def flows(lake: Lake, symbol: str) -> list[dict[str, Any]]:
    """Return the newest capital flows, newest first, in CNY."""
    return _newest(lake, "capital_flow_stock", symbol, "date")


def valuation(lake: Lake, symbol: str) -> dict[str, Any] | None:
    """Return the newest row of the valuation table, if there is one."""
    rows = _newest(lake, "daily_valuation", symbol, "date")
    return rows[0] if rows else None


def _newest(lake: Lake, table: str, symbol: str, day: str) -> list[dict[str, Any]]:
    if not lake.exists(table):
        return []
    return lake.scan(table, symbols=[symbol]).sort(day, descending=True).head(MOST).collect().to_dicts()
