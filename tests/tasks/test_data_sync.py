"""What the three sync tasks load, skip, refuse and admit."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from unittest.mock import Mock
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from pydantic import ValidationError

from mystocks_dagster.errors import (
    LakeUnavailable,
    NotOffered,
    OutsideCalendar,
    SourceUnavailable,
    TaskFailed,
    WrongWorld,
)
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables.fundamentals import BALANCE_SHEETS
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.reference import STOCKS
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.protocol import MarketSource
from mystocks_dagster.tasks.data_sync import (
    BasicSync,
    DailySync,
    StatementSync,
    sync_basic_stock_info,
    sync_daily_stock_data,
    sync_financial_statements,
)
from mystocks_dagster.tasks.run import TaskRun

pytestmark = pytest.mark.slow

# The first six trading days of 2024: Monday 1 January is a holiday.
DAYS = [date(2024, 1, day) for day in (2, 3, 4, 5, 8, 9)]
SHANGHAI = ZoneInfo("Asia/Shanghai")
MARKET = [f"{600000 + n}.SH" for n in range(100)]


@dataclass
class FakeSource:
    """Gives one frame a day out of `market`, remembers what was asked, and fails where it is told to.

    Attributes:
        market: Day to the symbols that have a bar, all of them at 10 CNY.
        listed: The stock list; None offers none.
        reports: Statements offered by table.
        fails_at: The day at which the connection breaks.
    """

    market: dict[date, list[str]]
    listed: list[str] | None = None
    reports: dict[str, pl.DataFrame] = field(default_factory=dict)
    has_history: bool = True
    world: str = "real"
    name: str = "fake"
    fails_at: date | None = None
    asked: list[tuple] = field(default_factory=list)

    @property
    def offers(self) -> frozenset[str]:
        return frozenset({"daily_bars", *self.reports})

    def trading_days(self) -> list[date]:
        raise NotOffered("it states no trading days")

    def bar_days(self) -> tuple[date, date]:
        if not self.market:
            raise NotOffered("fake has no bars")
        return min(self.market), max(self.market)

    def daily_bars(self, days: Sequence[date], symbols: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        self.asked.append(("daily_bars", *days))
        known = {day: self.market[day] for day in days if day in self.market}
        if not self.has_history and symbols is None:
            known = {day: names for day, names in known.items() if day == max(self.market)}
        for day, names in sorted(known.items()):
            if day == self.fails_at:
                raise SourceUnavailable("fake.example broke off")
            yield bars(day, [name for name in names if symbols is None or name in symbols])

    def stocks(self, *, include_delisted: bool) -> pl.DataFrame:
        self.asked.append(("stocks", include_delisted))
        if self.listed is None:
            raise NotOffered("fake has no stocks")
        return stocks(self.listed, ["600999.SH"] if include_delisted else [])

    def statements(self, table: str, periods: Sequence[date]) -> pl.DataFrame:
        self.asked.append((table, *periods))
        if table not in self.reports:
            raise NotOffered(f"fake has no {table}")
        return self.reports[table].filter(pl.col("period").is_in(list(periods)))


def bars(day: date, symbols: list[str], price: float = 10.0) -> pl.DataFrame:
    numbers = dict.fromkeys(("open", "high", "low", "close", "prev_close", "amount", "turnover"), price)
    frame = pl.DataFrame({"symbol": symbols}, schema={"symbol": pl.String}).with_columns(
        pl.lit(day).alias("date"),
        *(pl.lit(value).alias(name) for name, value in numbers.items()),
        volume=100,
        is_st=False,
        suspended=False,
    )
    return DAILY_BARS.typed(frame)


def stocks(listed: list[str], delisted: list[str]) -> pl.DataFrame:
    at = datetime(2024, 1, 9, 16, tzinfo=SHANGHAI)
    common = {"name": "某某", "exchange": "SH", "board": "main", "is_st": False, "list_date": None, "updated_at": at}
    rows = [common | {"symbol": name, "delist_date": None} for name in listed]
    rows += [common | {"symbol": name, "delist_date": date(2023, 6, 1)} for name in delisted]
    return pl.DataFrame(rows, schema=STOCKS.dtypes)


def sheets(*periods: date, assets: float = 1e9) -> pl.DataFrame:
    rows = [{"symbol": "600000.SH", "period": period, "total_assets": assets} for period in periods]
    return pl.DataFrame(rows, schema=BALANCE_SHEETS.dtypes)


@dataclass(frozen=True, kw_only=True)
class Run(TaskRun):
    """A run whose source is given instead of looked up by name."""

    given: MarketSource

    def source(self, named: str | None) -> MarketSource:
        return self.given


@pytest.fixture(autouse=True)
def tuesday_evening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2024-01-09T16:30:00+08:00")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def run(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    monkeypatch.setenv("MYSTOCKS_LAKE", lake.location)

    def make(source: FakeSource, days: tuple[date, ...] = (), progress: list | None = None) -> Run:
        report = (lambda *step: progress.append(step)) if progress is not None else (lambda *_: None)
        return Run(
            task_id="task", run_id="run", attempt=1, settings=Settings.from_env(), logger=logging.getLogger("task"),
            report_progress=report, days=days, given=source,
        )  # fmt: skip

    return make


@pytest.fixture
def full() -> FakeSource:
    """A hundred symbols on each of the six days."""
    return FakeSource(dict.fromkeys(DAYS, MARKET))


def complete(lake: Lake) -> dict[date, bool]:
    return dict(
        lake.read("loaded_days").filter(pl.col("table") == "daily_bars").sort("date").select("date", "complete").rows()
    )


# ---- daily bars: which days


@pytest.mark.slow
def test_everything_that_is_not_loaded_yet_is_loaded(run, lake, full):
    progress = []
    result = sync_daily_stock_data(DailySync(), run(full, progress=progress))
    assert (result.status, result.rows["daily_bars"], result.days["daily_bars"]) == ("success", 600, tuple(DAYS))
    assert lake.read("daily_bars").height == 600
    assert complete(lake) == dict.fromkeys(DAYS, True)
    assert progress[-1][:2] == (6, 6)


@pytest.mark.slow
def test_what_is_complete_is_skipped_without_a_call(run, full):
    sync_daily_stock_data(DailySync(include_basic=False), run(full))
    calls = len(full.asked)
    result = sync_daily_stock_data(DailySync(include_basic=False), run(full))
    assert (result.status, result.message) == ("skipped", "Bars: all 6 trading days are complete.")
    assert len(full.asked) == calls


@pytest.mark.slow
def test_force_loads_complete_days_again(run, full):
    for force in (False, True):
        sync_daily_stock_data(DailySync(include_basic=False, force=force), run(full))
    assert full.asked == [("daily_bars", *DAYS)] * 2


@pytest.mark.slow
@pytest.mark.parametrize(("clock", "last"), [("15:29", date(2024, 1, 8)), ("15:30", date(2024, 1, 9))])
def test_a_day_counts_from_the_moment_vendors_have_it(run, full, monkeypatch, clock, last):
    monkeypatch.setenv("MYSTOCKS_NOW", f"2024-01-09T{clock}:00+08:00")
    assert sync_daily_stock_data(DailySync(), run(full)).days["daily_bars"][-1] == last


@pytest.mark.slow
def test_a_window_is_kept_and_empty_strings_are_no_window(run, full):
    window = DailySync.model_validate({"start_date": "2024-01-04", "end_date": "2024-01-07", "symbols": []})
    assert sync_daily_stock_data(window, run(full)).days["daily_bars"] == (DAYS[2], DAYS[3])
    rest = DailySync.model_validate({"start_date": "", "end_date": "", "symbols": None})
    assert sync_daily_stock_data(rest, run(full)).days["daily_bars"] == (*DAYS[:2], *DAYS[4:])


def test_a_window_beyond_the_source_is_cut_and_said(run, full):
    result = sync_daily_stock_data(DailySync(start_date=date(2023, 12, 1), end_date=DAYS[0]), run(full))
    assert (result.status, result.days["daily_bars"]) == ("success", (DAYS[0],))
    assert "fake has only bars from 2024-01-02 to 2024-01-09." in result.message


def test_a_window_without_trading_days_is_skipped(run, full):
    result = sync_daily_stock_data(DailySync(start_date=date(2024, 1, 6), end_date=date(2024, 1, 7)), run(full))
    assert (result.status, result.message[:40]) == ("skipped", "Bars: there is no trading day to load. f")


def test_partitions_win_over_the_window(run, full):
    result = sync_daily_stock_data(DailySync(start_date=DAYS[0]), run(full, days=(DAYS[3], DAYS[1])))
    assert result.days["daily_bars"] == (DAYS[1], DAYS[3])


def test_a_partition_that_is_not_over_yet_is_not_loaded(run, full, monkeypatch):
    monkeypatch.setenv("MYSTOCKS_NOW", "2024-01-09T14:00:00+08:00")
    result = sync_daily_stock_data(DailySync(include_basic=False), run(full, days=(DAYS[5],)))
    assert (result.status, result.message) == (
        "skipped",
        "Bars: there is no trading day to load. 2024-01-09 is not over yet.",
    )
    assert full.asked == []


def test_beyond_the_calendar_the_newest_day_is_loaded_and_backfills_are_refused(run, monkeypatch):
    monkeypatch.setenv("MYSTOCKS_NOW", "2099-01-07T16:30:00+08:00")
    newest = date(2099, 1, 7)
    snapshot = FakeSource({newest: MARKET}, has_history=False)
    assert sync_daily_stock_data(DailySync(), run(snapshot)).days["daily_bars"] == (newest,)
    with pytest.raises(OutsideCalendar):
        sync_daily_stock_data(
            DailySync(start_date=date(2098, 12, 1)), run(FakeSource({date(2098, 12, 1): MARKET, newest: MARKET}))
        )


# ---- daily bars: sources of snapshots


@pytest.mark.slow
def test_a_source_of_snapshots_gives_the_newest_day_and_says_what_is_missing(run, lake, full):
    sync_daily_stock_data(DailySync(end_date=DAYS[1]), run(full))
    snapshot = FakeSource(dict.fromkeys(DAYS, MARKET), has_history=False)
    result = sync_daily_stock_data(DailySync(include_basic=False), run(snapshot))
    assert snapshot.asked[0] == ("daily_bars", DAYS[5])
    assert (result.status, result.days["daily_bars"]) == ("success", (DAYS[5],))
    remedy = "mystocks backfill daily_data_sync --from 2024-01-04 --to 2024-01-08 --again -p data_source=recorded"
    assert f"3 earlier days are missing, first 2024-01-04; backfill them from an archive: `{remedy}`" in result.message
    assert result.metadata["unknown_factors"] == 0, "every previous close is the last stored close"


def test_a_source_of_snapshots_that_is_asked_for_the_past_fails_visibly(run):
    snapshot = FakeSource(dict.fromkeys(DAYS, MARKET), has_history=False)
    result = sync_daily_stock_data(DailySync(include_basic=False), run(snapshot, days=(DAYS[0],)))
    assert (result.status, result.failed_items) == ("failed", ("2024-01-02",))
    assert "fake has no bars for 2024-01-02." in result.error
    window = sync_daily_stock_data(DailySync(include_basic=False, start_date=DAYS[3]), run(snapshot))
    assert (window.status, window.failed_items) == ("partial_success", ("2024-01-05", "2024-01-08"))


@pytest.mark.slow
def test_one_symbols_past_may_be_asked_of_a_source_of_snapshots(run, lake):
    snapshot = FakeSource(dict.fromkeys(DAYS, MARKET), has_history=False)
    result = sync_daily_stock_data(DailySync(symbols=["sh600001"], start_date=DAYS[0]), run(snapshot))
    assert (result.status, lake.read("daily_bars").height) == ("success", 6)


# ---- daily bars: partial loads, gaps, interruptions


@pytest.mark.slow
def test_part_of_a_market_is_stored_but_never_a_success_and_asked_for_again(run, lake, full):
    full.market = full.market | {DAYS[2]: MARKET[:96]}
    result = sync_daily_stock_data(DailySync(include_basic=False), run(full))
    assert (result.status, result.failed_items) == ("partial_success", ("2024-01-04",))
    assert "Incomplete: 2024-01-04: only 96 rows, while 2024-01-03 had 100." in result.message
    assert complete(lake) == {day: day != DAYS[2] for day in DAYS}
    assert lake.read("daily_bars", start=DAYS[2], end=DAYS[2]).height == 96

    full.market = dict.fromkeys(DAYS, MARKET)
    retried = sync_daily_stock_data(
        DailySync.model_validate({"include_basic": False} | dict(result.retry_params)), run(full)
    )
    assert full.asked[-1] == ("daily_bars", DAYS[2])
    assert (retried.status, retried.metadata["unknown_factors"]) == ("success", 0)


@pytest.mark.slow
def test_three_per_cent_fewer_symbols_are_still_a_whole_market(run, full):
    full.market = full.market | {DAYS[2]: MARKET[:97]}
    assert sync_daily_stock_data(DailySync(include_basic=False), run(full)).status == "success"


@pytest.mark.slow
def test_a_day_without_data_is_a_failed_item(run, lake, full):
    del full.market[DAYS[2]]
    result = sync_daily_stock_data(DailySync(include_basic=False), run(full))
    assert (result.status, result.failed_items) == ("partial_success", ("2024-01-04",))
    assert result.retry_params == {"start_date": "2024-01-04", "end_date": "2024-01-04"}
    assert DAYS[2] not in complete(lake)


@pytest.mark.slow
def test_a_stopped_run_goes_on_where_it_was(run, lake, full):
    full.fails_at = DAYS[2]
    with pytest.raises(SourceUnavailable):
        sync_daily_stock_data(DailySync(include_basic=False), run(full))
    assert complete(lake) == {DAYS[0]: True, DAYS[1]: True}
    full.fails_at = None
    assert sync_daily_stock_data(DailySync(include_basic=False), run(full)).status == "success"
    assert full.asked[-1] == ("daily_bars", *DAYS[2:])


@pytest.mark.slow
def test_a_day_that_is_being_written_again_is_not_complete_meanwhile(run, lake, full, monkeypatch):
    sync_daily_stock_data(DailySync(include_basic=False), run(full))
    monkeypatch.setattr(Lake, "replace_days", Mock(side_effect=LakeUnavailable("the disk is full")))
    with pytest.raises(LakeUnavailable):
        sync_daily_stock_data(DailySync(include_basic=False, force=True, start_date=DAYS[5]), run(full))
    assert complete(lake) == {day: day != DAYS[5] for day in DAYS}


@pytest.mark.slow
def test_some_symbols_are_merged_in_and_their_days_do_not_count_as_loaded(run, lake, full):
    result = sync_daily_stock_data(DailySync(symbols=["600001", "sz.000001"], include_basic=False), run(full))
    assert (result.status, result.rows["daily_bars"], result.failed_items) == ("partial_success", 6, ("000001.SZ",))
    assert not lake.exists("loaded_days")
    sync_daily_stock_data(DailySync(include_basic=False), run(full))
    assert (lake.read("daily_bars").height, complete(lake)) == (600, dict.fromkeys(DAYS, True))


def test_a_symbol_that_the_source_does_not_know_is_listed(run, full):
    params = DailySync(symbols=["600001", "000002", "000001"], include_basic=False, start_date=DAYS[4])
    result = sync_daily_stock_data(params, run(full))
    assert (result.status, result.failed_items) == ("partial_success", ("000001.SZ", "000002.SZ"))
    assert result.retry_params == {
        "symbols": ["000001.SZ", "000002.SZ"],
        "start_date": "2024-01-08",
        "end_date": "2024-01-09",
    }


def test_a_partition_that_is_no_trading_day_is_skipped_with_the_reason(run, full):
    result = sync_daily_stock_data(DailySync(include_basic=False), run(full, days=(date(2024, 1, 6),)))
    assert (result.status, result.message) == (
        "skipped",
        "Bars: there is no trading day to load. 2024-01-06 is not a trading day.",
    )


def test_simulated_days_do_not_enter_a_real_lake_even_when_nothing_is_left_to_load(run, lake, full):
    sync_daily_stock_data(DailySync(), run(full))
    full.world = "simulated:7"
    calls = len(full.asked)
    for sync, params in (
        (sync_daily_stock_data, DailySync()),
        (sync_basic_stock_info, BasicSync()),
        (sync_financial_statements, StatementSync()),
    ):
        with pytest.raises(WrongWorld, match="holds real data"):
            sync(params, run(full))
    assert len(full.asked) == calls


def test_a_source_without_bars_ends_as_skipped(run):
    result = sync_daily_stock_data(DailySync(), run(FakeSource({})))
    assert (result.status, result.message) == ("skipped", "fake has no bars fake has no stocks")


@pytest.mark.parametrize(
    "wrong",
    [
        {"symbols": ["60001"]},
        {"start_date": "2024-01-05", "end_date": "2024-01-04"},
        {"strat_date": "2024-01-05"},
        {"data_source": "sina"},
    ],
)
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValidationError):
        DailySync.model_validate(wrong)


# ---- stock list


@pytest.mark.slow
def test_the_daily_sync_refreshes_the_stock_list_or_says_that_there_is_none(run, lake, full):
    assert "fake has no stocks" in sync_daily_stock_data(DailySync(end_date=DAYS[0]), run(full)).message
    full.listed = MARKET
    result = sync_daily_stock_data(DailySync(), run(full))
    assert (result.status, result.rows["stocks"], lake.read("stocks").height) == ("success", 100, 100)


def test_without_klines_only_the_list_is_loaded(run, lake, full):
    full.listed = MARKET
    result = sync_daily_stock_data(DailySync(include_kline=False), run(full))
    assert (result.status, dict(result.rows), lake.exists("daily_bars")) == ("success", {"stocks": 100}, False)


def test_the_list_is_fetched_once_a_trading_day(run, full, monkeypatch):
    full.listed = MARKET
    assert sync_basic_stock_info(BasicSync(), run(full)).rows == {"stocks": 100}
    assert sync_basic_stock_info(BasicSync(), run(full)).status == "skipped"
    assert full.asked == [("stocks", False)]
    assert sync_basic_stock_info(BasicSync(include_delisted=True), run(full)).rows == {"stocks": 101}
    assert sync_basic_stock_info(BasicSync(force=True), run(full)).status == "success"
    monkeypatch.setenv("MYSTOCKS_NOW", "2024-01-10T16:30:00+08:00")
    assert sync_basic_stock_info(BasicSync(), run(full)).status == "success"


def test_a_list_of_the_living_leaves_the_delisted_stored(run, lake, full):
    full.listed = MARKET
    sync_basic_stock_info(BasicSync(include_delisted=True), run(full))
    sync_basic_stock_info(BasicSync(force=True), run(full))
    assert lake.read("stocks").filter(pl.col("delist_date").is_not_null())["symbol"].to_list() == ["600999.SH"]


def test_a_list_cut_short_is_refused_loudly_and_the_stored_one_kept(run, lake, full):
    full.listed = MARKET
    sync_basic_stock_info(BasicSync(), run(full))
    full.listed = MARKET[:96]
    with pytest.raises(TaskFailed, match="fake lists 96 stocks of SH, SZ, BJ, but 100 of them are stored"):
        sync_basic_stock_info(BasicSync(force=True), run(full))
    assert lake.read("stocks").height == 100


def test_an_empty_list_is_refused_even_the_first_time(run, full):
    full.listed = []
    with pytest.raises(TaskFailed, match="lists 0 stocks"):
        sync_basic_stock_info(BasicSync(), run(full))


def test_a_source_without_list_ends_as_skipped(run, full):
    assert sync_basic_stock_info(BasicSync(), run(full)).status == "skipped"


@pytest.mark.slow
def test_the_daily_sync_refreshes_the_list_once_a_day_and_its_own_task_takes_it_over_without_a_request(run, full):
    full.listed = MARKET
    sync_daily_stock_data(DailySync(), run(full))
    calls = len(full.asked)
    assert sync_daily_stock_data(DailySync(), run(full)).status == "skipped"
    assert len(full.asked) == calls
    taken_over = sync_basic_stock_info(BasicSync(), run(full))
    assert (taken_over.status, dict(taken_over.rows)) == ("success", {"stocks": len(MARKET)})
    assert len(full.asked) == calls
    assert sync_basic_stock_info(BasicSync(force=True), run(full)).status == "success"
    assert len(full.asked) == calls + 1


# ---- statements

Q4, Q3, Q2, Q1 = (date(2023, 12, 31), date(2023, 9, 30), date(2023, 6, 30), date(2023, 3, 31))


def test_the_last_four_quarters_come_first(run, lake, full):
    full.reports = {"balance_sheets": sheets(Q3, Q2, Q1)}
    result = sync_financial_statements(StatementSync(), run(full))
    assert full.asked[0] == ("balance_sheets", Q1, Q2, Q3, Q4)
    assert (result.status, dict(result.rows)) == ("success", {"balance_sheets": 3})
    assert "fake has no income_statements" in result.message
    assert lake.days("balance_sheets") == [Q1, Q2, Q3]


def test_later_the_newest_stored_quarter_and_the_one_before_are_asked_again(run, lake, full, monkeypatch):
    full.reports = {"balance_sheets": sheets(Q3, Q2, Q1)}
    params = StatementSync(report_types=["balance_sheet"])
    sync_financial_statements(params, run(full))
    assert sync_financial_statements(params, run(full)).status == "skipped"
    monkeypatch.setenv("MYSTOCKS_NOW", "2024-04-30T16:30:00+08:00")
    full.reports = {"balance_sheets": sheets(date(2024, 3, 31), Q4, Q3, assets=2e9)}
    sync_financial_statements(params, run(full))
    assert full.asked[-1] == ("balance_sheets", Q2, Q3, Q4, date(2024, 3, 31))
    newest = lake.read("balance_sheets", as_of=date(2024, 4, 30))
    stored = dict(newest.select("period", "total_assets").rows())
    assert stored == {Q1: 1e9, Q2: 1e9, Q3: 2e9, Q4: 2e9, date(2024, 3, 31): 2e9}


def test_named_periods_are_fetched_whatever_is_stored(run, full):
    full.reports = {"balance_sheets": sheets(Q2)}
    params = StatementSync(report_types=["balance_sheet"], periods=[Q2])
    assert [sync_financial_statements(params, run(full)).rows for _ in range(2)] == [{"balance_sheets": 1}] * 2
    assert full.asked == [("balance_sheets", Q2)] * 2


def test_a_report_without_any_row_is_not_a_plain_success(run, full):
    full.reports = {"balance_sheets": sheets()}
    result = sync_financial_statements(StatementSync(report_types=["balance_sheet"]), run(full))
    assert (result.status, result.failed_items) == ("partial_success", ("balance_sheets",))


def test_a_source_without_statements_ends_as_skipped(run, full):
    assert sync_financial_statements(StatementSync(), run(full)).status == "skipped"


def test_a_period_is_the_end_of_a_quarter():
    with pytest.raises(ValidationError, match="2024-02-29 is not the end of a quarter; 2024-03-31 is"):
        StatementSync(periods=[date(2024, 2, 29)])


def test_the_declared_tables_are_in_the_contract():
    for function in (sync_daily_stock_data, sync_basic_stock_info, sync_financial_statements):
        assert set(function.__tables__.writes) | set(function.__tables__.also_writes) <= set(TABLES)
