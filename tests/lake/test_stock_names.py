"""Names and ST by day: what each stock list stated, and nothing for days that no list covers."""

from datetime import date

import polars as pl

from mystocks_dagster.lake.stock_names import names_on, record_history, record_names, with_known_st
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.tables.reference import STOCKS

BANK, STEEL = "600000.SH", "600001.SH"
MON, TUE, WED, THU, FRI = (date(2025, 3, day) for day in (3, 4, 5, 6, 7))


def listed(**names: str) -> pl.DataFrame:
    rows = [
        {"symbol": f"{code[1:]}.SH", "name": name, "exchange": "SH", "board": "main", "is_st": "ST" in name}
        for code, name in names.items()
    ]
    return pl.DataFrame(rows, schema=STOCKS.dtypes)


def named(lake: Lake, *days: date, symbol: str = BANK) -> list[tuple]:
    keys = pl.DataFrame({"symbol": symbol, "date": list(days)}, schema={"symbol": pl.String, "date": pl.Date})
    return names_on(lake, keys).select("name", "st_name").rows()


def test_a_name_holds_from_its_first_to_its_last_list_and_is_unknown_beyond(lake):
    assert record_names(lake, listed(s600000="甲银行", s600001="乙钢铁"), TUE) == 2
    assert record_names(lake, listed(s600000="甲银行", s600001="乙钢铁"), THU) == 0
    assert named(lake, MON, TUE, WED, THU, FRI) == [
        (None, None), ("甲银行", False), ("甲银行", False), ("甲银行", False), (None, None)
    ]  # fmt: skip
    assert named(lake, WED, symbol="600002.SH") == [(None, None)]


def test_a_change_begins_a_row_and_the_days_between_the_lists_are_unknown(lake):
    record_names(lake, listed(s600000="甲银行"), MON)
    assert record_names(lake, listed(s600000="ST甲银"), THU) == 1
    assert named(lake, MON, TUE, WED, THU) == [("甲银行", False), (None, None), (None, None), ("ST甲银", True)]
    record_names(lake, listed(s600000="甲银行"), FRI)
    assert lake.read("stock_names").sort("from_day").select("from_day", "until", "name").rows() == [
        (MON, MON, "甲银行"), (THU, THU, "ST甲银"), (FRI, FRI, "甲银行")
    ]  # fmt: skip


def test_the_same_list_twice_a_day_is_one_and_an_older_list_changes_nothing(lake):
    record_names(lake, listed(s600000="甲银行"), WED)
    assert record_names(lake, listed(s600000="ST甲银"), WED) == 1
    assert named(lake, WED) == [("ST甲银", True)]
    assert record_names(lake, listed(s600000="丙银行"), MON) == 0
    assert named(lake, MON, WED) == [(None, None), ("ST甲银", True)]


def test_as_of_a_day_a_later_name_does_not_show(lake):
    record_names(lake, listed(s600000="甲银行"), MON)
    record_names(lake, listed(s600000="甲银行"), TUE)
    record_names(lake, listed(s600000="ST甲银"), WED)
    assert lake.read("stock_names", as_of=MON).select("from_day", "until", "name").rows() == [(MON, None, "甲银行")]
    assert lake.read("stock_names", as_of=TUE)["until"].to_list() == [TUE]


def test_the_last_name_of_a_delisted_stock_says_nothing_about_its_days(lake):
    frame = listed(s600000="甲银行", s600001="乙退").with_columns(
        delist_date=pl.when(pl.col("symbol") == STEEL).then(pl.lit(date(2024, 6, 3)))
    )
    record_names(lake, frame, MON)
    assert lake.read("stock_names")["symbol"].to_list() == [BANK]


def test_st_of_a_bar_that_does_not_state_it_comes_from_the_name_of_its_day(lake, make_bars):
    record_names(lake, listed(s600000="ST甲银", s600001="乙钢铁"), TUE)
    bars = pl.concat([make_bars(day, [BANK, STEEL]) for day in (MON, TUE)]).with_columns(
        is_st=pl.when((pl.col("symbol") == STEEL) & (pl.col("date") == TUE)).then(pl.lit(value=True))
    )
    found = with_known_st(lake, bars)
    assert found.select("date", "symbol", "is_st").rows() == [
        (MON, BANK, None), (MON, STEEL, None), (TUE, BANK, True), (TUE, STEEL, True)
    ]  # fmt: skip
    assert found.columns == bars.columns


def day(text: str) -> date:
    return date.fromisoformat(text)


def changed(lake: Lake, *rows: tuple[str, str, str]) -> None:
    """Store changes of the bank's name: day, old and new name."""
    frame = [{"symbol": BANK, "date": day(text), "old_name": old, "new_name": new} for text, old, new in rows]
    lake.upsert("name_changes", pl.DataFrame(frame))


def test_stated_changes_cover_the_days_since_the_listing(lake):
    lake.replace_all("stocks", stored_stock(day("1999-11-10")))
    record_names(lake, listed(s600000="丙银行"), FRI)
    changed(lake, ("2012-08-02", "ST乙银", "丙银行"), ("2007-06-20", "甲银行", "ST乙银"))
    assert record_history(lake) == 3
    days = [day(text) for text in ("1999-11-09", "1999-11-10", "2007-06-19", "2007-06-20", "2012-08-01", "2012-08-02")]
    assert named(lake, *days, THU, FRI) == [
        (None, None),
        *[("甲银行", False)] * 2,
        *[("ST乙银", True)] * 2,
        *[("丙银行", False)] * 3,
    ]
    assert record_history(lake) == 0
    assert lake.read("stock_names")["until"].max() == FRI


def test_days_between_contradicting_statements_stay_unknown(lake):
    record_names(lake, listed(s600000="丁银行"), FRI)
    # The second change does not begin with the name of the first one, nor the list with that of the second one.
    changed(lake, ("2007-06-20", "甲银行", "乙银行"), ("2012-08-02", "ST乙银", "丙银行"))
    record_history(lake)
    days = [day(text) for text in ("2007-06-20", "2007-06-21", "2012-08-02", "2012-08-03")]
    assert named(lake, *days, FRI) == [
        ("乙银行", False), (None, None), ("丙银行", False), (None, None), ("丁银行", False)
    ]  # fmt: skip


def stored_stock(list_date: date) -> pl.DataFrame:
    frame = listed(s600000="丙银行")
    return frame.with_columns(list_date=pl.lit(list_date), updated_at=pl.lit(now()).cast(STOCKS.dtypes["updated_at"]))
