"""Faults of a live snapshot that no request reports: akshare's real code reads them from the stand-in."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from standin.market import Market
from standin.server import StandIn
from standin.shapes import Answers

from mystocks_dagster.errors import SourceChanged, SourceError, SourceUnavailable
from mystocks_dagster.lake.loads import record_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.data_sync import DailySync, sync_daily_stock_data
from mystocks_dagster.tasks.market_data import (
    CapitalFlowParams,
    RealtimeParams,
    fetch_capital_flow_data,
    fetch_realtime_market_data,
)
from mystocks_dagster.tasks.run import TaskResult, TaskRun

pytestmark = pytest.mark.slow

MONDAY = date(2025, 4, 7)
PAST = [date(2025, 4, 1), date(2025, 4, 2), date(2025, 4, 3)]  # Friday the 4th was a holiday
MARKET = Market.small(MONDAY, symbols=300)
SPOT = Answers(MARKET)._spot
YESTERDAY = {row["f12"]: row for row in Answers(replace(MARKET, day=PAST[-1]))._spot}
EVERYTHING = ("f2", "f3", "f4", "f5", "f6", "f8", "f15", "f16", "f17", "f18", "f20", "f21")
NUMBERS = ("f2", "f3", "f4", "f5", "f6", "f8", "f15", "f16", "f17", "f18")
PRICES = ("f2", "f15", "f16", "f17")
BY_CODE = sorted((row["f12"] for row in SPOT if row["f2"] != "-" and row["f124"]), reverse=True)

Row = dict[str, Any]
Spoil = Callable[[Row], Row]


@pytest.fixture(scope="module")
def server() -> Iterator[StandIn]:
    with StandIn(MARKET) as server:
        yield server


@pytest.fixture
def standin(server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    server.reset(MARKET)
    for name, value in {
        "MYSTOCKS_UPSTREAM": server.address,
        "MYSTOCKS_NOW": "2025-04-07T16:00:00+08:00",
        "MYSTOCKS_LAKE": str(tmp_path / "lake"),
        "DAGSTER_HOME": str(tmp_path / "home"),
    }.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def empty_lake(standin: StandIn, tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"), "real")


@pytest.fixture
def lake(empty_lake: Lake) -> Lake:
    """A lake with the bars of the three sessions before."""
    bars = MARKET.bars.filter(pl.col("date").is_in(PAST))
    empty_lake.replace_days("daily_bars", bars, PAST)
    record_days(empty_lake, "daily_bars", dict.fromkeys(PAST, bars.height // 3), source="made")
    return empty_lake


def spoilt(standin: StandIn, spoil: Spoil, codes: list[str]) -> None:
    """Let the stand-in serve a market whose rows of `codes` are changed."""
    spoilt_each(standin, dict.fromkeys(codes, spoil))


def spoilt_each(standin: StandIn, spoils: dict[str, Spoil]) -> None:
    """Let the stand-in serve a market in which each of these rows is changed in its own way."""
    rows = [spoils[row["f12"]](row) if row["f12"] in spoils else row for row in SPOT]
    standin.reset(replace(MARKET, raw={"spot": rows}))


def run() -> TaskRun:
    logger, settings = logging.getLogger("task"), Settings.from_env()
    return TaskRun(
        task_id="t", run_id="r", attempt=1, settings=settings, logger=logger, report_progress=lambda *_: None
    )


def bars() -> TaskResult:
    return sync_daily_stock_data(DailySync(include_basic=False), run())


def quotes() -> TaskResult:
    return fetch_realtime_market_data(RealtimeParams(force=True, fetch_etfs=False), run())


def put_aside(lake: Lake) -> dict[str, set[str]]:
    rows = lake.read("quarantine") if lake.exists("quarantine") else pl.DataFrame({"rule": [], "key": []})
    return {rule: set(group["key"].str.slice(0, 6)) for (rule,), group in rows.group_by("rule")}


def every(n: int) -> list[str]:
    return BY_CODE[::n]


def tenfold(*keys: str) -> Spoil:
    return times(10, *keys)


def times(factor: float, *keys: str) -> Spoil:
    return lambda row: row | {key: round(row[key] * factor, 4) for key in keys}


def having(**values: object) -> Spoil:
    return lambda row: row | values


def with_previous_close_times(factor: float) -> Spoil:
    """Return the change of a row to another previous close, with the change in percent that follows from it."""

    def spoil(row: Row) -> Row:
        before = round(row["f18"] * factor, 2)
        return row | {"f18": before, "f3": round((row["f2"] / before - 1) * 100, 2)}

    return spoil


def of_another(row: Row) -> Row:
    """Return the row with the numbers of the stock that is three places further in the list."""
    at = (BY_CODE.index(row["f12"]) + 3) % len(BY_CODE)
    other = next(row for row in SPOT if row["f12"] == BY_CODE[at])
    return row | {key: other[key] for key in NUMBERS}


def fitting_shares(row: Row) -> Row:
    """Return the row with another stock's prices, volume and amount, and with turnover and value that fit them."""
    other, shares = of_another(row), row["f21"] / row["f2"]
    return other | {"f8": other["f5"] * 100 / shares * 100, "f21": round(other["f2"] * shares)}


