"""龙虎榜 of the simulated market: the exchanges' conditions worked out again, stock by stock, from the bars."""

from collections import defaultdict
from datetime import date

import polars as pl
import pytest

from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.simulated.source import SimulatedSource

pytestmark = pytest.mark.slow

START, END = date(2025, 1, 2), date(2025, 12, 31)
#: list: (measure of the change, its least, words for up and down, least amplitude and words, least turnover and words)
RULES = {
    "SH main": (
        *(
            "deviation",
            7,
            "有价格涨跌幅限制的日收盘价格涨幅偏离值达到7%的前五只证券",
            "有价格涨跌幅限制的日收盘价格跌幅偏离值达到7%的前五只证券",
        ),
        *(15, "有价格涨跌幅限制的日价格振幅达到15%的前五只证券", 20, "有价格涨跌幅限制的日换手率达到20%的前五只证券"),
    ),
    "SH star": (
        *(
            "change",
            15,
            "有价格涨跌幅限制的日收盘价格涨幅达到15%的前五只证券",
            "有价格涨跌幅限制的日收盘价格跌幅达到15%的前五只证券",
        ),
        *(30, "有价格涨跌幅限制的日价格振幅达到30%的前五只证券", 30, "有价格涨跌幅限制的日换手率达到30%的前五只证券"),
    ),
    "SZ main": (
        *("deviation", 7, "日涨幅偏离值达到7%的前5只证券", "日跌幅偏离值达到7%的前5只证券"),
        *(15, "日振幅值达到15%的前5只证券", 20, "日换手率达到20%的前5只证券"),
    ),
    "SZ chinext": (
        *("change", 15, "日涨幅达到15%的前5只证券", "日跌幅达到15%的前5只证券"),
        *(30, "日振幅值达到30%的前5只证券", 30, "日换手率达到30%的前5只证券"),
    ),
    "BJ bse": (
        *("change", 20, "当日收盘价涨幅达到20%的前5只股票", "当日收盘价跌幅达到-20%的前5只股票"),
        *(30, "当日价格振幅达到30%的前5只股票", 20, "当日换手率达到20%的前5只股票"),
    ),
}


@pytest.fixture(scope="module")
def source() -> SimulatedSource:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYSTOCKS_NOW", "2026-11-24T16:00:00+08:00")
        patch.setenv("MYSTOCKS_SIMULATED", "symbols=1200")
        opened = SimulatedSource(Settings.from_env())
        opened.stocks(include_delisted=True)
        return opened


@pytest.fixture
def rows(source: SimulatedSource) -> pl.DataFrame:
    return source.longhubang(START, END)


@pytest.fixture
def traded(source: SimulatedSource) -> pl.DataFrame:
    return pl.concat(source.daily_bars(shanghai().sessions(START, END))).filter(~pl.col("suspended"))


def listing(symbol: str) -> str:
    return {"60": "SH main", "68": "SH star", "00": "SZ main", "30": "SZ chinext", "92": "BJ bse"}[symbol[:2]]


