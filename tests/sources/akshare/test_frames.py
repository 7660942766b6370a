"""The reading half of the akshare source, on frames written by hand."""

from datetime import date

import pandas as pd
import polars as pl
import pytest

from mystocks_dagster.errors import SourceChanged
from mystocks_dagster.sources.akshare import columns
from mystocks_dagster.sources.akshare.frames import read_frame, refuse
from mystocks_dagster.sources.akshare.history import PriceStream

GIVEN = {
    "证券代码": ["600519", "688981"],
    "证券简称": ["贵州茅台", "中 芯国际Ａ"],
    "证券全称": ["", ""],
    "公司简称": ["", ""],
    "公司全称": ["", ""],
    "上市日期": [date(2001, 8, 27), pd.NaT],
}


def given(**other: list[object]) -> pd.DataFrame:
    return pd.DataFrame(GIVEN | other)


def test_columns_get_our_names_and_types() -> None:
    frame = read_frame(columns.SH_STOCKS, given())
    assert frame.schema == {"code": pl.String, "name": pl.String, "list_date": pl.Date}
    assert frame.rows() == [("600519", "贵州茅台", date(2001, 8, 27)), ("688981", "中芯国际A", None)]


def test_a_missing_and_an_unknown_column_are_named_with_function_and_version() -> None:
    with pytest.raises(
        SourceChanged, match=r"akshare 1\.\S+ stock_info_sh_name_code\(\): no column 上市日期 and unknown column 上市日"
    ):
        read_frame(columns.SH_STOCKS, given().rename(columns={"上市日期": "上市日"}))


@pytest.mark.parametrize(
    ("label", "value"),
    [("证券代码", 600519), ("证券代码", "60051"), ("证券代码", "-1.234"), ("证券简称", "12.50"), ("上市日期", "soon")],
)
def test_a_value_that_cannot_be_is_shown(label: str, value: object) -> None:
    with pytest.raises(SourceChanged, match=f"{label} is .*{value}"):
        read_frame(columns.SH_STOCKS, given(**{label: [GIVEN[label][0], value]}))


def test_a_missing_name_is_no_name() -> None:
    with pytest.raises(SourceChanged, match="证券简称 is empty"):
        read_frame(columns.SH_STOCKS, given(证券简称=["贵州茅台", None]))


def test_lots_become_shares_and_dashes_become_nothing() -> None:
    spot = {"代码": ["000001", "000002"], "名称": ["甲", "乙"], "数据日期": [pd.Timestamp("2025-04-07"), pd.NaT]}
    numbers = {field.label: [3.0, "-"] for field in columns.ETF_SPOT.fields if field.kind in ("number", "lots")}
    frame = read_frame(columns.ETF_SPOT, pd.DataFrame(spot | numbers))
    assert frame["volume"].to_list() == [300, None]
    assert frame["price"].to_list() == [3.0, None]
    assert frame["date"].to_list() == [date(2025, 4, 7), None]


def test_a_few_odd_rows_are_no_change_of_format_and_many_are() -> None:
    frame = pl.DataFrame({"code": [f"{n:06d}" for n in range(1000)], "n": range(1000)})
    refuse(columns.STOCK_SPOT, frame, pl.col("n") < 10, "odd", 0.01)
    with pytest.raises(SourceChanged, match=r"odd in 11 of 1000 rows, e\.g\. code=000000, n=0"):
        refuse(columns.STOCK_SPOT, frame, pl.col("n") < 11, "odd", 0.01)
    with pytest.raises(SourceChanged, match="odd in 1 of 1000 rows"):
        refuse(columns.STOCK_SPOT, frame, pl.col("n") < 1, "odd")


def test_a_price_stream_without_dates_has_changed() -> None:
    with pytest.raises(SourceChanged, match="no date"):
        PriceStream.of([{"open": 1.0}])


@pytest.mark.parametrize("empty", [None, "", 0, 0.0, "0.000"])
def test_a_stream_with_empty_previous_closes_states_none(empty: object) -> None:
    stream = PriceStream.of(
        [{"date": "2025-02-24T00:00:00.000Z", "prevclose": empty}, {"date": "2025-02-25T00:00:00.000Z"}]
    )
    assert (stream.stated, stream.states_closes) == ({}, False)


def test_a_stream_states_closes_when_its_first_bar_does() -> None:
    first, second = {"date": "2025-04-02T00:00:00.000Z", "prevclose": 9.5}, {"date": "2025-04-03T00:00:00.000Z"}
    stream = PriceStream.of([first, second])
    assert stream.days == (date(2025, 4, 2), date(2025, 4, 3))
    assert stream.stated == {date(2025, 4, 2): 9.5}
    assert stream.states_closes
    assert not PriceStream.of([second]).states_closes
