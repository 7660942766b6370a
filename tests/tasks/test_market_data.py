"""Quotes, 龙虎榜 and capital flow: what is stored, skipped, warned of and refused."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from pydantic import ValidationError
from standin.market import Market
from standin.server import StandIn

from mystocks_dagster.errors import (
    ContractBroken,
    NotOffered,
    SourceChanged,
    SourceError,
    SourceUnavailable,
    WrongWorld,
)
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.protocol import MarketSource
from mystocks_dagster.tasks.market_data import (
    CapitalFlowParams,
    LonghubangParams,
    RealtimeParams,
    fetch_capital_flow_data,
    fetch_longhubang_data,
    fetch_realtime_market_data,
)
from mystocks_dagster.tasks.run import TaskRun

pytestmark = pytest.mark.slow

SHANGHAI = ZoneInfo("Asia/Shanghai")
MONDAY = date(2025, 4, 7)
#: The sessions up to that Monday; Friday the 4th was a holiday.
DAYS = [date(2025, 4, 1), date(2025, 4, 2), date(2025, 4, 3), MONDAY]
MARKET = Market.small(MONDAY)


@dataclass
class FakeSource:
    """Gives 龙虎榜 rows of `published` days and flows of one day; fails with the error set for a table.

    Attributes:
        errors: Table to the error that it raises.
        asked: Every question.
    """

    published: list[date] = field(default_factory=lambda: list(DAYS))
    errors: dict[str, Exception] = field(default_factory=dict)
    world: str = "real"
    name: str = "fake"
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def quotes(self, table: str) -> pl.DataFrame:
        self._ask(table)
        return MARKET.etfs if table == "etf_quotes" else quotes_of(datetime(2025, 4, 7, 10, tzinfo=SHANGHAI))

    def longhubang(self, start: date, end: date) -> pl.DataFrame:
        self._ask("longhubang", start, end)
        return board([day for day in self.published if start <= day <= end])

    def capital_flow(self, kind: str, day: date) -> pl.DataFrame:
        self._ask(f"capital_flow_{kind}", day)
        if day != MONDAY:
            raise NotOffered(f"fake has {MONDAY} only, not {day}")
        return MARKET.flows[kind]

    def _ask(self, table: str, *more: object) -> None:
        self.asked.append((table, *more))
        if table in self.errors:
            raise self.errors[table]


@dataclass(frozen=True, kw_only=True)
class FakeRun(TaskRun):
    """A run whose source is given."""

    given: FakeSource

    def source(self, named: str | None) -> MarketSource:
        return self.given  # ty: ignore[invalid-return-type]


def board(days: list[date]) -> pl.DataFrame:
    rows = MARKET.longhubang.filter(date=MONDAY)
    return pl.concat([rows.clear(), *(rows.with_columns(date=pl.lit(day)) for day in days)])


def quotes_of(moment: datetime) -> pl.DataFrame:
    row = {"symbol": "600519.SH", "date": moment.date(), "time": moment, "name": "贵州茅台", "price": 1500.0}
    return pl.DataFrame([row], schema=TABLES["stock_quotes"].dtypes)


@pytest.fixture
def fake() -> FakeSource:
    return FakeSource()


@pytest.fixture
def run(fake: FakeSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T21:00:00+08:00")
    common = {
        "task_id": "t",
        "run_id": "r",
        "attempt": 1,
        "logger": logging.getLogger("test"),
        "report_progress": lambda *_: None,
    }
    return FakeRun(settings=Settings.from_env(tmp_path), given=fake, **common)  # ty: ignore[invalid-argument-type]


@pytest.fixture
def lake(run: FakeRun) -> Lake:
    return run.lake()


# ---- quotes


@pytest.mark.parametrize(
    ("moment", "reason"),
    [
        ("2025-04-05T10:00:00", "2025-04-05 is not a trading day"),
        ("2025-04-04T10:00:00", "2025-04-04 is not a trading day"),  # a Friday, Qingming
        ("2025-04-07T09:14:00", "09:14 is outside trading hours"),
        ("2025-04-07T15:11:00", "15:11 is outside trading hours"),
    ],
)
def test_quotes_outside_trading_hours_are_skipped_without_a_call(
    moment: str, reason: str, run: FakeRun, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", f"{moment}+08:00")
    result = fetch_realtime_market_data(RealtimeParams(), run)
    assert result.status == "skipped"
    assert reason in result.message
    assert run.given.asked == []
    assert fetch_realtime_market_data(RealtimeParams(force=True), run).status == "success"
    assert lake.exists("stock_quotes")


def test_each_snapshot_is_kept(run: FakeRun, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T10:00:00+08:00")
    result = fetch_realtime_market_data(RealtimeParams(), run)
    assert result.status == "success"
    assert result.rows == {"stock_quotes": 1, "etf_quotes": MARKET.etfs.height}
    fetch_realtime_market_data(RealtimeParams(fetch_etfs=False), run)
    assert lake.read("stock_quotes").height == 1  # the same moment again
    lake.upsert("stock_quotes", quotes_of(datetime(2025, 4, 7, 11, tzinfo=SHANGHAI)))
    assert lake.read("stock_quotes").height == 2


def test_one_half_that_fails_is_a_warning_with_a_way_to_repeat_it(
    run: FakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T10:00:00+08:00")
    run.given.errors["etf_quotes"] = SourceUnavailable("push2delay is away")
    result = fetch_realtime_market_data(RealtimeParams(), run)
    assert (result.status, result.failed_items) == ("partial_success", ("etf_quotes",))
    assert "push2delay is away" in result.message
    again = RealtimeParams(**result.retry_params)
    assert (again.fetch_stocks, again.fetch_etfs) == (False, True)


def test_nothing_asked_for_is_skipped(run: FakeRun) -> None:
    assert (
        fetch_realtime_market_data(RealtimeParams(fetch_stocks=False, fetch_etfs=False, force=True), run).status
        == "skipped"
    )


# ---- 龙虎榜


def test_the_latest_day_comes_with_some_days_before_and_then_is_complete(run: FakeRun, lake: Lake) -> None:
    result = fetch_longhubang_data(LonghubangParams(), run)
    assert result.status == "success"
    assert result.days == {"longhubang": tuple(DAYS)}
    assert lake.days("longhubang") == DAYS
    again = fetch_longhubang_data(LonghubangParams(), run)
    assert again.status == "skipped"
    assert len(run.given.asked) == 1
    assert fetch_longhubang_data(LonghubangParams(force=True), run).status == "success"
    assert lake.read("longhubang").height == board(DAYS).height  # nothing twice


def test_before_its_publication_a_day_is_not_missed_and_asked_for_again(
    run: FakeRun, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T16:30:00+08:00")
    run.given.published.remove(MONDAY)
    result = fetch_longhubang_data(LonghubangParams(), run)
    assert result.status == "success"
    assert "2025-04-07 is not published yet; run again in the evening, after 20:00" in result.message
    run.given.published.append(MONDAY)
    assert fetch_longhubang_data(LonghubangParams(), run).days["longhubang"][-1] == MONDAY
    # What was there at 16:30 may be a part only: the evening's run fetches it once more, the next one does not.
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T20:05:00+08:00")
    assert fetch_longhubang_data(LonghubangParams(), run).status == "success"
    assert fetch_longhubang_data(LonghubangParams(), run).status == "skipped"


def test_only_unpublished_days_are_skipped_as_such(run: FakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T16:30:00+08:00")
    run.given.published.clear()
    result = fetch_longhubang_data(LonghubangParams(start_date="2025-04-07"), run)
    assert result.status == "skipped"
    assert "not published yet" in result.message


def test_a_published_day_without_rows_is_a_warning(run: FakeRun, lake: Lake) -> None:
    fetch_longhubang_data(LonghubangParams(), run)
    run.given.published.remove(date(2025, 4, 2))
    result = fetch_longhubang_data(LonghubangParams(force=True), run)
    assert (result.status, result.failed_items) == ("partial_success", ("2025-04-02",))
    assert lake.days("longhubang") == DAYS  # what was stored before stays


def test_in_a_simulated_market_a_quiet_day_is_complete(run: FakeRun, lake: Lake) -> None:
    quiet = FakeSource(world="simulated:7", published=[])
    result = fetch_longhubang_data(LonghubangParams(), replace(run, given=quiet))
    assert (result.status, result.rows) == ("success", {"longhubang": 0})
    assert fetch_longhubang_data(LonghubangParams(), replace(run, given=quiet)).status == "skipped"


def test_partitions_and_windows_are_fetched_as_named(run: FakeRun, lake: Lake) -> None:
    result = fetch_longhubang_data(LonghubangParams(), replace(run, days=(date(2025, 4, 2), date(2025, 4, 8))))
    assert result.days == {"longhubang": (date(2025, 4, 2),)}  # the 8th is not over
    result = fetch_longhubang_data(LonghubangParams(start_date="2025-04-01", end_date="2025-04-03"), run)
    assert result.days == {"longhubang": (date(2025, 4, 1), date(2025, 4, 3))}  # the 2nd is complete
    assert lake.days("longhubang") == DAYS[:3]


def test_a_day_whose_rewriting_broke_off_is_asked_for_again(run: FakeRun, lake: Lake) -> None:
    fetch_longhubang_data(LonghubangParams(), run)

    class Broken(FakeSource):
        def longhubang(self, start: date, end: date) -> pl.DataFrame:
            return super().longhubang(start, end).drop("reason")

    with pytest.raises(ContractBroken):
        fetch_longhubang_data(LonghubangParams(force=True), replace(run, given=Broken()))
    assert fetch_longhubang_data(LonghubangParams(), run).status == "success"


def test_dates_out_of_order_are_refused_and_empty_ones_are_none() -> None:
    with pytest.raises(ValidationError, match="2025-04-07 is after end_date 2025-04-01"):
        LonghubangParams(start_date="2025-04-07", end_date="2025-04-01")
    assert LonghubangParams(start_date="", end_date="") == LonghubangParams()


def test_another_world_is_refused(run: FakeRun) -> None:
    fetch_longhubang_data(LonghubangParams(), run)
    with pytest.raises(WrongWorld):
        fetch_longhubang_data(LonghubangParams(force=True), replace(run, given=FakeSource(world="simulated:7")))


# ---- capital flow


def test_three_flows_are_stored_and_then_complete(run: FakeRun, lake: Lake) -> None:
    result = fetch_capital_flow_data(CapitalFlowParams(), run)
    assert result.status == "success"
    assert result.rows == {f"capital_flow_{kind}": frame.height for kind, frame in MARKET.flows.items()}
    assert result.days["capital_flow_sector"] == (MONDAY,)
    assert lake.days("capital_flow_concept") == [MONDAY]
    asked = len(run.given.asked)
    assert fetch_capital_flow_data(CapitalFlowParams(), run).status == "skipped"
    assert len(run.given.asked) == asked
    assert fetch_capital_flow_data(CapitalFlowParams(force=True), run).status == "success"


def test_one_flow_that_fails_leaves_the_others_and_is_repeated_alone(run: FakeRun, lake: Lake) -> None:
    run.given.errors["capital_flow_sector"] = SourceUnavailable("push2delay is away")
    result = fetch_capital_flow_data(CapitalFlowParams(), run)
    assert (result.status, result.failed_items, result.retry_params) == (
        "partial_success",
        ("sector",),
        {"flow_types": ["sector"]},
    )
    assert lake.exists("capital_flow_concept")
    run.given.errors.clear()
    assert fetch_capital_flow_data(CapitalFlowParams(**result.retry_params), run).rows == {"capital_flow_sector": 3}


def test_when_all_flows_fail_the_task_fails_with_what_a_retry_can_mend(run: FakeRun) -> None:
    run.given.errors = {
        "capital_flow_stock": SourceChanged("a column moved"),
        "capital_flow_sector": SourceUnavailable("push2delay is away"),
        "capital_flow_concept": SourceUnavailable("push2delay is away"),
    }
    with pytest.raises(SourceError, match="push2delay is away"):
        fetch_capital_flow_data(CapitalFlowParams(), run)


def test_what_the_source_does_not_offer_is_skipped_with_its_words(run: FakeRun) -> None:
    result = fetch_capital_flow_data(CapitalFlowParams(flow_types=["stock"]), replace(run, days=(date(2025, 4, 2),)))
    assert result.status == "skipped"
    assert "fake has 2025-04-07 only" in result.message


def test_an_empty_flow_is_no_flow(run: FakeRun, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = MARKET.flows | {"stock": MARKET.flows["stock"].clear()}
    monkeypatch.setattr(MARKET, "flows", empty)
    with pytest.raises(SourceUnavailable, match="no capital flow by stock"):
        fetch_capital_flow_data(CapitalFlowParams(flow_types=["stock"]), run)
    assert not lake.exists("capital_flow_stock")


# ---- the whole way: akshare, stand-in, lake


@pytest.fixture(scope="module")
def standin() -> Iterator[StandIn]:
    with StandIn(MARKET) as server:
        yield server


def test_all_three_tasks_fill_the_lake_through_akshare(standin: StandIn, run: FakeRun, lake: Lake) -> None:
    settings = replace(run.settings, upstream=standin.address)
    live = TaskRun(
        settings=settings,
        task_id="t",
        run_id="r",
        attempt=1,
        logger=run.logger,
        report_progress=run.report_progress,
        source_override="akshare",
    )
    results = [
        fetch_realtime_market_data(RealtimeParams(force=True), live),
        fetch_longhubang_data(LonghubangParams(start_date="2025-04-02"), live),
        fetch_capital_flow_data(CapitalFlowParams(), live),
    ]
    assert [result.status for result in results] == ["success"] * 3
    assert lake.days("longhubang") == DAYS[1:]
    assert lake.read("capital_flow_stock").height == MARKET.flows["stock"].height
    assert lake.read("stock_quotes").height == MARKET.bars.filter(date=MONDAY, suspended=False).height
    assert results[1].metadata["requests"]["datacenter-web.eastmoney.com"]["here"] == 1
