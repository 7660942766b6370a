"""Recorded and real data through akshare's own code: what it makes of them equals what another vendor says."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from standin.market import Market
from standin.server import StandIn

from mystocks_dagster.market.symbols import board_expr, exchange_expr, normalise_expr
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.akshare.source import AkshareSource

RECORDED_DAY = date(2023, 2, 22)


@pytest.fixture(scope="module")
def server() -> Iterator[StandIn]:
    with StandIn(Market.small()) as server:
        yield server


def source_at(server: StandIn, moment: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AkshareSource:
    monkeypatch.setenv("MYSTOCKS_NOW", moment)
    return AkshareSource(replace(Settings.from_env(folder), upstream=server.address))


@pytest.fixture
def baostock(shared_data: Path) -> pl.DataFrame:
    """Official bars of 214 symbols as another vendor has them."""
    frame = pl.read_parquet(shared_data / "baostock_raw_20200102_20250407.parquet")
    return frame.select(
        symbol=normalise_expr("code"),
        date=pl.col("date").str.to_date(),
        open="open",
        high="high",
        low="low",
        close="close",
        prev_close="preclose",
        volume=pl.col("volume").fill_null(0).cast(pl.Int64),
        amount=pl.col("amount").fill_null(0.0),
        turnover=pl.col("turn").fill_null(0.0),
        is_st=pl.col("isST") == 1,
        suspended=pl.col("tradestatus") == 0,
    ).sort("symbol", "date")


def recorded(folder: Path, name: str) -> list[dict[str, Any]]:
    return json.loads((folder / "fixtures" / name).read_text(encoding="utf-8"))["data"]["diff"]


def listed(symbols: pl.DataFrame) -> pl.DataFrame:
    """The stock list that a market of those symbols has."""
    return symbols.select(
        "symbol",
        name=pl.lit("某股"),
        exchange=exchange_expr(),
        board=board_expr(),
        is_st=pl.lit(value=False),
        list_date=pl.lit(date(2000, 1, 4)),
        delist_date=pl.lit(None, pl.Date),
        updated_at=pl.lit(None),
    )


def test_a_recorded_whole_market_gives_the_official_bars(
    server: StandIn, shared_data: Path, baostock: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = recorded(shared_data, "eastmoney_clist_whole_market_20230222.json")
    market = Market.small(RECORDED_DAY)
    # The recording lacks the keys that its client did not ask for: names, percentages and moments.
    changes = ["-" if row["f2"] == "-" else round((row["f2"] / row["f18"] - 1) * 100, 2) for row in rows]
    first_day = ["N" if change != "-" and change > 31 else "" for change in changes]  # a new stock's name is marked
    filled = [
        row | {"f14": f"{mark}某股", "f8": "-", "f3": change}
        for row, change, mark in zip(rows, changes, first_day, strict=True)
    ]
    assert first_day.count("N") == 1  # 001225 rose by the 44 % of a first day under the rules of then
    official = baostock.filter(date=RECORDED_DAY)
    codes = pl.DataFrame({"code": [row["f12"] for row in rows if row["f2"] != "-"]}).select(
        symbol=normalise_expr("code")
    )
    known = pl.concat([codes, official.select("symbol")]).unique().filter(board_expr("symbol").is_not_null())
    beijing = pl.DataFrame({"symbol": ["920001.BJ"]})  # the recording has none, the exchange's list always has
    moment = {"f124": int(market.moment.timestamp())}
    server.reset(
        replace(market, raw={"spot": [row | moment for row in filled]}, stocks=listed(pl.concat([known, beijing])))
    )
    (bars,) = source_at(server, "2023-02-22T16:00:00+08:00", tmp_path, monkeypatch).daily_bars([RECORDED_DAY])

    assert bars.height == known.height == 4918  # 5,133 codes, of which 215 have no price
    both = official.join(bars, on="symbol", suffix="_ours")
    assert both.height == official.height > 200
    for name in ("open", "high", "low", "close", "prev_close", "suspended"):
        assert both[name].to_list() == both[f"{name}_ours"].to_list(), name
    # East Money counts lots: within half a lot, and the amount to a yuan.
    assert ((both["volume"] - both["volume_ours"]).abs() <= 50).all()
    assert ((both["amount"] - both["amount_ours"]).abs() <= 1).all()


@pytest.mark.parametrize("symbol", ["600900.SH", "000425.SZ", "688111.SH"])
def test_a_real_past_keeps_every_stated_previous_close(
    symbol: str, server: StandIn, baostock: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = baostock.filter(symbol=symbol).sort("date")
    server.reset(replace(Market.small(), bars=expected))
    days = expected["date"].to_list()
    (bars,) = source_at(server, "2025-04-08T11:00:00+08:00", tmp_path, monkeypatch).daily_bars(days, [symbol])

    assert bars["date"].to_list() == days
    for name in ("open", "high", "low", "close", "prev_close", "volume", "suspended"):
        assert (bars[name].cast(pl.Float64) - expected[name].cast(pl.Float64)).abs().max() < 0.005, name
    ex_days = expected.filter((pl.col("prev_close") - pl.col("close").shift(1)).abs() > 0.004)
    assert ex_days.height >= 3  # dividends were paid, and are in what was compared
    assert (bars["amount"] - expected["amount"]).abs().max() <= 1


def test_east_moneys_unadjusted_change_would_miss_ex_dividend_days(baostock: pl.DataFrame, shared_data: Path) -> None:
    """Why prev_close does not come from `stock_zh_a_hist`: its 涨跌额 belongs to the series that is asked for.

    In the adjusted series 收盘 - 涨跌额 is the ex-dividend close; the unadjusted one measures against the plain close.
    On 000002's ex-dividend day in 2023 even the adjusted one is a cent off what the exchange stated.
    """
    east_money = pl.read_parquet(shared_data / "eastmoney_qfq_20191201_20251231.parquet").filter(
        pl.col("股票代码") == "000002", pl.col("日期") == "2023-08-25"
    )
    official = baostock.filter(symbol="000002.SZ", date=date(2023, 8, 25))
    assert official["prev_close"].item() == 13.04
    assert round(east_money["收盘"].item() - east_money["涨跌额"].item(), 2) == 13.03


def test_recorded_sector_flows_pass_the_checks(
    server: StandIn, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = recorded(shared_data, "eastmoney_clist_sector_fund_flow_20251027_3rows.json")
    server.reset(replace(Market.small(), raw={"sector": rows}))
    frame = source_at(server, "2025-10-27T18:00:00+08:00", tmp_path, monkeypatch).capital_flow(
        "sector", date(2025, 10, 27)
    )
    assert frame.row(by_predicate=pl.col("sector") == "电子元件", named=True) == {
        "date": date(2025, 10, 27),
        "sector": "电子元件",
        "change_pct": 1.9,
        "main_net": 2672467968.0,
        "super_large_net": 2872657664.0,
        "large_net": -200189696.0,
        "medium_net": -1933110528.0,
        "small_net": -768382720.0,
    }
    assert frame.height == 3


def test_a_recorded_suspended_stock_has_no_flow(
    server: StandIn, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = recorded(shared_data, "eastmoney_clist_fund_flow_suspended_20260904_2rows.json")
    server.reset(replace(Market.small(), raw={"stock_flow": [row | {"f14": "某股"} for row in rows]}))
    frame = source_at(server, "2026-09-04T18:00:00+08:00", tmp_path, monkeypatch).capital_flow(
        "stock", date(2026, 9, 4)
    )
    assert frame.select("symbol", "main_net", "small_net").rows() == [("000006.SZ", -878110.0, 6026266.0)]


def test_recorded_longhubang_rows_are_read(
    server: StandIn, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.loads((shared_data / "fixtures" / "eastmoney_lhb_rows_600105_2026.json").read_text(encoding="utf-8"))
    rows = [row | {"SECURITY_NAME_ABBR": "某股"} for row in body["result"]["data"]]
    server.reset(replace(Market.small(), raw={"billboard": rows}))
    frame = source_at(server, "2026-06-05T21:00:00+08:00", tmp_path, monkeypatch).longhubang(
        date(2026, 4, 1), date(2026, 6, 4)
    )
    assert frame.select("date", "symbol", "buy_amount", "sell_amount", "net_amount").rows() == [
        (date(2026, 4, 10), "600105.SH", 3130276977.62, 2473356675.91, 656920301.71),
        (date(2026, 6, 4), "600105.SH", 4240434963.0, 3173407855.4, 1067027107.6),
    ]
