"""baostock's real client, in its own process, against a server that speaks its protocol."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from standin.baostock import BaostockServer
from standin.market import PAID_ON, PAYING, RESTING, Market

from mystocks_dagster.errors import NotOffered, SettingsError, SourceChanged, SourceUnavailable
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.baostock import INDICES, session
from mystocks_dagster.sources.baostock.process import ClientProcess
from mystocks_dagster.sources.baostock.source import BATCH, BaostockSource
from mystocks_dagster.sources.checked import CheckedSource

pytestmark = pytest.mark.slow

DAY = date(2025, 4, 7)
MARKET = Market.small(DAY)
DAYS = MARKET.bars["date"].unique().sort().to_list()
A_STOCK = "query_daily_history_k_AStock"


@pytest.fixture(scope="module")
def running() -> Iterator[BaostockServer]:
    with BaostockServer(MARKET) as server:
        yield server


@pytest.fixture
def server(running: BaostockServer) -> BaostockServer:
    running.reset(MARKET)
    return running


@pytest.fixture
def settings(server: BaostockServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T18:00:00+08:00")
    monkeypatch.setenv("MYSTOCKS_BAOSTOCK", server.address)
    return Settings.from_env(tmp_path)


@pytest.fixture(scope="module")
def process(running: BaostockServer) -> Iterator[ClientProcess]:
    """One process for the tests that do not harm it: it takes a second to start."""
    host, port = running.address.split(":")
    process = ClientProcess(host, int(port), session.DEADLINE)
    yield process
    process.close()


@pytest.fixture
def source(settings: Settings, process: ClientProcess) -> CheckedSource:
    source = BaostockSource(settings)
    source._baostock.process = process
    return CheckedSource(source)


def expected(days: list[date]) -> pl.DataFrame:
    """What the market's own frame says of those days, without Beijing."""
    rows = MARKET.bars.filter(pl.col("date").is_in(days), ~pl.col("symbol").str.ends_with("BJ"))
    still = pl.when("suspended").then(None).otherwise("turnover").round(6).alias("turnover")
    return rows.with_columns(still).sort("date", "symbol")


def assert_same(frame: pl.DataFrame, other: pl.DataFrame) -> None:
    rounded = frame.drop("source", "loaded_at").with_columns(pl.col("turnover").round(6))
    assert_frame_equal(rounded, other, check_exact=False, abs_tol=1e-9)


def test_a_day_of_the_whole_market_is_one_request(source: CheckedSource, server: BaostockServer):
    (frame,) = source.daily_bars([DAY])
    assert_same(frame, expected([DAY]))
    assert server.calls() == ["login", A_STOCK, "logout"]
    assert source.requests == {"public-api.baostock.com": {"here": 2, "today": 2}}


def test_a_suspended_day_is_a_row_with_the_last_close_and_nothing_traded(source: CheckedSource):
    (frame,) = source.daily_bars([DAY])
    symbol = MARKET.stocks["symbol"][RESTING]
    row = frame.filter(symbol=symbol).row(0, named=True)
    assert (row["suspended"], row["volume"], row["amount"], row["turnover"]) == (True, 0, 0.0, None)
    assert row["open"] == row["close"] == row["prev_close"]


def test_the_previous_close_is_the_exchanges_on_an_ex_dividend_day(source: CheckedSource):
    before, day = DAYS[PAID_ON - 1], DAYS[PAID_ON]
    frame = pl.concat(list(source.daily_bars([before, day]))).filter(symbol=f"{PAYING + 1:06d}.SZ")
    closes, stated = frame["close"].to_list(), frame["prev_close"].to_list()
    assert round(closes[0] - stated[1], 2) == 0.11
    assert frame["is_st"].all()


def test_the_ratios_of_a_day_come_with_its_bars_and_a_ratio_of_0_is_unknown(
    source: CheckedSource, server: BaostockServer
):
    list(source.daily_bars([DAY]))
    ratios = source.rows("daily_valuation", DAY, DAY)
    assert server.calls().count(A_STOCK) == 1
    row = ratios.filter(symbol="600519.SH").drop("source", "loaded_at").row(0, named=True)
    assert row == {
        "symbol": "600519.SH", "date": DAY, "pe_ttm": 600519 % 40 + 5.5, "pb": 600519 % 7 + 0.25, "ps_ttm": None,
        "pcf_ttm": -(600519 % 11) - 1.5,
    }  # fmt: skip
    assert ratios.height == expected([DAY]).height


