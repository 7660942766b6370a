"""Quarterly statements of the simulated market; they are consistent and published within the legal deadlines."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl

from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.sources.protocol import StatementTable
from mystocks_dagster.sources.simulated.market import Market

_QUARTER_ENDS = {(3, 31): 1, (6, 30): 2, (9, 30): 3, (12, 31): 4}
#: First and last day of publication by quarter, and the number of years after the period's: the legal deadlines.
_SEASONS = {1: ((4, 8), (4, 30), 0), 2: ((7, 15), (8, 31), 0), 3: ((10, 10), (10, 31), 0), 4: ((1, 25), (4, 30), 1)}
#: Share of a year's revenue by quarter.
_SHARES = np.array([0.21, 0.25, 0.25, 0.29])
#: There are no statements before the exchanges opened.
_FIRST_YEAR = 1991
_BASE_YEAR = 2020


def statements(market: Market, table: StatementTable, periods: Sequence[date], today: date) -> pl.DataFrame:
    """Return the statements of `periods` published by `today`, of stocks that were listed when they were published."""
    ends = {day for day in periods if (day.month, day.day) in _QUARTER_ENDS and day.year >= _FIRST_YEAR}
    frames = [_quarter(market, table, period, today) for period in sorted(ends)]
    return pl.concat([TABLES[table].empty(), *frames]).sort("symbol", "period")


def _quarter(market: Market, table: StatementTable, period: date, today: date) -> pl.DataFrame:
    notice = _notices(market, period)
    days = np.array(market.sessions, dtype="datetime64[D]")
    published = np.searchsorted(days, notice, side="right") - 1
    listed = (published >= market.stocks.listed) & (published <= market.stocks.delisted)
    selected = listed & (notice <= np.datetime64(today))
    makers = {"balance_sheets": _balance, "income_statements": _income, "cash_flows": _cash_flow}
    columns = makers[table](market, period.year, _QUARTER_ENDS[period.month, period.day])
    frame = pl.DataFrame({"symbol": market.symbols, "notice_date": notice, **columns}).filter(pl.Series(selected))
    return frame.with_columns(period=pl.lit(period), known_since=pl.col("notice_date")).select(
        list(TABLES[table].dtypes)
    )


def _notices(market: Market, period: date) -> np.ndarray:
    """Return the days of publication; a first quarter is not published before the preceding year."""
    quarter = _QUARTER_ENDS[period.month, period.day]
    notice = _season_day(market, period.year, quarter)
    return np.maximum(notice, _season_day(market, period.year - 1, 4)) if quarter == 1 else notice


def _season_day(market: Market, year: int, quarter: int) -> np.ndarray:
    opening, closing, later = _SEASONS[quarter]
    first, last = (np.datetime64(date(year + later, *day)) for day in (opening, closing))
    days = (last - first).astype(np.int64) + 1
    chance = market.noise.uniform("notice", np.array([year * 4 + quarter]), market.stocks.ids)
    return first + (np.sqrt(chance) * days).astype(np.int64)


def _income(market: Market, year: int, quarter: int) -> dict[str, np.ndarray]:
    """Return revenue and profits from 1 January to the quarter's end, whole CNY."""
    revenue, cost = np.zeros(len(market.stocks)), np.zeros(len(market.stocks))
    for until in range(1, quarter + 1):
        sold = _revenue(market, year, until)
        revenue += sold
        cost += np.rint(sold * (1 - _margin(market, year, until)))
    profit = revenue - cost
    other = np.rint(0.01 * profit * market.noise.normal("other income", np.array([year]), market.stocks.ids))
    total = profit + other
    tax = np.rint(np.maximum(total, 0) * 0.15)
    return {
        "revenue": revenue,
        "operating_cost": cost,
        "operating_profit": profit,
        "total_profit": total,
        "net_profit": total - tax,
    }


def _balance(market: Market, year: int, quarter: int) -> dict[str, np.ndarray]:
    """Return a balance sheet in whole CNY; assets = liabilities + equity exactly."""
    keys = np.array([year * 4 + quarter]), market.stocks.ids
    yearly = _size(market, year) * (1 + 0.02 * quarter)
    assets = np.rint(yearly * (1.2 + 2 * market.noise.uniform("assets", market.stocks.ids)))
    debt = 0.15 + 0.6 * market.noise.uniform("debt", market.stocks.ids) + 0.02 * market.noise.normal("debt now", *keys)
    liabilities = np.rint(assets * np.clip(debt, 0.05, 0.95))
    return {
        "total_assets": assets,
        "cash": _cash(market, year, quarter),
        "receivables": np.rint(assets * (0.03 + 0.15 * market.noise.uniform("receivables", *keys))),
        "inventory": np.rint(assets * (0.02 + 0.15 * market.noise.uniform("inventory", *keys))),
        "total_liabilities": liabilities,
        "payables": np.rint(liabilities * (0.1 + 0.3 * market.noise.uniform("payables", *keys))),
        "total_equity": assets - liabilities,
    }


def _cash_flow(market: Market, year: int, quarter: int) -> dict[str, np.ndarray]:
    """Return the flows from 1 January, whole CNY; they add up to the change of cash in the balance sheets."""
    change = _cash(market, year, quarter) - _cash(market, year - 1, 4)
    keys = np.array([year * 4 + quarter]), market.stocks.ids
    operating = np.rint(
        _income(market, year, quarter)["net_profit"] * (0.9 + 0.3 * market.noise.normal("operating", *keys))
    )
    investing = -np.rint(_size(market, year) * 0.02 * quarter * (0.5 + market.noise.uniform("investing", *keys)))
    return {
        "operating": operating,
        "investing": investing,
        "financing": change - operating - investing,
        "net_change": change,
    }


def _cash(market: Market, year: int, quarter: int) -> np.ndarray:
    share = 0.08 + 0.25 * market.noise.uniform("cash held", np.array([year * 4 + quarter]), market.stocks.ids)
    return np.rint(_size(market, year) * share)


def _revenue(market: Market, year: int, quarter: int) -> np.ndarray:
    season = 1 + 0.08 * market.noise.normal("season", np.array([year * 4 + quarter]), market.stocks.ids)
    return np.rint(_size(market, year) * _SHARES[quarter - 1] * season)


def _margin(market: Market, year: int, quarter: int) -> np.ndarray:
    usual = -0.02 + 0.22 * market.noise.uniform("margin", market.stocks.ids)
    return usual + 0.04 * market.noise.normal("margin now", np.array([year * 4 + quarter]), market.stocks.ids)


def _size(market: Market, year: int) -> np.ndarray:
    """Return the typical revenue of a year in CNY: a growing share of the float's market value."""
    worth = market.stocks.shares * (market.stocks.anchor / 100)
    growth = -0.02 + 0.12 * market.noise.uniform("growth", market.stocks.ids)
    factor = np.ones(len(market.stocks))
    # Repeated multiplication: an integer power of an array differs between processors.
    for _ in range(abs(year - _BASE_YEAR)):
        factor = factor * (1 + growth) if year > _BASE_YEAR else factor / (1 + growth)
    return worth * (0.2 + market.noise.uniform("revenue", market.stocks.ids)) * factor