def of_a_distant(row: Row, keys: tuple[str, ...]) -> Row:
    """Return the row with those values of the stock that is a hundred places further in the list."""
    at = (BY_CODE.index(row["f12"]) + 100) % len(BY_CODE)
    other = next(row for row in SPOT if row["f12"] == BY_CODE[at])
    return row | {key: other[key] for key in keys}


def of_yesterday(row: Row) -> Row:
    return row | {key: YESTERDAY[row["f12"]][key] for key in NUMBERS}


def without_price(row: Row) -> Row:
    return row | dict.fromkeys(("f2", "f3", "f4", "f5", "f6", "f7", "f8", "f15", "f16", "f17"), "-")


def test_the_market_without_a_fault_is_taken(lake: Lake) -> None:
    assert (bars().status, quotes().status) == ("success", "success")
    assert put_aside(lake) == {}


@pytest.mark.parametrize("task", [bars, quotes])
def test_prices_of_another_symbol_in_a_third_of_the_rows_are_refused(
    task: Callable[[], TaskResult], lake: Lake, standin: StandIn
) -> None:
    spoilt(standin, fitting_shares, every(3))
    assert "prev_close_" in refusal(task)
    assert MONDAY not in lake.days("daily_bars")
    assert not lake.exists("stock_quotes")


@pytest.mark.parametrize("task", [bars, quotes])
def test_prices_of_another_symbol_are_set_aside_where_they_are_above_the_stored_close(
    task: Callable[[], TaskResult], lake: Lake, standin: StandIn
) -> None:
    cheaper = BY_CODE[10:15]  # three places further the price is three yuan lower, or higher
    spoilt(standin, of_another, cheaper)
    wrong = {row["f12"] for row in SPOT if row["f12"] in cheaper and of_another(row)["f18"] > row["f18"]}
    result = task()
    assert (result.status, put_aside(lake).get("prev_close_out_of_bounds", set())) == (
        ("partial_success", wrong) if wrong else ("success", set())
    )


@pytest.mark.parametrize(
    ("task", "keys", "witness"),
    [
        (bars, NUMBERS, "the value of the floating shares"),
        (quotes, NUMBERS, "the value of the floating shares"),
        (bars, EVERYTHING, "the exchange's number of floating shares"),
        (bars, (*EVERYTHING, "f14"), "the exchange's"),
    ],
)
def test_prices_of_another_symbol_are_refused_on_the_first_day_of_a_lake_too(
    task: Callable[[], TaskResult], keys: tuple[str, ...], witness: str, empty_lake: Lake, standin: StandIn
) -> None:
    spoilt(standin, lambda row: of_a_distant(row, keys), every(3))
    with pytest.raises(SourceUnavailable, match=rf"rows_of_other_symbols: \d+ of \d+ rows .* contradict {witness}"):
        task()
    assert not empty_lake.exists("daily_bars")
    assert not empty_lake.exists("stock_quotes")


@pytest.mark.parametrize("task", [bars, quotes])
def test_yesterdays_rows_for_half_of_the_market_are_refused(
    task: Callable[[], TaskResult], lake: Lake, standin: StandIn
) -> None:
    spoilt(standin, of_yesterday, every(2))
    assert "prev_close_disagrees" in refusal(task)


@pytest.mark.parametrize("task", [bars, quotes])
def test_rows_that_changed_in_an_earlier_session_are_refused_even_without_a_past(
    task: Callable[[], TaskResult], empty_lake: Lake, standin: StandIn
) -> None:
    busiest = sorted(BY_CODE, key=lambda code: -next(row["f6"] for row in SPOT if row["f12"] == code))[:20]
    stale = [code for code in every(2) if code not in busiest]
    spoilt(standin, lambda row: of_yesterday(row) | {"f124": YESTERDAY[row["f12"]]["f124"]}, stale)
    with pytest.raises(SourceUnavailable, match=r"rows_of_two_sessions: \d+ of 99 rows .* before 2025-04-07"):
        task()