def expected(source: SimulatedSource, traded: pl.DataFrame) -> set[tuple[date, str, str]]:
    """Work out who is published, from the bars and the listing days only."""
    listed = dict(source.stocks(include_delisted=True).select("symbol", "list_date").iter_rows())
    days = defaultdict(list)
    for bar in traded.iter_rows(named=True):
        days[bar["date"]].append(bar)
    published = set()
    for day, bars in days.items():
        lists = defaultdict(list)
        for bar in bars:
            name, first = listing(bar["symbol"]), listed[bar["symbol"]]
            age = len(shanghai().sessions(first, day)) - 1 if (day - first).days < 30 else 99
            if age < (1 if name == "BJ bse" else 5):
                if age == 0 and name in ("SH main", "SZ main", "SZ chinext"):
                    published.add((day, bar["symbol"], "无价格涨跌幅限制的证券"))
                continue
            bar["change"] = round((bar["close"] / bar["prev_close"] - 1) * 100, 2)
            bar["amplitude"] = round((bar["high"] - bar["low"]) / bar["low"] * 100, 2)
            lists[name].append(bar)
        for name, members in list(lists.items()):
            indexed = lists[f"{name[:2]} main"]
            index = sum(bar["change"] for bar in indexed) / len(indexed) if indexed else 0.0
            for bar in members:
                bar["deviation"] = round(bar["change"] - index, 2)
            change, least, up, down, wide, swings, busy, trades = RULES[name]
            for measure, sign, bound, reason in (
                *((change, 1, least, up), (change, -1, least, down)),
                *(("amplitude", 1, wide, swings), ("turnover", 1, busy, trades)),
            ):
                reached = [bar for bar in members if sign * bar[measure] >= bound]
                best = sorted(reached, key=lambda bar: (-sign * bar[measure], -bar["amount"], -bar["volume"]))[:5]
                published |= {(day, bar["symbol"], reason) for bar in best}
    return published


def test_exactly_those_are_published_who_meet_a_condition(
    source: SimulatedSource, rows: pl.DataFrame, traded: pl.DataFrame
):
    assert set(rows.select("date", "symbol", "reason").iter_rows()) == expected(source, traded)
    assert rows["reason"].n_unique() >= 15, "the test must see most of the conditions"


def test_a_condition_publishes_five_at_most_and_more_would_have_met_some(rows: pl.DataFrame):
    sizes = rows.filter(pl.col("reason") != "无价格涨跌幅限制的证券").group_by("date", "reason").len()["len"]

    assert sizes.max() == 5


def test_amounts_are_parts_of_the_days_turnover(rows: pl.DataFrame, traded: pl.DataFrame):
    both = rows.join(traded, on=["date", "symbol"], suffix="_bar")

    assert both.height == rows.height
    assert (both["total_amount"] == both["amount"]).all()
    assert (both["close"] == both["close_bar"]).all()
    assert (both["turnover"] == both["turnover_bar"]).all()
    assert (both["buy_amount"] + both["sell_amount"] <= both["total_amount"]).all()
    assert (both["buy_amount"] > 0).all()
    assert ((both["buy_amount"] - both["sell_amount"]) - both["net_amount"]).abs().max() < 0.005


def test_amounts_repeat_over_the_reasons_of_a_stock(rows: pl.DataFrame):
    several = rows.group_by("date", "symbol").agg(pl.len(), pl.col("buy_amount", "sell_amount").n_unique())

    assert several["len"].max() > 1
    assert several.select(pl.max("buy_amount", "sell_amount")).row(0) == (1, 1)


def test_a_day_is_the_same_alone_and_in_a_range(source: SimulatedSource, rows: pl.DataFrame):
    day = rows["date"][rows.height // 2]

    assert source.longhubang(day, day).equals(rows.filter(pl.col("date") == day))


def test_before_its_reform_chinext_had_the_main_boards_conditions(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MYSTOCKS_NOW", "2021-03-01T16:00:00+08:00")
    monkeypatch.setenv("MYSTOCKS_SIMULATED", "symbols=400,start=2020-01-02")
    rows = (
        SimulatedSource(Settings.from_env())
        .longhubang(date(2020, 1, 2), date(2020, 12, 31))
        .filter(pl.col("symbol").str.starts_with("30"))
    )

    before, after = rows.filter(pl.col("date") < date(2020, 8, 24)), rows.filter(pl.col("date") >= date(2020, 8, 24))

    assert "日涨幅偏离值达到7%的前5只证券" in before["reason"].to_list()
    assert "日涨幅达到15%的前5只证券" not in before["reason"].to_list()
    assert "日涨幅偏离值达到7%的前5只证券" not in after["reason"].to_list()
    assert "日涨幅达到15%的前5只证券" in after["reason"].to_list()
