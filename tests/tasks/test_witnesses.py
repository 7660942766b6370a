"""Stored bars of akshare compared with baostock's, each by its real client against its stand-in."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError
from standin.baostock import BaostockServer
from standin.market import PAID_ON, PAYING, RESTING, Market

from mystocks_dagster.errors import SourceChanged, SourceUnavailable
from mystocks_dagster.lake.comparisons import comparisons, open_differences
from mystocks_dagster.lake.loads import record_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.stored_checks import stored_checks
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.baostock import session
from mystocks_dagster.sources.baostock.process import ClientProcess
from mystocks_dagster.tasks.run import TaskRun
from mystocks_dagster.tasks.truth import truth
from mystocks_dagster.tasks.witnesses import WitnessParams, compare_sources

pytestmark = pytest.mark.slow

DAY = date(2025, 4, 7)
MARKET = Market.small(DAY)
#: The rows that both have: Beijing's are not at baostock.
COMMON = MARKET.bars.filter(date=DAY).filter(~pl.col("symbol").str.ends_with("BJ"))


@pytest.fixture(scope="module")
def running() -> Iterator[BaostockServer]:
    with BaostockServer(MARKET) as server:
        yield server


@pytest.fixture
def server(running: BaostockServer) -> BaostockServer:
    running.reset(MARKET)
    return running


@pytest.fixture(scope="module")
def process(running: BaostockServer) -> Iterator[ClientProcess]:
    """One process of baostock's client for all tests: it takes a second to start."""
    host, port = running.address.split(":")
    process = ClientProcess(host, int(port), session.DEADLINE)
    yield process
    process.close()


