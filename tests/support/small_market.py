"""A lake of a few stocks over some days, whose numbers can be checked by hand."""

from datetime import date
from pathlib import Path

import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.reference import STOCKS

FRIDAY, MONDAY = date(2026, 11, 20), date(2026, 11, 23)
NAMES = {
    "600519.SH": "贵州茅台",
    "000001.SZ": "平安银行",
    "300750.SZ": "宁德时代",
    "688981.SH": "中芯国际",
    "920001.BJ": "某北交所",
}


def bar(symbol: str, day: date, before: float, close: float, *, suspended: bool = False, **changed: object) -> dict:
    """Return a bar whose high and low are its open and close; a million shares."""
    prices = {"open": before, "high": max(before, close), "low": min(before, close), "close": close}
    volume = 0 if suspended else 1_000_000
    return {
        "symbol": symbol,
        "date": day,
        **prices,
        "prev_close": before,
        "volume": volume,
        "amount": float(volume) * (before + close) / 2,
        "turnover": None,
        "is_st": False,
        "suspended": suspended,
        **changed,
    }


def small_lake(folder: Path) -> Lake:
    """Return a lake of five stocks on a Monday, of which one has a bar on the Friday before."""
    lake = Lake(str(folder), "real")
    bars = [
        bar("600519.SH", FRIDAY, 10.0, 10.0),
        bar("600519.SH", MONDAY, 10.0, 11.0),  # 10 % on the main board: at its limit
        bar("000001.SZ", MONDAY, 10.0, 9.5),
        bar("300750.SZ", MONDAY, 10.0, 12.0),  # 20 % on ChiNext: at its limit
        bar("688981.SH", MONDAY, 10.0, 8.0),  # 20 % on STAR: at its limit
        bar("920001.BJ", MONDAY, 10.0, 10.0, suspended=True),
    ]
    lake.replace_days("daily_bars", pl.DataFrame(bars, schema=DAILY_BARS.dtypes), [FRIDAY, MONDAY])
    stocks = [
        {
            "symbol": symbol,
            "name": name,
            "exchange": symbol[-2:],
            "board": "main",
            "is_st": False,
            "list_date": date(2010, 1, 4),
            "delist_date": None,
            "updated_at": None,
        }
        for symbol, name in NAMES.items()
    ]
    frame = pl.DataFrame(stocks, schema=STOCKS.dtypes)
    boards = {"300750.SZ": "chinext", "688981.SH": "star", "920001.BJ": "bse"}
    lake.replace_all(
        "stocks",
        frame.with_columns(
            board=pl.col("symbol").replace_strict(boards, default="main"),
            updated_at=pl.datetime(2026, 11, 23, 16, time_zone="Asia/Shanghai").cast(STOCKS.dtypes["updated_at"]),
        ),
    )
    return lake