def test_ratios_of_other_days_are_asked_for(source: CheckedSource, server: BaostockServer):
    assert set(source.rows("daily_valuation", DAYS[-3], DAYS[-2])["date"]) == set(DAYS[-3:-1])
    assert server.calls().count(A_STOCK) == 2


def test_many_days_take_one_connection_for_each_batch(source: CheckedSource, server: BaostockServer):
    frames = list(source.daily_bars(DAYS))
    assert [frame["date"].n_unique() for frame in frames] == [BATCH, len(DAYS) - BATCH]
    assert server.calls().count("login") == 2
    assert server.most == 1


def test_symbols_are_asked_one_by_one_with_all_their_days(source: CheckedSource, server: BaostockServer):
    (frame,) = source.daily_bars(DAYS[-5:], ["600519.SH", "000001.SZ", "920001.BJ"])
    assert_same(frame, expected(DAYS[-5:]).filter(pl.col("symbol").is_in(["600519.SH", "000001.SZ"])))
    assert server.calls() == ["login", *["query_history_k_data_plus"] * 2, "logout"]


def test_which_stocks_went_ex_on_a_day(source: CheckedSource):
    rows = source.rows("adjust_factors", DAYS[PAID_ON], DAYS[PAID_ON])
    (row,) = rows.to_dicts()
    before, day = (
        MARKET.bars.filter(symbol="000004.SZ", date=DAYS[n]).row(0, named=True) for n in (PAID_ON - 1, PAID_ON)
    )
    assert (row["symbol"], row["date"], row["forward"]) == ("000004.SZ", DAYS[PAID_ON], 1.0)
    assert row["backward"] == pytest.approx(before["close"] / day["prev_close"], abs=1e-6)
    assert source.rows("adjust_factors", DAYS[3], DAYS[3]).is_empty()


def test_the_funds_of_a_day_are_one_request(source: CheckedSource, server: BaostockServer):
    rows = source.rows("etf_bars", DAY, DAY)
    own = MARKET.etfs.sort("symbol")
    assert rows.select("symbol", "close", "volume").rows() == own.select("symbol", "price", "volume").rows()
    assert server.calls() == ["login", "query_daily_history_k_ETF", "logout"]


def test_an_index_is_one_request_for_all_its_days(source: CheckedSource, server: BaostockServer):
    rows = source.rows("index_bars", DAYS[-5], DAYS[-1])
    assert sorted(rows["symbol"].unique()) == sorted(INDICES)
    assert rows.filter(symbol="000001.SH")["date"].to_list() == DAYS[-5:]
    stock = MARKET.bars.filter(pl.col("symbol") == MARKET.bars["symbol"].min(), pl.col("date") == DAY)
    assert rows.filter(symbol="000300.SH", date=DAY)["close"].to_list() == stock["close"].to_list()
    assert server.calls().count("query_history_k_data_plus") == len(INDICES)


def test_the_calendar_is_read_over_all_its_pages(source: CheckedSource, server: BaostockServer):
    assert source.trading_days() == MARKET.trading_days
    assert server.calls().count("query_trade_dates") > 5  # 36 years of days, 2,000 a page


def test_the_stock_list_has_no_index_and_no_delisted_stock_unless_asked(source: CheckedSource):
    listed = source.stocks(include_delisted=False)
    every = source.stocks(include_delisted=True)
    own = MARKET.stocks.filter(pl.col("exchange") != "BJ")
    assert_frame_equal(every.drop("updated_at", "source", "loaded_at"), own.drop("updated_at"))
    assert set(every["symbol"]) - set(listed["symbol"]) == {"600001.SH", "000405.SZ"}


def test_a_closed_connection_is_opened_again(source: CheckedSource, server: BaostockServer):
    server.fault("close", A_STOCK, times=2)
    (frame,) = source.daily_bars([DAY])
    assert frame.height == expected([DAY]).height
    assert server.calls().count(A_STOCK) == 3


def test_a_server_that_keeps_closing_the_connection_is_named_and_days_before_are_kept(
    source: CheckedSource, server: BaostockServer
):
    server.fault("close", A_STOCK, day=DAYS[-1])
    frames = source.daily_bars(DAYS[-3:])
    assert next(frames)["date"].unique().sort().to_list() == DAYS[-3:-1]
    with pytest.raises(SourceUnavailable, match=rf"{server.address} .*the server closed the connection.*3 attempts"):
        next(frames)


