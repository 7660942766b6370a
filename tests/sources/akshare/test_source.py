"""The akshare source against a local stand-in for its upstreams: akshare's own code does the asking and the reading."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from standin.market import DIVIDEND, PAID_ON, PAYING, RESTED, RESTING, Market
from standin.server import StandIn

from mystocks_dagster.errors import NotOffered, SourceChanged, SourceError, SourceUnavailable
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.akshare.source import AkshareSource

DAY = date(2025, 4, 7)  # a Monday
SHANGHAI = ZoneInfo("Asia/Shanghai")
MARKET = Market.small(DAY)


@pytest.fixture(scope="module")
def server() -> Iterator[StandIn]:
    with StandIn(MARKET) as server:
        yield server


@pytest.fixture
def standin(server: StandIn) -> StandIn:
    server.reset(MARKET)
    return server


@pytest.fixture
def source(standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AkshareSource:
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T16:00:00+08:00")
    return AkshareSource(replace(Settings.from_env(tmp_path), upstream=standin.address))


def bars_of(source: AkshareSource, days: list[date], symbols: list[str] | None = None) -> pl.DataFrame:
    return pl.concat([TABLES["daily_bars"].empty(), *source.daily_bars(days, symbols)])


def served(table: str, *keys: str, **values: object) -> pl.DataFrame:
    frame = {
        "daily_bars": MARKET.bars,
        "stocks": MARKET.stocks,
        "longhubang": MARKET.longhubang,
        "etf_quotes": MARKET.etfs,
    }[table]
    return frame.filter(**values).sort(keys or TABLES[table].key)


# ---- what comes out is what the upstreams sent, in our columns and units


def test_the_days_bars_are_those_of_the_market_suspended_ones_included(source: AkshareSource) -> None:
    bars = bars_of(source, [DAY])
    expected = served("daily_bars", "symbol", date=DAY)
    assert_frame_equal(bars, expected)
    assert bars["suspended"].sum() == 1  # the stand-in also lists two delisted codes and one not listed yet


def test_a_stock_that_is_listed_tomorrow_has_no_bar_today(source: AkshareSource, standin: StandIn) -> None:
    resting = MARKET.bars["symbol"].unique().sort()[RESTING]
    coming = (
        pl.when(pl.col("symbol") == resting)
        .then(pl.lit(DAY + timedelta(days=1)))
        .otherwise("list_date")
        .alias("list_date")
    )
    standin.reset(replace(MARKET, stocks=MARKET.stocks.with_columns(coming)))
    assert resting not in bars_of(source, [DAY])["symbol"]


def test_a_market_of_several_pages_is_read_whole(source: AkshareSource, standin: StandIn) -> None:
    market = Market.small(DAY, symbols=240)
    standin.reset(market)
    bars = bars_of(source, [DAY])
    assert_frame_equal(bars, market.bars.filter(date=DAY).sort("symbol"))
    asked = [query for _, path, query in standin.asked if path == "/api/qt/clist/get"]
    assert [query["pn"] for query in asked if "f17" in query["fields"]] == ["1", "2", "3"]


def test_the_stock_list_joins_three_exchanges_and_the_delisted(source: AkshareSource) -> None:
    assert_frame_equal(source.stocks(include_delisted=True), served("stocks", "symbol"))
    assert (
        source.stocks(include_delisted=False)["delist_date"].null_count() == MARKET.stocks["delist_date"].null_count()
    )


def test_beijings_list_takes_one_request_and_lacks_a_stock_whose_name_is_marked_today(
    source: AkshareSource, standin: StandIn
) -> None:
    paying = MARKET.stocks.filter(symbol="920001.BJ").with_columns(symbol=pl.lit("920002.BJ"), name=pl.lit("XD股票"))
    standin.reset(replace(MARKET, stocks=pl.concat([MARKET.stocks, paying])))
    listed = source.stocks(include_delisted=False).filter(exchange="BJ")
    assert_frame_equal(listed, served("stocks", "symbol", exchange="BJ"))
    assert [host for host in standin.hosts() if host in ("push2delay.eastmoney.com", "www.bse.cn")] == [
        "push2delay.eastmoney.com"
    ]
    assert source.stocks(include_delisted=True).filter(symbol="920002.BJ")["name"].to_list() == ["XD股票"]


def test_beijings_exchange_is_asked_where_the_lists_are_banned(source: AkshareSource, standin: StandIn) -> None:
    standin.fault("drop", "/api/qt/clist/get")
    assert source.stocks(include_delisted=False).filter(exchange="BJ")["symbol"].to_list() == ["920001.BJ"]
    assert "www.bse.cn" in standin.hosts()


def test_names_are_folded_and_a_new_listing_is_seen_at_once(source: AkshareSource, standin: StandIn) -> None:
    first = source.stocks(include_delisted=False).height
    new = MARKET.stocks.head(1).with_columns(symbol=pl.lit("603999.SH"), name=pl.lit("万 科Ａ"), exchange=pl.lit("SH"))
    standin.reset(replace(MARKET, stocks=pl.concat([MARKET.stocks, new])))
    again = AkshareSource(source._akshare._settings).stocks(include_delisted=False)
    assert again.height == first + 1
    assert again.filter(symbol="603999.SH")["name"].to_list() == ["万科A"]


def test_quotes_carry_the_day_they_show_and_the_moment_they_were_taken(source: AkshareSource) -> None:
    quotes = source.quotes("stock_quotes")
    today = served("daily_bars", "symbol", date=DAY, suspended=False)
    assert quotes.sort("symbol")["symbol"].to_list() == today["symbol"].to_list()
    assert quotes.sort("symbol")["volume"].to_list() == today["volume"].to_list()
    assert quotes.sort("symbol")["price"].to_list() == today["close"].to_list()
    assert quotes["date"].unique().to_list() == [DAY]
    assert quotes["time"].unique().to_list() == [datetime(2025, 4, 7, 16, tzinfo=SHANGHAI)]


def test_funds_have_their_net_value_and_premium(source: AkshareSource) -> None:
    given = source.quotes("etf_quotes").sort("symbol")
    assert_frame_equal(given.drop("time"), served("etf_quotes", "symbol").drop("time"))


def test_a_longhubang_day_has_each_reason_and_no_b_shares(source: AkshareSource) -> None:
    days = MARKET.longhubang["date"].unique().sort().to_list()
    assert_frame_equal(source.longhubang(days[1], days[2]), served("longhubang").filter(pl.col("date") >= days[1]))
    assert source.longhubang(date(2025, 1, 2), date(2025, 1, 3)).is_empty()


@pytest.mark.parametrize("kind", ["stock", "sector", "concept"])
def test_capital_flow_is_that_of_the_day(kind: str, source: AkshareSource) -> None:
    name = "symbol" if kind == "stock" else kind
    assert_frame_equal(source.capital_flow(kind, DAY).sort(name), MARKET.flows[kind].sort(name))  # ty: ignore[invalid-argument-type]


@pytest.mark.parametrize("table", ["balance_sheets", "income_statements", "cash_flows"])
def test_statements_of_published_periods(table: str, source: AkshareSource) -> None:
    given = source.statements(table, [date(2024, 12, 31), date(2025, 3, 31)])  # ty: ignore[invalid-argument-type]
    assert_frame_equal(given, MARKET.statements[table].sort("symbol"))


def test_distributions_are_per_share_added_up_by_day_and_of_a_shares_only(source: AkshareSource) -> None:
    given = source.corporate_actions(date(2024, 1, 1), DAY)
    assert_frame_equal(given, MARKET.actions.sort("ex_date", "symbol"))
    paid = MARKET.actions["ex_date"].max()
    assert source.corporate_actions(paid, paid)["cash"].to_list() == pytest.approx([0.11])
    assert source.requests["datacenter-web.eastmoney.com"]["here"] < 30


def test_everything_offered_is_given_and_requests_are_counted(source: AkshareSource, standin: StandIn) -> None:
    assert source.offers <= set(TABLES)
    source.longhubang(DAY, DAY)
    assert source.requests == {"datacenter-web.eastmoney.com": {"here": 1, "today": 1}}
    AkshareSource(source._akshare._settings).longhubang(DAY, DAY)
    assert len(standin.asked) == 2


# ---- which day the lists show


@pytest.mark.parametrize("moment", ["2025-04-07T08:30:00", "2025-04-07T11:00:00", "2025-04-07T15:29:00"])
def test_lists_of_a_running_session_are_not_taken_for_the_last_one(
    moment: str, source: AkshareSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", f"{moment}+08:00")
    friday = date(2025, 4, 3)  # the 4th was a holiday
    assert source.bar_days() == (friday, friday)
    with pytest.raises(SourceUnavailable, match="15:30"):
        bars_of(source, [friday])
    with pytest.raises(SourceUnavailable, match="15:30"):
        source.capital_flow("stock", friday)


def test_lists_that_show_another_day_are_refused(
    source: AkshareSource, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-08T16:00:00+08:00")
    for ask in (lambda: bars_of(source, [date(2025, 4, 8)]), lambda: source.capital_flow("sector", date(2025, 4, 8))):
        with pytest.raises(SourceUnavailable, match="shows the session of 2025-04-07, not of 2025-04-08"):
            ask()


def test_before_the_next_session_the_last_one_can_still_be_read(
    source: AkshareSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-08T07:00:00+08:00")
    assert bars_of(source, [DAY]).height == served("daily_bars", date=DAY).height


def test_other_days_of_the_whole_market_have_no_data(source: AkshareSource) -> None:
    assert bars_of(source, [date(2025, 4, 2), date(2025, 4, 3)]).is_empty()
    with pytest.raises(NotOffered, match="2025-04-03"):
        source.capital_flow("stock", date(2025, 4, 3))


def test_lists_that_are_being_reset_are_refused(source: AkshareSource, standin: StandIn) -> None:
    today = pl.col("date") == DAY
    standin.reset(
        replace(
            MARKET,
            bars=MARKET.bars.with_columns(suspended=pl.col("suspended") | (today & (pl.col("symbol") > "000006.SZ"))),
        )
    )
    with pytest.raises(SourceUnavailable, match="being reset"):
        bars_of(source, [DAY])


# ---- one symbol's past


def test_a_symbols_past_states_the_ex_dividend_close_and_the_suspended_days(source: AkshareSource) -> None:
    days = MARKET.bars["date"].unique().sort().to_list()
    symbols = MARKET.bars["symbol"].unique().sort().to_list()
    paying, rested = symbols[PAYING], symbols[RESTED]
    given = bars_of(source, days[:-1], [paying, rested])
    expected = served("daily_bars", "date", "symbol").filter(
        pl.col("symbol").is_in([paying, rested]) & (pl.col("date") < days[-1])
    )
    assert_frame_equal(given.drop("is_st"), expected.drop("is_st"))
    assert given["is_st"].null_count() == given.height  # a past name is not known
    closes = given.filter(symbol=paying)
    assert closes["prev_close"][PAID_ON] == pytest.approx(closes["close"][PAID_ON - 1] - DIVIDEND)
    assert given.filter(symbol=rested)["suspended"].to_list().count(True) == 3


def test_beijings_past_has_no_stated_closes(source: AkshareSource) -> None:
    given = bars_of(source, [date(2025, 4, 2), date(2025, 4, 3)], ["920001.BJ"])
    assert given["prev_close"].to_list() == [None, None]
    assert given["volume"].to_list() == served("daily_bars").filter(symbol="920001.BJ")["volume"].to_list()[-3:-1]


def test_named_symbols_cost_the_snapshot_on_the_day_itself_only(
    source: AkshareSource, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bars_of(source, [date(2025, 4, 3), DAY], ["600519.SH"])["date"].to_list() == [date(2025, 4, 3), DAY]
    assert "push2delay.eastmoney.com" in standin.hosts()
    standin.reset()
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-08T11:00:00+08:00")
    assert bars_of(source, [date(2025, 4, 3), DAY], ["600519.SH"])["date"].to_list() == [date(2025, 4, 3), DAY]
    assert "push2delay.eastmoney.com" not in standin.hosts()


def test_a_symbol_without_a_past_has_no_rows(source: AkshareSource) -> None:
    assert bars_of(source, [date(2025, 4, 3)], ["600999.SH"]).is_empty()


# ---- answers that cannot be


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"kind": "extra_key"}, r"akshare 1\.\S+ stock_zh_a_spot_em\(\): .*Length mismatch.*upgrade akshare"),
        ({"kind": "moved_key", "value": "f17"}, r"stock_zh_a_spot_em\(\): upstream key 1 is f17, must be f1\."),
        ({"kind": "text_value", "value": "f2"}, r"最新价 \(f2\) is 'n/a', which is not a number"),
    ],
)
def test_a_changed_list_is_named_with_function_key_and_version(
    fault: dict[str, str], message: str, source: AkshareSource, standin: StandIn
) -> None:
    standin.fault(path="/api/qt/clist/get", **fault)  # ty: ignore[invalid-argument-type]
    with pytest.raises(SourceChanged, match=message):
        source.quotes("stock_quotes")


def test_missing_pages_are_no_whole_market(source: AkshareSource, standin: StandIn) -> None:
    standin.reset(Market.small(DAY, symbols=240))
    standin.fault("short_page", "/api/qt/clist/get", page=2)
    with pytest.raises(SourceUnavailable, match=r"sent \d+ of \d+ rows for akshare's stock_zh_a_spot_em"):
        bars_of(source, [DAY])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ({"volume": pl.col("volume") * 100}, "a unit has changed"),
        ({"high": pl.col("low") - 1}, "outside low to high"),
        ({"prev_close": pl.col("prev_close") * 2}, "change"),
    ],
)
def test_numbers_that_contradict_each_other_are_refused(
    spoil: dict[str, pl.Expr], message: str, source: AkshareSource, standin: StandIn
) -> None:
    standin.reset(replace(MARKET, bars=MARKET.bars.with_columns(**spoil)))
    with pytest.raises(SourceChanged, match=message):
        bars_of(source, [DAY])


def test_flows_that_do_not_add_up_are_refused(source: AkshareSource, standin: StandIn) -> None:
    wrong = MARKET.flows["stock"].with_columns(main_net=pl.col("main_net") + 1e5)
    standin.reset(replace(MARKET, flows=MARKET.flows | {"stock": wrong}))
    with pytest.raises(SourceChanged, match=r"stock_individual_fund_flow_rank.*main flow is not"):
        source.capital_flow("stock", DAY)


def test_balance_sheets_that_do_not_balance_are_refused(source: AkshareSource, standin: StandIn) -> None:
    wrong = MARKET.statements["balance_sheets"].with_columns(total_assets=pl.col("total_assets") * 2)
    standin.reset(replace(MARKET, statements=MARKET.statements | {"balance_sheets": wrong}))
    with pytest.raises(SourceChanged, match="liabilities"):
        source.statements("balance_sheets", [date(2024, 12, 31)])


@pytest.mark.parametrize(
    "kind", ["drop", "status", "captcha", "null", "cut", "broken_off", "extra_key", "short_page", "refused", "empty"]
)
def test_whatever_goes_wrong_upstream_it_is_one_of_our_errors(
    kind: str, source: AkshareSource, standin: StandIn
) -> None:
    standin.fault(kind, "/api/qt/", value=502)
    with pytest.raises(SourceError) as caught:
        source.capital_flow("concept", DAY)
    assert "\n" not in str(caught.value)


# ---- costs


def test_importing_the_source_costs_neither_akshare_nor_pandas() -> None:
    heavy = ("akshare", "pandas", "requests", "deltalake")
    code = (
        f"import sys, mystocks_dagster.sources.akshare.source; print([name for name in {heavy} if name in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_the_standin_runs_as_a_process_of_its_own() -> None:
    command = [
        sys.executable,
        str(Path(__file__).parents[2] / "standin" / "server.py"),
        "--port",
        "0",
        "--day",
        "2025-04-07",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        address = process.stdout.readline().strip()
        try:
            question = f"{address}/api/data/v1/get?reportName=RPT_X&pageSize=1&pageNumber=1"
            body = urllib.request.urlopen(question, timeout=100).read()
        finally:
            process.kill()
    assert b"9501" in body