def test_flows_of_two_sessions_are_refused(empty_lake: Lake, standin: StandIn) -> None:
    flows = Answers(MARKET)._stock_flows()
    old = [row | {"f124": row["f124"] - 4 * 86400} if n % 2 else row for n, row in enumerate(flows)]
    standin.reset(replace(MARKET, raw={"stock_flow": old}))
    with pytest.raises(SourceUnavailable, match="rows_of_two_sessions"):
        fetch_capital_flow_data(CapitalFlowParams(flow_types=["stock"]), run())


@pytest.mark.parametrize("task", [bars, quotes])
def test_a_dash_for_stocks_that_traded_the_day_before_is_refused(
    task: Callable[[], TaskResult], lake: Lake, standin: StandIn
) -> None:
    spoilt(standin, without_price, BY_CODE[:22])  # 7 % of the market, as 400 of 5,500
    assert "too_many_" in refusal(task)


def test_a_dash_for_many_stocks_is_refused_on_the_first_day_of_a_lake_too(empty_lake: Lake, standin: StandIn) -> None:
    spoilt(standin, without_price, BY_CODE[:22])
    assert "too_many_suspended: 23 of 296 symbols show no price, and no bars of the session before" in refusal(bars)


def test_before_trading_begins_stocks_may_have_no_price(
    lake: Lake, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T09:20:00+08:00")
    spoilt(standin, without_price, BY_CODE[:22])
    assert quotes().status == "success"


@pytest.mark.parametrize("task", [bars, quotes])
def test_prices_times_ten_with_the_amount_of_before_are_refused(
    task: Callable[[], TaskResult], lake: Lake, standin: StandIn
) -> None:
    spoilt(standin, tenfold(*PRICES, "f18"), every(27))  # 4 %, as 200 of 5,500
    with pytest.raises(SourceChanged, match="amount / volume outside low to high"):
        task()


@pytest.mark.parametrize("task", [bars, quotes])
def test_prices_times_ten_with_all_that_belongs_to_them_are_set_aside(
    task: Callable[[], TaskResult], lake: Lake, standin: StandIn
) -> None:
    codes = every(27)
    spoilt(standin, tenfold(*PRICES, "f18", "f6", "f20", "f21"), codes)
    assert task().status == "partial_success"
    assert put_aside(lake)["prev_close_out_of_bounds"] == set(codes)


@pytest.mark.parametrize("task", [bars, quotes])
@pytest.mark.parametrize("past", ["lake", "empty_lake"])
def test_a_previous_close_times_ten_is_set_aside_or_refused(
    past: str, task: Callable[[], TaskResult], request: pytest.FixtureRequest, standin: StandIn
) -> None:
    known: Lake = request.getfixturevalue(past)
    spoilt(standin, tenfold("f18"), every(27))
    with pytest.raises(SourceChanged, match="change_pct is not price / prev_close - 1"):
        task()
    spoilt(standin, tenfold("f18"), BY_CODE[5:7])
    result = task()
    assert result.status == "partial_success", result.message
    assert put_aside(known)["change_contradicts_price"] == set(BY_CODE[5:7])


@pytest.mark.parametrize("task", [bars, quotes])
def test_rows_that_contradict_themselves_are_set_aside_by_the_rule_that_they_break(
    task: Callable[[], TaskResult], empty_lake: Lake, standin: StandIn
) -> None:
    broken: dict[str, list[Spoil]] = {
        "trade_incomplete": [having(f2="-"), having(f5="-"), having(f5=0), having(f6=0)],
        "turnover_contradicts_value": [
            tenfold(*PRICES, "f18", "f6"), times(0.1, *PRICES, "f18", "f6"), times(100, "f5", "f6"), times(0.01, "f8"),
        ],
        "change_beyond_limit": [with_previous_close_times(0.5), with_previous_close_times(10)],
        "negative_volume": [times(-1, "f5")],
    }  # fmt: skip
    names = iter(every(7))
    expected = {rule: {next(names): spoil for spoil in spoils} for rule, spoils in broken.items()}
    spoilt_each(standin, {code: spoil for spoils in expected.values() for code, spoil in spoils.items()})
    assert task().status == "partial_success"
    aside = put_aside(empty_lake)
    assert {rule: aside[rule] for rule in expected} == {rule: set(spoils) for rule, spoils in expected.items()}


def test_a_fund_with_an_amount_and_no_volume_is_set_aside(empty_lake: Lake, standin: StandIn) -> None:
    name = MARKET.etfs.filter(pl.col("amount") > 0)["symbol"][0]
    volume = pl.when(pl.col("symbol") == name).then(None).otherwise(pl.col("volume"))
    standin.reset(replace(MARKET, etfs=MARKET.etfs.with_columns(volume=volume)))
    result = fetch_realtime_market_data(RealtimeParams(force=True, fetch_stocks=False), run())
    assert (result.status, put_aside(empty_lake)) == ("partial_success", {"trade_incomplete": {name[:6]}})


@pytest.mark.parametrize("task", [bars, quotes])
@pytest.mark.parametrize(
    ("spoil", "share", "reason"),
    [
        (tenfold(*PRICES, "f18", "f6"), 10, "turnover_contradicts_value: .* in 30 of"),
        (having(f18="-"), 27, "a price without a previous close"),
        (times(0.01, "f8"), 1, "rows_of_other_symbols"),
    ],
)
def test_the_same_in_many_rows_refuses_the_list(
    spoil: Spoil, share: int, reason: str, task: Callable[[], TaskResult], empty_lake: Lake, standin: StandIn
) -> None:
    spoilt(standin, spoil, every(share))
    with pytest.raises(SourceError, match=reason):
        task()
    assert not empty_lake.exists("daily_bars")
    assert not empty_lake.exists("stock_quotes")


@pytest.mark.parametrize("task", [bars, quotes])
@pytest.mark.parametrize("keys", [NUMBERS, tuple(key for key in NUMBERS if key not in ("f3", "f18"))])
def test_yesterdays_numbers_in_a_few_rows_are_set_aside_also_beside_todays_previous_close(
    keys: tuple[str, ...], task: Callable[[], TaskResult], lake: Lake, standin: StandIn
) -> None:
    def spoil(row: Row) -> Row:
        old = row | {key: YESTERDAY[row["f12"]][key] for key in keys}
        return old | {"f3": round((old["f2"] / old["f18"] - 1) * 100, 2)}

    spoilt(standin, spoil, BY_CODE[5:9])
    assert task().status == "partial_success"
    assert put_aside(lake)["rows_of_the_day_before"] == set(BY_CODE[5:9])


def test_quotes_of_yesterday_are_refused_once_todays_session_has_begun(
    lake: Lake, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    standin.reset(replace(MARKET, day=PAST[-1], etfs=MARKET.etfs.with_columns(date=pl.lit(PAST[-1]))))
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T09:31:00+08:00")
    for selected in ({"fetch_etfs": False}, {"fetch_stocks": False}):
        with pytest.raises(SourceUnavailable, match="shows the session of 2025-04-03, not of 2025-04-07"):
            fetch_realtime_market_data(RealtimeParams(**selected), run())
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T09:20:00+08:00")
    assert fetch_realtime_market_data(RealtimeParams(), run()).status == "success"


@pytest.mark.parametrize("task", [bars, quotes])
def test_rows_that_are_gone_while_the_total_stays_are_missed(
    task: Callable[[], TaskResult], empty_lake: Lake, standin: StandIn
) -> None:
    standin.fault("lost_rows", "/api/qt/clist/get", page=2, value=1)
    with pytest.raises(SourceUnavailable, match=r"sent 298 of 299 rows for akshare's stock_zh_a_spot_em"):
        task()


@pytest.mark.parametrize("past", ["lake", "empty_lake"])
def test_a_row_that_is_gone_with_its_total_leaves_the_day_incomplete(
    past: str, request: pytest.FixtureRequest, standin: StandIn
) -> None:
    request.getfixturevalue(past)
    gone = BY_CODE[7]
    standin.reset(replace(MARKET, raw={"spot": [row for row in SPOT if row["f12"] != gone]}))
    result = bars()
    why = "which had one the day before" if past == "lake" else "which the stock list has"
    assert (result.status, f"{gone}.S" in result.message, why in result.message) == ("partial_success", True, True)


@pytest.mark.parametrize("task", [bars, quotes])
def test_a_negative_amount_is_set_aside(task: Callable[[], TaskResult], empty_lake: Lake, standin: StandIn) -> None:
    spoilt(standin, lambda row: row | {"f6": -row["f6"]}, BY_CODE[3:4])
    assert task().status == "partial_success"
    assert put_aside(empty_lake)["negative_amount"] == set(BY_CODE[3:4])


def refusal(task: Callable[[], TaskResult]) -> str:
    """Return the text of a refusal: the error, or the message of a failed result."""
    try:
        result = task()
    except SourceError as error:
        return str(error)
    assert result.status == "failed", result
    return result.message