def test_a_server_that_does_not_answer_is_given_up_after_the_deadline(
    settings: Settings, server: BaostockServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(session, "DEADLINE", 3.0)  # the process takes a second to start
    monkeypatch.setattr(session, "ATTEMPTS", 1)
    server.fault("hang", A_STOCK)
    with pytest.raises(SourceUnavailable, match="did not"):
        list(BaostockSource(settings).daily_bars([DAY]))


def test_a_blacklisted_address_sends_no_request_for_a_day(
    settings: Settings, source: CheckedSource, server: BaostockServer
):
    server.fault("blacklist", times=1)
    with pytest.raises(SourceUnavailable, match=r"10001011 .*blacklist.*24 hours"):
        list(source.daily_bars([DAY]))
    asked = len(server.asked)
    with pytest.raises(SourceUnavailable, match=r"No requests to public-api\.baostock\.com until 2"):
        list(BaostockSource(settings).daily_bars([DAY]))
    assert len(server.asked) == asked == 1


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("narrow", "a row has 17 values in place of 18"),
        ("adjusted", r"the prices are adjusted \(adjustflag is not 3\)"),
        ("text", "open is not a number"),
        ("older", "the answer for 2025-04-03 has .* rows of other days"),
        ("refused", "refused the call: 10004013"),
        ("garbled", "JSONDecodeError"),
    ],
)
def test_an_answer_of_another_form_is_named(kind: str, fault: str, source: CheckedSource, server: BaostockServer):
    server.fault(kind, A_STOCK)
    with pytest.raises(SourceChanged, match=fault):
        list(source.daily_bars([date(2025, 4, 3)]))


def test_a_further_page_that_does_not_arrive_is_no_shorter_history(source: CheckedSource, server: BaostockServer):
    server.fault("lost_page", "query_trade_dates")
    with pytest.raises(SourceUnavailable, match="page"):
        source.trading_days()


def test_a_day_of_exactly_2000_rows_has_no_second_page(source: CheckedSource, server: BaostockServer):
    row = MARKET.bars.filter(date=DAY).row(3, named=True)
    symbols = [f"{number:06d}.SZ" for number in range(1, 1000)] + [f"{600000 + n}.SH" for n in range(1000)]
    many = pl.DataFrame([row | {"symbol": symbol} for symbol in symbols], schema=MARKET.bars.schema)
    server.reset(replace(MARKET, bars=many))  # and the index makes 2,000
    (frame,) = source.daily_bars([DAY])
    assert frame.height == 1999
    assert server.calls().count(A_STOCK) == 1


def test_a_day_that_is_not_published_yet_is_asked_again_later_and_a_day_without_rows_is_absent(
    source: CheckedSource, server: BaostockServer
):
    server.fault("holiday", A_STOCK)
    assert list(source.daily_bars([date(2025, 4, 3)])) == []
    with pytest.raises(SourceUnavailable, match="has no bars of 2025-04-07 yet; it publishes them from about 17:30"):
        list(source.daily_bars([DAY]))


def test_two_processes_never_have_a_connection_at_the_same_time(
    settings: Settings, server: BaostockServer, start: Callable[[str], object]
):
    both = [start(f"list(source.daily_bars({DAYS[:4]!r}))") for _ in range(2)]
    for process in both:
        assert process.wait(60) == 0  # ty: ignore[unresolved-attribute]
    assert server.most == 1
    assert server.calls().count("login") == 2


def test_an_address_that_is_none_is_refused_at_once(settings: Settings):
    for text in ("somewhere", "localhost:http", ":10030"):
        with pytest.raises(SettingsError, match=r"MYSTOCKS_BAOSTOCK is .*host:port"):
            BaostockSource(replace(settings, source_options={"baostock": text}))


def test_a_stand_in_of_other_hosts_is_not_passed_by(tmp_path: Path):
    settings = replace(Settings.from_env(tmp_path), upstream="http://127.0.0.1:9")
    with pytest.raises(SourceUnavailable, match=r"does not speak baostock's protocol\. Set MYSTOCKS_BAOSTOCK"):
        list(BaostockSource(settings).daily_bars([DAY]))


def test_what_it_does_not_have_is_not_offered(source: CheckedSource):
    calls = [
        lambda: source.statements("balance_sheets", [date(2024, 12, 31)]),
        lambda: source.corporate_actions(DAY, DAY),
        lambda: source.quotes("etf_quotes"),
        lambda: source.longhubang(DAY, DAY),
        lambda: source.capital_flow("stock", DAY),
        lambda: source.rows("indicators", DAY, DAY),
    ]
    for call in calls:
        with pytest.raises(NotOffered, match="baostock has no"):
            call()
