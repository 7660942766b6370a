"""Invalid rows in a sync: they are set aside with a reason, the others are stored, and a valid load clears them."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from mystocks_dagster.errors import NotOffered, SourceUnavailable
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.value_rules import check
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.checked import CheckedSource
from mystocks_dagster.sources.protocol import MarketSource
from mystocks_dagster.tasks.data_sync import DailySync, sync_daily_stock_data
from mystocks_dagster.tasks.market_data import (
    LonghubangParams,
    RealtimeParams,
    fetch_longhubang_data,
    fetch_realtime_market_data,
)
from mystocks_dagster.tasks.run import TaskResult, TaskRun

#: Seconds of computing each: not among the quick tests.
pytestmark = pytest.mark.slow

DAYS = shanghai().sessions(date(2024, 3, 1), date(2024, 3, 15))
LAST = DAYS[-1]
NAMES = [f"{600000 + n}.SH" for n in range(300)]


@pytest.fixture(autouse=True)
def friday_evening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2024-03-15T20:30:00+08:00")


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("MYSTOCKS_LAKE", str(tmp_path / "lake"))
    return Lake(str(tmp_path / "lake"))


@dataclass(frozen=True, kw_only=True)
class Run(TaskRun):
    given: MarketSource | None = None

    def source(self, named: str | None) -> MarketSource:
        return CheckedSource(self.given) if self.given else super().source(named)


def run_of(given: MarketSource | None = None) -> Run:
    logger = logging.getLogger("task")
    return Run(
        task_id="t",
        run_id="r",
        attempt=1,
        settings=Settings.from_env(),
        logger=logger,
        report_progress=lambda *_: None,
        given=given,
    )


@dataclass
class Vendor:
    """Bars of a market, as a source of snapshots or one with history."""

    bars: pl.DataFrame
    has_history: bool = True
    listed: pl.DataFrame | None = None
    quoted: pl.DataFrame | None = None
    name: str = "vendor"
    world: str = "real"

    @property
    def offers(self) -> frozenset[str]:
        return frozenset({"daily_bars"} | ({"stocks"} if self.listed is not None else set()))

    def bar_days(self):
        return self.bars["date"].min(), self.bars["date"].max()

    def trading_days(self):
        raise NotOffered("vendor states no calendar")

    def daily_bars(self, days, symbols=None):
        frame = self.bars.filter(pl.col("date").is_in(list(days) if self.has_history else [max(days)]))
        yield frame if symbols is None else frame.filter(pl.col("symbol").is_in(list(symbols)))

    def stocks(self, *, include_delisted: bool) -> pl.DataFrame:
        return self.listed

    def quotes(self, table: str) -> pl.DataFrame:
        return self.quoted


def market(names: list[str] = NAMES, days: list[date] = DAYS) -> pl.DataFrame:
    """Every symbol at its own price, a little more each day, with its own volume."""
    rows = []
    for at, name in enumerate(names):
        before = 10.0 + at / 10
        for n, day in enumerate(days):
            close, volume = round(before * 1.01, 2), 10_000 + 100 * at + n
            rows.append((name, day, before, close, before, close, before, volume, volume * close, 1.0, None, False))
            before = close
    return DAILY_BARS.complete(pl.DataFrame(rows, schema=list(DAILY_BARS.dtypes)[:12], orient="row")).cast(
        DAILY_BARS.dtypes
    )


def changed(frame: pl.DataFrame, rows: pl.Expr, **values: object) -> pl.DataFrame:
    columns = {name: pl.when(rows).then(value).otherwise(pl.col(name)) for name, value in values.items()}
    return frame.with_columns(column.cast(DAILY_BARS.dtypes[name]).alias(name) for name, column in columns.items())


def row_of(symbol: str, day: date) -> pl.Expr:
    return (pl.col("symbol") == symbol) & (pl.col("date") == day)


def sync(source: MarketSource, **params: object) -> TaskResult:
    return sync_daily_stock_data(DailySync.model_validate({"include_basic": False} | params), run_of(source))


def put_aside(lake: Lake) -> list[tuple]:
    if not lake.exists("quarantine"):
        return []
    return lake.read("quarantine").sort("key", "rule").select("table", "key", "rule").rows()


def today(bars: pl.DataFrame, lake: Lake, **source: object) -> tuple[Vendor, TaskResult]:
    """Load a sound market up to yesterday, and then what a snapshot shows of today."""
    past = Vendor(market().filter(pl.col("date") < LAST))
    assert sync(past, end_date=DAYS[-2]).status == "success"
    vendor = Vendor(bars.filter(pl.col("date") == LAST), **({"has_history": False} | source))
    return vendor, sync(vendor)


# ---- single rows


@pytest.mark.slow
def test_a_row_that_cannot_be_is_set_aside_the_rest_is_stored_and_a_good_load_clears_it(lake: Lake):
    bad = row_of("600003.SH", DAYS[4])
    result = sync(Vendor(changed(market(), bad, high=9.0)))
    assert (result.status, result.failed_items) == ("partial_success", (f"{DAYS[4]}",))
    assert (
        "Rows set aside: 1 (high_below_low 1, price_outside_range 1), first 600003.SH 2024-03-07: high is below low"
        in result.message
    )
    assert lake.read("daily_bars").height == 300 * len(DAYS) - 1
    assert put_aside(lake) == [
        ("daily_bars", "600003.SH 2024-03-07", rule) for rule in ("high_below_low", "price_outside_range")
    ]
    kept = lake.query("SELECT * FROM quarantine").row(0, named=True)
    assert (kept["source"], json.loads(kept["row"])["high"], kept["date"]) == ("vendor", 9.0, DAYS[4])
    assert lake.head("quarantine", 1).height == 1

    mended = sync(Vendor(market()), **result.retry_params)
    assert (mended.status, put_aside(lake)) == ("success", [])
    assert lake.read("daily_bars").height == 300 * len(DAYS)


@pytest.mark.slow
def test_a_source_that_gives_the_same_bad_row_again_has_no_more_and_the_day_is_complete(lake: Lake):
    vendor = Vendor(changed(market(), row_of("600003.SH", DAYS[4]), volume=-5))
    assert sync(vendor).status == "partial_success"
    again = sync(vendor)
    assert (again.status, again.days["daily_bars"]) == ("success", (DAYS[4],))
    assert "Rows set aside: 1 (negative_volume 1" in again.message
    assert put_aside(lake) != []
    assert sync(vendor).status == "skipped"


@pytest.mark.slow
def test_named_symbols_are_mended_alone(lake: Lake):
    sync(Vendor(changed(market(), row_of("600003.SH", DAYS[4]), volume=-5)))
    wrong = sync(
        Vendor(changed(market(), row_of("600003.SH", DAYS[5]), volume=-5)),
        symbols=["600003.SH"],
        start_date=DAYS[4],
        end_date=DAYS[5],
        force=True,
    )
    assert (wrong.status, wrong.failed_items) == ("partial_success", ("600003.SH",))
    assert {key for _, key, _ in put_aside(lake)} == {f"600003.SH {DAYS[5]}"}
    assert (
        sync(Vendor(market()), symbols=["600003.SH"], start_date=DAYS[4], end_date=DAYS[5], force=True).status
        == "success"
    )
    assert put_aside(lake) == []


def test_a_value_that_cannot_be_is_unknown_and_the_row_is_stored(lake: Lake):
    result = sync(Vendor(changed(market(), row_of("600003.SH", DAYS[4]), turnover=900.0)))
    assert result.status == "success"
    assert "Rows with a value set to unknown: 1 (impossible_turnover 1)" in result.message
    stored = lake.read("daily_bars", symbols=["600003.SH"], start=DAYS[4], end=DAYS[4])
    assert (stored.height, stored["turnover"].item()) == (1, None)


def test_a_previous_close_of_0_is_unknown(lake: Lake):
    bars = changed(market(["920001.BJ"]), pl.col("date") == DAYS[0], prev_close=0.0)
    assert sync(Vendor(bars)).status == "success"
    assert put_aside(lake) == []
    assert lake.read("daily_bars", start=DAYS[0], end=DAYS[0])["prev_close"].item() is None


def test_more_than_the_limit_in_a_day_is_set_aside(lake: Lake):
    bars = changed(
        market(),
        row_of("600003.SH", DAYS[8]),
        open=25.0,
        low=24.0,
        high=26.0,
        close=25.5,
        amount=pl.col("volume") * 25.0,
    )
    sync(Vendor(bars))
    assert ("daily_bars", f"600003.SH {DAYS[8]}", "beyond_price_limit") in put_aside(lake)
    assert lake.read("daily_bars", symbols=["600003.SH"], start=DAYS[8], end=DAYS[8]).is_empty()


# ---- a snapshot against what is stored


def test_a_sound_snapshot_is_stored(lake: Lake):
    _, result = today(market(), lake)
    assert (result.status, result.rows["daily_bars"], put_aside(lake)) == ("success", 300, [])


def refused(lake: Lake, result: TaskResult, rule: str) -> None:
    assert (result.status, result.rows["daily_bars"], result.failed_items) == ("failed", 0, (f"{LAST}",))
    assert f"Refused: {LAST} ({rule}" in str(result.error)
    assert lake.days("daily_bars") == DAYS[:-1]


def test_yesterdays_rows_under_todays_date_are_refused(lake: Lake):
    _, result = today(market().filter(pl.col("date") == DAYS[-2]).with_columns(date=pl.lit(LAST)), lake)
    refused(lake, result, "prev_close_disagrees")


def test_yesterdays_rows_of_a_few_stocks_are_set_aside(lake: Lake):
    stale = market().filter(pl.col("date") == DAYS[-2], pl.col("symbol") < "600002").with_columns(date=pl.lit(LAST))
    _, result = today(pl.concat([stale, market().filter(pl.col("symbol") >= "600002")]), lake)
    assert result.status == "partial_success"
    assert [(key, rule) for _, key, rule in put_aside(lake) if rule == "rows_of_the_day_before"] == [
        (f"{name} {LAST}", "rows_of_the_day_before") for name in NAMES[:2]
    ]


def test_a_market_whose_prices_are_times_ten_is_refused(lake: Lake):
    tenfold = {name: pl.col(name) * 10 for name in ("open", "high", "low", "close", "prev_close", "amount")}
    _, result = today(market().with_columns(**tenfold), lake)
    refused(lake, result, "prev_close_disagrees")


def tenfold(days: pl.Expr) -> pl.DataFrame:
    names = ("open", "high", "low", "close", "prev_close", "amount")
    return changed(market(), days, **{name: pl.col(name) * 10 for name in names})


def test_a_sound_day_after_a_refused_day_is_stored_in_the_same_load(lake: Lake):
    wrong = {DAYS[3], DAYS[6]}
    result = sync(Vendor(tenfold(pl.col("date").is_in(list(wrong)))))
    assert (result.status, set(result.failed_items)) == ("partial_success", {f"{day}" for day in wrong})
    assert lake.days("daily_bars") == [day for day in DAYS if day not in wrong]
    assert lake.read("daily_bars")["close"].max() < 50
    assert sync(Vendor(market())).status == "success"
    assert lake.days("daily_bars") == DAYS


def test_two_wrong_days_beside_each_other_do_not_cost_the_sound_day_after_them(lake: Lake):
    once, twice = (pl.col("date") == day for day in DAYS[3:5])
    names = ("open", "high", "low", "close", "prev_close", "amount")
    bars = changed(tenfold(once), twice, **{name: pl.col(name) * 100 for name in names})
    result = sync(Vendor(bars))
    assert set(result.failed_items) == {f"{day}" for day in DAYS[3:5]}
    assert f"not near the last stored closes ({DAYS[2]})" in result.message
    assert lake.days("daily_bars") == [*DAYS[:3], *DAYS[5:]]


def test_a_wrong_first_day_does_not_refuse_the_whole_market_after_it(lake: Lake):
    names = ("open", "high", "low", "close", "prev_close", "amount")
    sync(Vendor(changed(market(), pl.col("date") == DAYS[0], **{name: pl.col(name) * 100 for name in names})))
    assert lake.days("daily_bars")[-8:] == DAYS[-8:]


def test_a_market_times_ten_after_a_day_that_was_missed_is_refused(lake: Lake):
    assert sync(Vendor(market().filter(pl.col("date") < DAYS[-2])), end_date=DAYS[-3]).status == "success"
    result = sync(Vendor(tenfold(pl.col("date") == LAST).filter(pl.col("date") == LAST), has_history=False))
    assert (
        f"Refused: {LAST} (prev_close_disagrees: 300 of 300 previous closes are not near the last stored closes"
        in str(result.error)
    )
    assert LAST not in lake.days("daily_bars")


def test_a_source_whose_previous_closes_are_all_wrong_gets_no_second_day_in(lake: Lake):
    result = sync(Vendor(market().with_columns(prev_close=pl.col("prev_close") * 0.9)))
    assert lake.days("daily_bars") == DAYS[:1]
    assert set(result.failed_items) == {f"{day}" for day in DAYS[1:]}


def test_another_symbols_prices_are_set_aside(lake: Lake):
    other = market().filter(row_of("600250.SH", LAST)).with_columns(symbol=pl.lit("600003.SH"))
    _, result = today(pl.concat([market().filter(~row_of("600003.SH", LAST)), other]), lake)
    assert result.status == "partial_success"
    assert put_aside(lake) == [("daily_bars", f"600003.SH {LAST}", "prev_close_out_of_bounds")]


def test_a_list_in_which_traded_stocks_show_no_price_is_refused(lake: Lake):
    still = {name: pl.col("prev_close") for name in ("open", "high", "low", "close")}
    resting = changed(
        market(),
        (pl.col("date") == LAST) & (pl.col("symbol") < "600030"),
        **still,
        volume=0,
        amount=0.0,
        suspended=True,
    )
    _, result = today(resting, lake)
    refused(lake, result, "too_many_suspended: 30 of 300 symbols that traded the day before show no price")


def test_a_few_suspended_stocks_are_an_ordinary_day(lake: Lake):
    still = {name: pl.col("prev_close") for name in ("open", "high", "low", "close")}
    resting = changed(
        market(),
        (pl.col("date") == LAST) & (pl.col("symbol") < "600005"),
        **still,
        volume=0,
        amount=0.0,
        suspended=True,
    )
    assert today(resting, lake)[1].status == "success"


def test_a_unit_that_changed_refuses_the_day_and_keeps_three_examples(lake: Lake):
    _, result = today(market().with_columns(volume=pl.col("volume") // 100), lake)
    refused(
        lake,
        result,
        "mean_price_outside_range: amount / volume is far from low to high, so a unit is wrong, in 300 of 300 rows",
    )
    assert len(put_aside(lake)) == 3
    assert sync(Vendor(market().filter(pl.col("date") == LAST), has_history=False)).status == "success"
    assert put_aside(lake) == []


def test_a_busy_ex_dividend_day_is_an_ordinary_day(lake: Lake):
    ex = (pl.col("date") == LAST) & (pl.col("symbol") < "600030")
    cheaper = {name: (pl.col(name) * 0.97).round(2) for name in ("open", "high", "low", "close", "prev_close")}
    assert today(changed(market(), ex, **cheaper), lake)[1].status == "success"


# ---- who is missing


def test_twelve_rows_missing_are_twelve_symbols_named_whatever_the_share(lake: Lake):
    gone = NAMES[40:280:20]
    _, result = today(market().filter(~pl.col("symbol").is_in(gone)), lake)
    assert len(gone) == 12
    assert (result.status, result.failed_items) == ("partial_success", (f"{LAST}",))
    assert all(name in result.message for name in gone)
    assert result.metadata["symbols_without_bar"] == {f"{LAST}": gone}


def test_one_symbol_missing_is_named_and_one_that_is_delisted_is_not(lake: Lake):
    listed = TABLES["stocks"].empty().select("symbol", "delist_date")
    listed = pl.DataFrame({"symbol": NAMES[2:], "delist_date": None}, schema=listed.schema)
    vendor, result = today(market().filter(pl.col("symbol") >= "600003"), lake, listed=whole_list(listed))
    assert result.metadata["symbols_without_bar"] == {f"{LAST}": ["600002.SH"]}
    assert (result.status, sync(vendor).status) == ("partial_success", "success")  # asked again, the source has no more


class WithoutList(Vendor):
    """A source whose stock list cannot be had."""

    def stocks(self, *, include_delisted: bool) -> pl.DataFrame:
        raise SourceUnavailable("the exchange does not answer. Try again later.")


def test_a_stock_list_that_cannot_be_read_is_said_and_the_day_is_stored(lake: Lake):
    today(market(), lake)
    vendor = WithoutList(market().filter(date=LAST), has_history=False, listed=pl.DataFrame())
    result = sync(vendor, force=True)
    assert (
        "The bars were not compared with the stock list of vendor: the exchange does not answer. Try again later."
    ) in result.message
    assert result.rows["daily_bars"] == len(NAMES)


def test_a_list_of_thirty_of_which_one_is_delisted_is_complete(lake: Lake):
    names = NAMES[:30]
    listed = TABLES["stocks"].empty().select("symbol", "delist_date")
    dates = [DAYS[4], *[None] * 29]
    listed = whole_list(pl.DataFrame({"symbol": names, "delist_date": dates}, schema=listed.schema))
    bars = market(names).filter((pl.col("symbol") != names[0]) | (pl.col("date") < DAYS[4]))
    vendor = Vendor(bars, listed=listed)
    assert [sync(vendor).status for _ in range(2)] == ["success", "skipped"]


@pytest.mark.parametrize(("missing", "short"), [(3, False), (4, True)])
def test_of_a_short_list_three_rows_may_be_missing_and_no_more(lake: Lake, missing: int, short: bool):
    gone = NAMES[:missing]
    vendor = Vendor(market(NAMES[:30]).filter(~(pl.col("symbol").is_in(gone) & (pl.col("date") == DAYS[4]))))
    sync(vendor)
    again = sync(vendor)
    assert again.status == ("partial_success" if short else "success")
    assert ("only 26 rows" in again.message) == short


def whole_list(listed: pl.DataFrame) -> pl.DataFrame:
    row = {"name": "某某", "exchange": "SH", "board": "main", "is_st": False, "list_date": None}
    return listed.with_columns(
        *(pl.lit(value).alias(name) for name, value in row.items()), updated_at=pl.lit(None)
    ).select(pl.col(name).cast(dtype) for name, dtype in TABLES["stocks"].dtypes.items())


def test_symbols_missing_in_the_middle_are_named_with_their_first_day(lake: Lake):
    result = sync(Vendor(market().filter(~(pl.col("symbol").is_in(NAMES[:2]) & pl.col("date").is_in(DAYS[4:6])))))
    assert (result.status, result.failed_items) == ("partial_success", (f"{DAYS[4]}",))
    assert f"{DAYS[4]}: no bar for 600000.SH, 600001.SH, which had one the day before" in result.message


def test_a_pause_without_rows_that_ends_at_the_last_close_is_said_and_nothing_is_incomplete(lake: Lake):
    flat = market(NAMES[:60])
    back = row_of("600000.SH", DAYS[6])
    close = flat.filter(row_of("600000.SH", DAYS[3]))["close"].item()
    paused = changed(flat, back, prev_close=close).filter(
        ~((pl.col("symbol") == "600000.SH") & pl.col("date").is_in(DAYS[4:6]))
    )
    result = sync(Vendor(paused))
    assert result.status == "success"
    assert f"No bar from {DAYS[4]} on for 600000.SH; treated as suspended, because trading resumed" in result.message


def test_a_pause_without_rows_in_a_list_of_thirty_leaves_no_day_incomplete(lake: Lake):
    flat = market(NAMES[:30])
    close = flat.filter(row_of("600000.SH", DAYS[3]))["close"].item()
    back = changed(flat, row_of("600000.SH", DAYS[6]), prev_close=close)
    vendor = Vendor(back.filter(~((pl.col("symbol") == "600000.SH") & pl.col("date").is_in(DAYS[4:6]))))
    assert [sync(vendor).status for _ in range(2)] == ["success", "skipped"]


# ---- archives


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[pl.DataFrame], TaskResult]:
    folder = tmp_path / "archive"
    folder.mkdir()
    monkeypatch.setenv("MYSTOCKS_RECORDED", str(folder))

    def load(frame: pl.DataFrame, **params: object) -> TaskResult:
        frame.write_parquet(folder / "daily_bars.parquet")
        given = {"data_source": "recorded", "include_basic": False} | params
        return sync_daily_stock_data(DailySync.model_validate(given), run_of())

    return load


def test_the_archives_path_is_checked_like_any_other(lake: Lake, archive):
    assert archive(changed(market(), row_of("600003.SH", DAYS[4]), amount=-5.0)).status == "partial_success"
    assert ("daily_bars", f"600003.SH {DAYS[4]}", "negative_amount") in put_aside(lake)


def test_a_row_of_a_weekend_is_seen_set_aside_and_cleared(lake: Lake, archive):
    saturday = date(2024, 3, 9)
    stray = market().filter(row_of("600003.SH", DAYS[4])).with_columns(date=pl.lit(saturday))
    result = archive(pl.concat([market(), stray]))
    assert (result.status, result.failed_items) == ("partial_success", (f"{saturday}",))
    assert put_aside(lake) == [("daily_bars", f"600003.SH {saturday}", "no_trading_day")]
    assert lake.days("daily_bars") == DAYS
    assert archive(market(), force=True).status == "success"
    assert put_aside(lake) == []


def test_a_longhubang_row_that_does_not_add_up_is_set_aside_and_cleared(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "boards"
    folder.mkdir()
    monkeypatch.setenv("MYSTOCKS_RECORDED", str(folder))
    row = {"date": LAST, "symbol": "600000.SH", "reason": "日涨幅偏离值达7%", "name": "某某", "close": 10.0,
           "change_pct": 10.0,
           "buy_amount": 5e7, "sell_amount": 1e7, "net_amount": 4e7, "total_amount": 1e9, "turnover": 5.0}  # fmt: skip
    sound, wrong = row, row | {"symbol": "600001.SH", "net_amount": 9e7}

    def load(*rows: dict) -> TaskResult:
        pl.DataFrame(list(rows), schema=TABLES["longhubang"].dtypes).write_parquet(folder / "longhubang.parquet")
        params = LonghubangParams(data_source="recorded", start_date=LAST, end_date=LAST, force=True)
        return fetch_longhubang_data(params, run_of())

    first = load(sound, sound, wrong)
    assert (first.status, first.failed_items, lake.read("longhubang").height) == ("partial_success", (f"{LAST}",), 1)
    assert put_aside(lake) == [("longhubang", f"{LAST} 600001.SH 日涨幅偏离值达7%", "net_contradicts_amounts")]
    assert load(sound, row | {"symbol": "600001.SH"}).status == "success"
    assert (put_aside(lake), lake.read("longhubang").height) == ([], 2)


# ---- quotes


def quotes(prev_close: pl.Expr) -> pl.DataFrame:
    bars = (
        market()
        .filter(pl.col("date") == LAST)
        .with_columns(prev_close=prev_close, price=pl.col("close"), name=pl.lit("某某"))
    )
    moment = pl.lit("2024-03-15T10:30:00").str.to_datetime().dt.replace_time_zone("Asia/Shanghai")
    bars = bars.with_columns(time=moment, change_pct=(pl.col("price") / pl.col("prev_close") - 1) * 100)
    return bars.select(pl.col(name).cast(dtype) for name, dtype in TABLES["stock_quotes"].dtypes.items())


def test_quotes_of_another_day_are_refused(lake: Lake):
    vendor, _ = today(market(), lake)
    asked = RealtimeParams(fetch_etfs=False, force=True)
    vendor.quoted = quotes(pl.col("prev_close"))
    assert fetch_realtime_market_data(asked, run_of(vendor)).status == "success"
    vendor.quoted = quotes(pl.col("prev_close") * 0.99)
    with pytest.raises(
        Exception, match=r"prev_close_disagrees: 300 of 300 previous closes are not the stored closes of 2024-03-14"
    ):
        fetch_realtime_market_data(asked, run_of(vendor))


# ---- nothing sound is ever set aside


@pytest.mark.slow
def test_a_simulated_market_breaks_no_rule(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MYSTOCKS_SIMULATED", "seed=11,symbols=120,start=2022-01-04")
    source = run_of().source("simulated")
    assert isinstance(source, CheckedSource)
    result = sync_daily_stock_data(DailySync(data_source="simulated", include_basic=True), run_of())
    assert (result.status, result.metadata["set_aside"], put_aside(lake)) == ("success", 0, [])
    frames = {
        "stocks": source.stocks(include_delisted=True),
        "stock_quotes": source.quotes("stock_quotes"),
        "etf_quotes": source.quotes("etf_quotes"),
        "longhubang": source.longhubang(DAYS[0], LAST),
        **{f"capital_flow_{kind}": source.capital_flow(kind, LAST) for kind in ("stock", "sector", "concept")},
        **{name: source.statements(name, [date(2023, 9, 30)])
           for name in ("balance_sheets", "income_statements", "cash_flows")},
    }  # fmt: skip
    for table, frame in frames.items():
        assert frame.height, table
        assert source.findings(table).faults == [], table
        assert check(TABLES[table], frame).rows.height == frame.height