@pytest.fixture
def run(
    computing: TaskRun, server: BaostockServer, process: ClientProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> TaskRun:
    monkeypatch.setattr(session, "ClientProcess", lambda *_: process)
    monkeypatch.setenv("MYSTOCKS_BAOSTOCK", server.address)
    monkeypatch.setenv("MYSTOCKS_UPSTREAM", "http://127.0.0.1:9")  # nobody is there
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T19:00:00+08:00")
    return replace(computing, settings=Settings.from_env())


def store(lake: Lake, frame: pl.DataFrame = MARKET.bars, source: str = "akshare") -> None:
    rows = frame.filter(date=DAY)
    lake.replace_days("daily_bars", rows, [DAY])
    record_days(lake, "daily_bars", {DAY: rows.height}, source=source)


def changed(symbol: str, **values: Any) -> pl.DataFrame:
    this = (pl.col("symbol") == symbol) & (pl.col("date") == DAY)
    return MARKET.bars.with_columns(
        pl.when(this).then(pl.lit(value)).otherwise(name).cast(DAILY_BARS.dtypes[name]).alias(name)
        for name, value in values.items()
    )


def only_bars(**options: Any) -> WitnessParams:
    return WitnessParams(**{"tables": ["daily_bars"], "witnesses": ["baostock"], **options})


def agreement(lake: Lake) -> Any:
    (check,) = stored_checks(lake, DAILY_BARS, only=["witnesses_agree"])
    return check


def test_two_sources_that_agree_are_compared_in_one_request(run: TaskRun, lake: Lake, server: BaostockServer):
    store(lake)
    result = compare_sources(only_bars(), run)
    assert result.status == "success"
    assert f"akshare and baostock agree in all {COMMON.height} rows" in result.message
    assert server.calls().count("query_daily_history_k_AStock") == 1
    (row,) = comparisons(lake).to_dicts()
    assert (row["agreeing"], row["differing"], row["source_a"], row["source_b"]) == (
        COMMON.height, 0, "akshare", "baostock",
    )  # fmt: skip
    check = agreement(lake)
    assert not check.failing
    assert check.description == f"akshare and baostock agree in 100 % of {COMMON.height} rows of 2025-04-07."


def test_a_difference_is_kept_with_both_values_and_the_stored_row_stays(run: TaskRun, lake: Lake):
    store(lake, changed("600519.SH", close=99.9, volume=77))
    before = lake.read("daily_bars")
    result = compare_sources(only_bars(), run)
    assert f"agree except in 1 of {COMMON.height} rows" in result.message
    assert lake.read("daily_bars").equals(before)
    rows = open_differences(lake, "daily_bars").sort("column").to_dicts()
    true = COMMON.filter(symbol="600519.SH").row(0, named=True)
    assert [(row["symbol"], row["column"], row["value_a"], row["kind"]) for row in rows] == [
        ("600519.SH", "close", "99.9", "value"), ("600519.SH", "volume", "77", "value"),
    ]  # fmt: skip
    assert [float(row["value_b"]) for row in rows] == [true["close"], true["volume"]]
    assert rows[0]["size"] == pytest.approx(99.9 - true["close"])
    check = agreement(lake)
    assert check.failing == 2
    assert not check.blocking
    assert f"{100 * (COMMON.height - 1) / COMMON.height:.2f} %" in check.description
    assert "mystocks data truth" in check.description


def test_a_difference_that_was_settled_is_no_longer_open(run: TaskRun, lake: Lake):
    store(lake, changed("600519.SH", close=99.9))
    compare_sources(only_bars(), run)
    store(lake)
    compare_sources(only_bars(), run)
    assert open_differences(lake).is_empty()
    assert comparisons(lake).height == 1


def test_a_source_is_never_its_own_witness(run: TaskRun, lake: Lake, server: BaostockServer):
    store(lake, source="baostock")
    result = compare_sources(only_bars(), run)
    assert (result.status, server.asked) == ("skipped", [])
    assert "daily_bars: no other source has 2025-04-07 now." in result.message


def test_rows_of_an_hour_before_end_in_one_named_difference(run: TaskRun, lake: Lake):
    fewer = (pl.col("volume") * (0.7 + 0.01 * pl.col("close"))).cast(pl.Int64)
    store(lake, MARKET.bars.with_columns(volume=fewer, amount=pl.col("amount") * 0.8))
    result = compare_sources(only_bars(), run)
    assert "The stored rows are of an earlier moment of the day" in result.message
    (row,) = open_differences(lake).to_dicts()
    assert (row["symbol"], row["column"], row["kind"]) == ("*", "volume", "earlier_moment")


def test_a_day_that_one_source_calls_a_holiday_ends_in_a_named_difference(
    run: TaskRun, lake: Lake, server: BaostockServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-08T09:00:00+08:00")
    server.fault("holiday")
    store(lake)
    result = compare_sources(only_bars(), run)
    assert "baostock calls 2025-04-07 a holiday, while akshare has" in result.message
    assert "The calendar of baostock differs: 2025-04-07 (holiday there)." in result.message
    rows = open_differences(lake).select("table", "date", "symbol", "value_b", "kind").rows()
    assert set(rows) == {
        ("daily_bars", DAY, "*", "holiday", "holiday"), ("trading_calendar", DAY, "*", "holiday", "holiday"),
    }  # fmt: skip
    assert agreement(lake).failing == 1


def test_a_day_without_rows_that_is_no_holiday_is_named_too(
    run: TaskRun, lake: Lake, server: BaostockServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-08T09:00:00+08:00")
    server.fault("holiday", "query_daily_history_k_AStock")
    store(lake)
    assert "baostock has no row of 2025-04-07" in compare_sources(only_bars(), run).message
    assert open_differences(lake)["kind"].to_list() == ["no_rows"]


def test_half_an_answer_shows_which_rows_only_one_has(run: TaskRun, lake: Lake, server: BaostockServer):
    server.fault("short", "query_daily_history_k_AStock")
    store(lake)
    compare_sources(only_bars(), run)
    rows = open_differences(lake, "daily_bars")
    assert set(rows["kind"]) == {"only_one"}
    # Half of all rows and of the index's; the suspended stock is in the half that came.
    assert rows.height == COMMON.height - (COMMON.height + 1) // 2
    assert COMMON["symbol"].sort()[RESTING] not in rows["symbol"]


def test_a_witness_that_fails_is_followed_by_the_next(run: TaskRun, lake: Lake):
    store(lake)
    result = compare_sources(only_bars(witnesses=["tdx", "baostock"]), run)
    assert result.status == "success"
    assert "akshare and baostock agree" in result.message
    assert "daily_bars: tdx could not be compared: " in result.message


def test_a_witness_whose_file_is_gone_is_named_until_a_person_mends_it(
    run: TaskRun, lake: Lake, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MYSTOCKS_TDX", "/nowhere/hsjday.zip")
    store(lake)
    both = only_bars(witnesses=["tdx", "baostock"])
    result = compare_sources(both, replace(run, settings=Settings.from_env()))
    assert (result.status, result.failed_items) == ("partial_success", ("daily_bars with tdx",))
    assert "/nowhere/hsjday.zip, which does not exist" in result.message
    assert "akshare and baostock agree" in result.message
    check = agreement(lake)
    assert (check.failing, "MYSTOCKS_TDX is /nowhere/hsjday.zip" in check.description) == (1, True)
    (item,) = (item for item in truth(lake) if item.table == "daily_bars" and item.witness == "tdx")
    assert (item.rows, item.agreement, item.differences) == (0, None, 1)
    assert item.note.startswith("tdx could not be compared: MYSTOCKS_TDX is /nowhere/hsjday.zip")


def test_a_witness_whose_zip_is_damaged_is_an_error_and_not_a_witness_that_has_no_day(
    run: TaskRun, lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "hsjday.zip").write_bytes(b"PK and no more")
    monkeypatch.setenv("MYSTOCKS_TDX", str(tmp_path / "hsjday.zip"))
    store(lake)
    with pytest.raises(SourceChanged, match=r"hsjday\.zip"):
        compare_sources(only_bars(witnesses=["tdx"]), replace(run, settings=Settings.from_env()))
    assert open_differences(lake)["kind"].to_list() == ["unread"]


def test_a_witness_that_nobody_has_set_up_is_not_missed(run: TaskRun, lake: Lake):
    store(lake)
    assert "dumps" not in compare_sources(only_bars(witnesses=["dumps", "baostock"]), run).message


def test_before_a_source_has_the_day_it_is_not_asked(
    run: TaskRun, lake: Lake, server: BaostockServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T16:00:00+08:00")
    store(lake)
    result = compare_sources(only_bars(), run)
    assert (result.status, server.asked) == ("skipped", [])


def test_a_source_that_fails_is_an_error_and_nothing_is_stored(run: TaskRun, lake: Lake, server: BaostockServer):
    server.fault("blacklist")
    store(lake)
    with pytest.raises(SourceUnavailable, match="blacklist"):
        compare_sources(only_bars(), run)
    assert comparisons(lake).is_empty()


def test_ratios_have_no_second_source_yet_and_an_empty_lake_nothing_to_compare(run: TaskRun, lake: Lake):
    result = compare_sources(WitnessParams(), run)
    assert result.status == "skipped"
    assert "daily_bars: nothing is loaded." in result.message


def test_the_ex_days_of_a_day_have_a_witness_of_their_own(run: TaskRun, lake: Lake):
    day = MARKET.bars["date"].unique().sort()[PAID_ON]
    rows = MARKET.bars.filter(date=day)
    lake.replace_days("daily_bars", rows, [day])
    record_days(lake, "daily_bars", {day: rows.height}, source="akshare")
    paying = f"{PAYING + 1:06d}.SZ"
    lake.upsert("adjust_events", pl.DataFrame([{"symbol": paying, "date": day, "ratio": 0.99}]))
    params = WitnessParams(tables=["adjust_events"], day=day, witnesses=["baostock"])
    assert "agree in all 1 rows" in compare_sources(params, run).message
    lake.replace_all("adjust_events", pl.DataFrame([{"symbol": "600519.SH", "date": day, "ratio": 0.99}]))
    compare_sources(params, run)
    rows = open_differences(lake, "adjust_events").select("symbol", "value_a", "value_b", "kind").sort("symbol").rows()
    assert rows == [(paying, None, "row", "only_one"), ("600519.SH", "row", None, "only_one")]


def test_the_ex_days_of_corporate_actions_have_a_witness_too(run: TaskRun, lake: Lake, server: BaostockServer):
    day = MARKET.bars["date"].unique().sort()[PAID_ON]
    rows = MARKET.bars.filter(date=day)
    lake.replace_days("daily_bars", rows, [day])
    record_days(lake, "daily_bars", {day: rows.height}, source="akshare")
    fund = {"symbol": "510300.SH", "ex_date": day, "cash": 0.1, "bonus": 0.0, "source": "tdx"}  # baostock states none
    lake.upsert("corporate_actions", CORPORATE_ACTIONS.typed(pl.DataFrame([fund])))
    record_days(lake, "corporate_actions", {day: 1}, source="tdx")
    paying = f"{PAYING + 1:06d}.SZ"
    lake.upsert("adjust_events", pl.DataFrame([{"symbol": paying, "date": day, "ratio": 0.99}]))
    params = WitnessParams(tables=["adjust_events"], day=day, witnesses=["baostock"])
    assert f"corporate_actions of {day}: tdx and baostock agree except in 1 of 1 rows" in (
        compare_sources(params, run).message
    )
    [lacking] = open_differences(lake, "corporate_actions").select("symbol", "value_a", "value_b", "kind").rows()
    assert lacking == (paying, None, "row", "only_one")
    asked = server.calls().count("query_daily_adjust_factor")
    frame = pl.DataFrame([fund | {"symbol": paying}, fund | {"symbol": paying, "source": "akshare"}])
    lake.upsert("corporate_actions", CORPORATE_ACTIONS.typed(frame))
    assert "baostock agree in all 1 rows" in compare_sources(params, run).message
    assert open_differences(lake, "corporate_actions").filter(source_a="akshare, tdx").is_empty()
    assert server.calls().count("query_daily_adjust_factor") == 2 * asked == 2
    assert "baostock (ex-days)" in {item.table: item.witnesses for item in truth(lake)}["corporate_actions"]


def test_a_simulated_lake_has_no_witness(computing: TaskRun):
    store(computing.lake("simulated:7"), source="simulated")
    result = compare_sources(only_bars(), computing)
    assert (result.status, result.message) == ("skipped", "Simulated data has no witness: there is one source of it.")


def test_a_witness_that_does_not_exist_is_refused():
    with pytest.raises(ValidationError, match="there is no data source 'bao'"):
        WitnessParams(witnesses=["bao"])


def test_the_truth_of_each_dataset_is_listed_with_its_open_differences(run: TaskRun, lake: Lake):
    listed = {item.table: item for item in truth(lake)}
    assert listed["daily_bars"].day is None
    assert "baostock" in listed["daily_bars"].witnesses
    store(lake, changed("600519.SH", close=99.9))
    compare_sources(only_bars(), run)
    item = next(item for item in truth(lake) if item.table == "daily_bars")
    assert (item.day, item.source, item.witness, item.differences) == (DAY, "akshare", "baostock", 1)
    assert item.agreement == pytest.approx(100 * (COMMON.height - 1) / COMMON.height)
    assert item.to_json()["day"] == "2025-04-07"
    assert next(item for item in truth(lake, date(2025, 4, 3)) if item.table == "daily_bars").day is None
