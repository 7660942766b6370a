"""The universe as of a day: who was listed, under which name, and who was delisted later."""

from datetime import date, datetime

import polars as pl
import pytest

from mystocks_dagster.errors import InvalidParams, TableMissing
from mystocks_dagster.lake.identity import state_change
from mystocks_dagster.lake.loads import record_days
from mystocks_dagster.lake.stock_names import record_names
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.universe import universe
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.market.tables.reference import STOCKS

pytestmark = pytest.mark.slow

MON, TUE, WED, THU = (date(2025, 3, day) for day in (3, 4, 5, 6))
SUN = date(2025, 3, 2)


def stocks(*rows: tuple[str, str, date | None, date | None]) -> pl.DataFrame:
    moment = datetime(2025, 3, 6, 16, tzinfo=SHANGHAI)
    full = [(s, name, s[-2:], "main", "ST" in name, first, last, moment) for s, name, first, last in rows]
    names = list(STOCKS.dtypes)[:8]
    frame = pl.DataFrame(full, schema={name: STOCKS.dtypes[name] for name in names}, orient="row")
    missing = [pl.lit(None, STOCKS.dtypes[name]).alias(name) for name in STOCKS.dtypes if name not in names]
    return frame.with_columns(missing).select(*STOCKS.dtypes)


@pytest.fixture
def market(lake: Lake, make_bars, monkeypatch) -> Lake:
    """Four days: A trades always, B is delisted after Tuesday, C is listed on Wednesday, D pauses on Tuesday."""
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-03-06T20:00:00+08:00")
    a, b, c, d = (f"60000{n}.SH" for n in range(4))
    trading = {MON: [a, b, d], TUE: [a, b], WED: [a, c, d], THU: [a, c, d]}
    for day, symbols in trading.items():
        lake.replace_days("daily_bars", make_bars(day, symbols), [day])
        record_days(lake, "daily_bars", {day: len(symbols)}, source="test")
    lake.replace_all(
        "stocks",
        stocks((a, "甲", date(2000, 1, 4), None), (b, "乙退", date(2001, 1, 4), TUE), (c, "丙", WED, None),
               (d, "丁", date(2002, 1, 4), None)),
    )  # fmt: skip
    return lake


def seen(lake: Lake, day: date, *columns: str) -> list[tuple]:
    return universe(lake, day).select(pl.col("symbol").str.slice(5, 1), *columns).rows()


def test_who_was_delisted_later_is_in_it_with_the_day(market):
    assert seen(market, MON, "delist_date") == [("0", None), ("1", TUE), ("3", None)]
    assert [row[0] for row in seen(market, WED)] == ["0", "2", "3"]
    assert universe(market, MON)["board"].unique().to_list() == ["main"]


def test_a_stock_without_a_bar_on_a_complete_day_was_suspended_and_on_another_day_it_is_unknown(market):
    assert seen(market, TUE, "suspended") == [("0", False), ("1", False), ("3", True)]
    record_days(market, "daily_bars", {TUE: 2}, source="test", incomplete=[TUE])
    assert seen(market, TUE, "suspended") == [("0", False), ("1", False), ("3", None)]


def test_the_stock_lists_alone_and_the_bars_alone_give_a_universe_too(market, tmp_path):
    bars_only, lists_only = Lake(str(tmp_path / "bars"), "real"), Lake(str(tmp_path / "lists"), "real")
    bars_only.replace_all("daily_bars", market.read("daily_bars"))
    lists_only.replace_all("stocks", market.read("stocks"))
    assert seen(bars_only, TUE, "suspended", "list_date") == [("0", False, None), ("1", False, None), ("3", None, None)]
    assert seen(lists_only, TUE, "suspended") == [("0", None), ("1", None), ("3", None)]


def test_name_and_st_are_those_of_the_day_and_unknown_before_the_first_list(market):
    for day, name in ((TUE, "甲"), (WED, "ST甲")):
        record_names(market, stocks(("600000.SH", name, date(2000, 1, 4), None)), day)
    assert [universe(market, day)["name"][0] for day in (MON, TUE, WED, THU)] == [None, "甲", "ST甲", None]
    market.upsert("daily_bars", market.read("daily_bars").with_columns(is_st=pl.lit(None, pl.Boolean)))
    assert [universe(market, day)["is_st"][0] for day in (MON, TUE, WED, THU)] == [None, False, True, None]


def test_a_stock_that_later_lists_no_longer_have_was_listed_up_to_its_last_list(lake):
    both = stocks(("600000.SH", "甲", date(2000, 1, 4), None), ("600001.SH", "乙", date(2000, 1, 4), None))
    lake.replace_all("stocks", both)
    record_names(lake, both, MON)
    record_names(lake, both.head(1), TUE)
    assert [universe(lake, day).height for day in (MON, TUE)] == [2, 1]


def test_without_trading_the_session_before_counts(market):
    assert seen(market, SUN) == [("0",), ("1",), ("3",)]
    assert universe(market, SUN)["suspended"].to_list() == [None] * 3


def test_a_stock_is_there_under_its_newest_code_with_the_code_of_the_day_beside_it(market):
    state_change(market, "600001.SH", "600002.SH", WED)
    assert seen(market, TUE, "code")[1] == ("2", "600001.SH")
    assert seen(market, WED, "code")[1] == ("2", "600002.SH")


def test_a_day_to_come_and_an_empty_lake_are_refused(market, tmp_path):
    with pytest.raises(InvalidParams, match="2030-01-02 has not come"):
        universe(market, date(2030, 1, 2))
    with pytest.raises(TableMissing, match="neither daily_bars nor stocks"):
        universe(Lake(str(tmp_path / "none"), "real"), MON)
