"""A lake filled from baostock and from 同花顺's dumps, also while they fail: real clients against stand-ins."""

import dataclasses
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from standin.baostock import BaostockServer
from standin.dumps import DumpServer
from standin.market import DIVIDEND, PAID_ON, PAYING, Market

from mystocks_dagster.errors import SettingsError, SourceUnavailable
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.dumps.source import ACTIONS, BARS
from mystocks_dagster.tasks.bootstrap import BootstrapParams, bootstrap_market
from mystocks_dagster.tasks.run import TaskResult, TaskRun

pytestmark = pytest.mark.slow

#: The exchanges' first weeks: a year up to this day has forty trading days.
DAY = date(1991, 2, 19)
MARKET = Market.small(DAY)
DAYS = MARKET.bars["date"].unique().sort().to_list()
A_STOCK = "query_daily_history_k_AStock"


def bootstrap(run: TaskRun, source: str) -> TaskResult:
    return bootstrap_market(BootstrapParams(data_source=source, years=1, indicators=False), run)


def stored(lake: Lake) -> pl.DataFrame:
    return lake.read("daily_bars").filter(~pl.col("suspended"))


def prices(bars: pl.DataFrame) -> list[tuple[Any, ...]]:
    return bars.select("symbol", "date", "open", "close", "volume").sort("symbol", "date").rows()


def traded(*exchanges: str) -> pl.DataFrame:
    """Return the market's own rows of days with trading."""
    return MARKET.bars.filter(~pl.col("suspended"), pl.col("symbol").str.slice(-2).is_in(list(exchanges)))


# ---- baostock


@pytest.fixture(scope="module")
def running() -> Iterator[BaostockServer]:
    with BaostockServer(MARKET) as server:
        yield server


@pytest.fixture
def baostock(running: BaostockServer, computing: TaskRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TaskRun:
    """A run that asks the stand-in, in the evening."""
    running.reset(MARKET)
    monkeypatch.setenv("MYSTOCKS_NOW", f"{DAY}T18:00:00+08:00")
    monkeypatch.setenv("MYSTOCKS_BAOSTOCK", running.address)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return dataclasses.replace(computing, settings=Settings.from_env())


def test_a_ban_keeps_the_days_before_and_the_next_run_asks_for_the_others_also_over_a_cut_connection(
    baostock: TaskRun, running: BaostockServer, lake: Lake
) -> None:
    running.fault("blacklist", A_STOCK, day=DAYS[20])
    with pytest.raises(SourceUnavailable, match="10001011"):
        bootstrap(baostock, "baostock")
    assert lake.days("daily_bars") == DAYS[:20]
    asked = len(running.asked)
    with pytest.raises(SourceUnavailable, match="No requests to"):
        bootstrap(baostock, "baostock")
    assert len(running.asked) == asked

    running.reset(MARKET)
    running.fault("close", A_STOCK, times=1, day=DAYS[25])
    (note,) = baostock.settings.dagster_home.rglob("baostock.json")
    note.unlink()
    assert bootstrap(baostock, "baostock").metadata["source"] == "baostock"
    requested = {day for request in running.asked for day in request if request[0] == A_STOCK}
    assert not {f"{day}" for day in DAYS[:20]} & requested
    assert prices(stored(lake)) == prices(traded("SH", "SZ"))
    # The server states previous closes, so the ex-dividend day is known without corporate actions.
    events = lake.read("adjust_events").select("symbol", "date").rows()
    assert (MARKET.bars["symbol"].unique().sort()[PAYING], DAYS[PAID_ON]) in events


# ---- dumps


def milliseconds(day: date) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)


def dumped_bar(bar: dict[str, Any]) -> dict[str, Any]:
    prices = {f"{name}_price": bar[name] for name in ("open", "high", "low", "close")}
    facts = {"thscode": bar["symbol"], "currency": "CNY", "interval": "1d", "adjusted": "none"}
    return (
        facts | {"date_ms": milliseconds(bar["date"])} | prices | {"volume": bar["volume"], "turnover": bar["amount"]}
    )


@pytest.fixture
def dumps(computing: TaskRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[DumpServer, TaskRun]]:
    """A stand-in with the market's days, and a run that asks it with a key."""
    paying = MARKET.bars["symbol"].unique().sort()[PAYING]
    zero = dict.fromkeys(("per_share_bonus", "allotment_ratio", "allotment_price"), 0.0)
    action = {"thscode": paying, "ticker": paying[:6], "ex_date_ms": milliseconds(DAYS[PAID_ON]), "currency": "CNY"}
    action |= zero | {"dividend_per_share": DIVIDEND}
    with DumpServer() as server:
        server.serve(BARS, pl.DataFrame([dumped_bar(bar) for bar in traded("SH", "SZ", "BJ").iter_rows(named=True)]))
        server.serve(ACTIONS, pl.DataFrame([action]))
        monkeypatch.setenv("MYSTOCKS_NOW", f"{DAY}T18:00:00+08:00")
        monkeypatch.setenv("MYSTOCKS_DUMPS_KEY", server.key)
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
        settings = dataclasses.replace(Settings.from_env(), upstream=server.address)
        yield server, dataclasses.replace(computing, settings=settings)


@pytest.mark.parametrize("fault", ["expired", "cut"])
def test_dumps_are_loaded_also_after_an_expired_address_or_a_broken_connection(
    fault: str, dumps: tuple[DumpServer, TaskRun], lake: Lake
) -> None:
    server, run = dumps
    server.fault(fault, 2000 if fault == "cut" else None, times=1)
    bootstrap(run, "dumps")
    assert server.paths().count(ACTIONS) == (4 if fault == "expired" else 3)
    assert prices(stored(lake)) == prices(traded("SH", "SZ", "BJ"))
    assert lake.read("adjust_events").height == 1
    server.asked.clear()
    bootstrap(run, "dumps")
    assert BARS not in server.paths()
    assert prices(stored(lake)) == prices(traded("SH", "SZ", "BJ"))


@pytest.mark.parametrize(("code", "error"), [(2002, SettingsError), (4040, SourceUnavailable)])
def test_a_refused_key_and_a_dump_that_is_not_ready_end_it_with_nothing_stored(
    code: int, error: type[Exception], dumps: tuple[DumpServer, TaskRun], lake: Lake
) -> None:
    server, run = dumps
    server.fault("code", code)
    with pytest.raises(error, match=f"{code}") as raised:
        bootstrap(run, "dumps")
    assert server.key not in str(raised.value)
    assert not lake.exists("daily_bars")
