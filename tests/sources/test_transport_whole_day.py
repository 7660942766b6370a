"""What a trading day of the whole market costs: 5,500 stocks out of each source, with its requests counted."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from standin.baostock import BaostockServer
from standin.dumps import DumpServer
from standin.market import Market
from standin.server import StandIn
from standin.tdx import ACTIONS, TdxServer, actions_zip, day_path, day_zip

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.baostock.source import BaostockSource
from mystocks_dagster.sources.dumps.source import ACTIONS as DUMPED_ACTIONS
from mystocks_dagster.sources.dumps.source import RECENT_BARS, DumpsSource
from mystocks_dagster.sources.protocol import MarketSource
from mystocks_dagster.sources.tdx.source import TdxSource
from mystocks_dagster.tasks.data_sync import BasicSync, DailySync, sync_basic_stock_info, sync_daily_stock_data
from mystocks_dagster.tasks.run import TaskRun

pytestmark = pytest.mark.slow

FRIDAY, MONDAY = date(2025, 4, 11), date(2025, 4, 14)
#: Stocks by exchange as in 2026, and codes that the list has without a price: delisted ones and future listings.
SHANGHAI, STAR, SHENZHEN, BEIJING, WITHOUT_PRICE = 2300, 590, 2885, 315, 230
STOCKS = SHANGHAI + SHENZHEN + BEIJING
MOST_REQUESTS = 70


def whole_market() -> Market:
    """Return a market of full size on one day, out of a small one."""
    small = Market.small(MONDAY)
    symbols = [
        *(f"{600000 + n}.SH" for n in range(SHANGHAI - STAR)),
        *(f"{688000 + n}.SH" for n in range(STAR)),
        *(f"{n + 1:06d}.SZ" for n in range(SHENZHEN)),
        *(f"{920000 + n}.BJ" for n in range(BEIJING)),
    ]
    names = pl.DataFrame({"symbol": symbols})
    bar = small.bars.filter(date=MONDAY, symbol="000001.SZ").drop("symbol")
    stock = small.stocks.filter(symbol="000001.SZ").drop("symbol", "exchange", "board")
    code = pl.col("symbol")
    board = pl.when(code.str.starts_with("688")).then(pl.lit("star")).otherwise(pl.lit("main"))
    board = pl.when(code.str.ends_with("BJ")).then(pl.lit("bse")).otherwise(board)
    stocks = names.join(stock, how="cross").with_columns(exchange=code.str.slice(-2), board=board)
    bars = names.join(bar, how="cross").select(small.bars.columns)
    extra = {f"{609000 + n}": f"退市{n}" for n in range(WITHOUT_PRICE)}
    return replace(small, stocks=stocks.select(small.stocks.columns), bars=bars, extra=extra)


MARKET = whole_market()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MYSTOCKS_NOW", f"{MONDAY}T18:00:00+08:00")
    monkeypatch.setenv("MYSTOCKS_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return Settings.from_env(tmp_path)


@pytest.fixture
def akshare(settings: Settings) -> Iterator[StandIn]:
    with StandIn(MARKET) as standin:
        yield standin


def run_of(settings: Settings) -> TaskRun:
    logger = logging.getLogger("task")
    return TaskRun(
        task_id="t", run_id="r", attempt=1, settings=settings, logger=logger, report_progress=lambda *_: None
    )


def rows_of(source: MarketSource, day: date = MONDAY) -> int:
    return sum(frame.height for frame in source.daily_bars([day]))


def test_a_day_with_its_stock_list_costs_akshare_seventy_requests(settings: Settings, akshare: StandIn) -> None:
    settings = replace(settings, upstream=akshare.address)
    assert sync_daily_stock_data(DailySync(data_source="akshare"), run_of(settings)).status == "success"
    assert sync_basic_stock_info(BasicSync(data_source="akshare"), run_of(settings)).status == "success"
    lake = Lake(settings.lake, "real")
    assert (lake.read("daily_bars").height, lake.read("stocks").height) == (STOCKS, STOCKS)
    assert len(akshare.asked) <= MOST_REQUESTS


def test_a_day_costs_baostock_one_request_after_its_login(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = ["login", "query_daily_history_k_AStock"]
    with BaostockServer(MARKET) as server:
        monkeypatch.setenv("MYSTOCKS_BAOSTOCK", server.address)
        assert rows_of(BaostockSource(Settings.from_env(settings.root))) == SHANGHAI + SHENZHEN
        assert server.calls() in (calls, [*calls, "logout"])


def test_a_day_costs_tdx_its_file_and_the_actions(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    bars = {
        f"{row['symbol'][-2:].lower()}{row['symbol'][:6]}": (10.0, 10.5, 9.8, 10.1, 1000, 10100.0)
        for row in MARKET.bars.iter_rows(named=True)
    }
    with TdxServer() as server:
        few = dict(list(bars.items())[:2])
        server.files |= {day_path(day): day_zip(day, few) for day in shanghai().sessions(date(2025, 3, 1), FRIDAY)}
        server.files |= {day_path(day): day_zip(day, bars) for day in (FRIDAY, MONDAY)}
        server.files[ACTIONS] = actions_zip([], "Y35=2025,0101,0404,0501,")
        settings = replace(settings, upstream=server.address)
        monkeypatch.setenv("MYSTOCKS_NOW", f"{FRIDAY}T18:00:00+08:00")
        assert rows_of(TdxSource(settings), FRIDAY) == STOCKS
        server.asked.clear()
        monkeypatch.setenv("MYSTOCKS_NOW", f"{MONDAY}T18:00:00+08:00")
        assert rows_of(TdxSource(settings)) == STOCKS
        assert sorted(server.paths()) == ["20250414.zip", "gbbq.zip"]


def test_a_day_costs_dumps_two_files_with_an_address_each(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    midnights = [(day - date(1970, 1, 1)) // timedelta(milliseconds=1) - 8 * 3_600_000 for day in (FRIDAY, MONDAY)]
    price, code = pl.lit(10.0), pl.col("symbol")
    rows = MARKET.bars.select(
        thscode=code, currency=pl.lit("CNY"), interval=pl.lit("1d"), adjusted=pl.lit("none"),
        date_ms=pl.lit(midnights), open_price=price, high_price=price, low_price=price, close_price=price,
        volume=pl.lit(1000), turnover=pl.lit(10_000.0),
    ).explode("date_ms")  # fmt: skip
    none = pl.DataFrame(
        schema={"thscode": pl.String, "ticker": pl.String, "ex_date_ms": pl.Int64, "dividend_per_share": pl.Float64,
                "per_share_bonus": pl.Float64, "allotment_ratio": pl.Float64, "allotment_price": pl.Float64,
                "currency": pl.String}
    )  # fmt: skip
    with DumpServer() as server:
        monkeypatch.setenv("MYSTOCKS_DUMPS_KEY", server.key)
        server.serve(RECENT_BARS, rows)
        server.serve(DUMPED_ACTIONS, none)
        settings = replace(Settings.from_env(settings.root), upstream=server.address)
        assert rows_of(DumpsSource(settings)) == STOCKS
        assert sorted(server.paths()) == sorted([RECENT_BARS, DUMPED_ACTIONS] * 2)
