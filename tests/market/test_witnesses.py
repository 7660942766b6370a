"""When two rows are the same, when they differ, and when a whole day does."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.witnesses import calendar_differences, compare, day_difference, percent, percent_text

DAY = date(2025, 4, 7)
ROW = {
    "date": DAY, "open": 10.01, "high": 10.2, "low": 9.9, "close": 10.1, "prev_close": 10.0, "volume": 1_234_567,
    "amount": 12_469_126.7, "turnover": 1.5, "is_st": False, "suspended": False,
}  # fmt: skip


def bars(*changes: dict[str, Any], count: int = 40) -> pl.DataFrame:
    rows = [{"symbol": f"{600000 + n}.SH", **ROW} for n in range(count)]
    for n, change in enumerate(changes):
        rows[n] |= change
    return pl.DataFrame(rows, schema=DAILY_BARS.dtypes)


def differences(a: pl.DataFrame, b: pl.DataFrame) -> list[tuple[Any, ...]]:
    return compare("daily_bars", a, b).differences.select("symbol", "column", "value_a", "value_b", "kind").rows()


def test_equal_rows_agree_in_all():
    result = compare("daily_bars", bars(), bars())
    assert (result.agreeing, result.differing, result.agreement, result.note) == (40, 0, 100.0, "")
    assert result.differences.is_empty()


@pytest.mark.parametrize(
    "change",
    [
        {"close": 10.104},  # less than half a tick
        {"volume": 1_234_500},  # lots of 100 shares
        {"amount": 12_469_127.0},  # rounded to CNY
        {"amount": 12_469_127.5},
        {"prev_close": None},  # not known is no contradiction
        {"is_st": None},
        {"turnover": 1.9},  # vendors count the floating shares differently
    ],
)
def test_rounding_and_unknown_values_are_no_differences(change: dict[str, Any]):
    assert differences(bars(change), bars()) == []
    assert differences(bars(), bars(change)) == []


def test_an_amount_of_32_bits_agrees_with_one_of_64():
    amount = 98_765_432_109.87
    stored = pl.Series([amount], dtype=pl.Float32).cast(pl.Float64).item()
    assert abs(stored - amount) > 1000
    assert differences(bars({"amount": amount}), bars({"amount": stored})) == []


@pytest.mark.parametrize(
    ("change", "column", "values"),
    [
        ({"close": 10.11}, "close", ("10.1", "10.11")),
        ({"prev_close": 9.5}, "prev_close", ("10.0", "9.5")),
        ({"volume": 1_234_367}, "volume", ("1234567", "1234367")),
        ({"amount": 12_470_000.0}, "amount", ("12469126.7", "12470000.0")),
        ({"is_st": True}, "is_st", ("false", "true")),
    ],
)
def test_a_difference_beyond_rounding_names_both_values(change: dict[str, Any], column: str, values: tuple[str, str]):
    assert differences(bars(), bars(change)) == [("600000.SH", column, *values, "value")]
    result = compare("daily_bars", bars(), bars(change))
    assert (result.agreeing, result.differing) == (39, 1)


def test_a_fund_has_a_finer_tick_than_a_stock():
    stock, fund = (compare(table, bars({"close": 10.104}), bars()) for table in ("daily_bars", "etf_bars"))
    assert (stock.differing, fund.differing) == (0, 1)


def test_a_row_that_only_one_has_is_a_difference_of_either():
    a, b = bars(), bars()
    assert differences(a, b.head(39)) == [("600039.SH", "*", "row", None, "only_one")]
    assert differences(a.tail(39), b) == [("600000.SH", "*", None, "row", "only_one")]
    assert compare("daily_bars", a, b.head(39)).agreement == pytest.approx(97.5)


def test_a_suspended_stock_that_a_vendor_leaves_out_is_no_difference():
    still = {"suspended": True, "volume": 0, "amount": 0.0}
    assert differences(bars(still), bars().tail(39)) == []
    assert differences(bars(still), bars()) != []


def test_rows_of_an_hour_before_are_one_difference_of_the_day():
    changes = [{"volume": 1_000_000 + 5_000 * n, "close": 10.05} for n in range(40)]
    result = compare("daily_bars", bars(*changes), bars())
    assert result.differences.select("symbol", "column", "kind").rows() == [("*", "volume", "earlier_moment")]
    assert result.note == ("The stored rows are of an earlier moment of the day: 40 of 40 stocks have traded since.")
    assert (result.agreeing, result.agreement) == (0, 0.0)
    other = compare("daily_bars", bars(), bars(*changes))
    assert other.note.startswith("The rows of the other source are of an earlier moment")


def test_a_wrong_unit_is_no_earlier_moment():
    lots = bars().with_columns(volume=pl.col("volume") // 100)
    result = compare("daily_bars", lots, bars())
    assert set(result.differences["kind"]) == {"value"}
    assert result.differing == 40


def test_a_holiday_of_one_source_is_one_difference_of_the_day():
    result = day_difference("holiday", "5,400 rows", "holiday", "b calls it a holiday.", 5400)
    assert result.differences.select("symbol", "column", "kind").rows() == [("*", "date", "holiday")]
    assert (result.agreement, result.differing) == (0.0, 5400)


def test_the_days_that_only_one_calendar_has():
    rows = calendar_differences({date(2025, 4, 3), DAY}, {date(2025, 4, 3), date(2025, 4, 4)})
    assert rows.select("date", "value_a", "value_b", "kind").rows() == [
        (date(2025, 4, 4), "holiday", "trading day", "holiday"),
        (DAY, "trading day", "holiday", "holiday"),
    ]


def test_a_percentage_is_100_only_if_all_rows_agree():
    assert percent_text(percent(5400, 0)) == "100 %"
    assert percent_text(percent(5_400_000, 1)) == "99.99 %"
    assert percent_text(percent(1, 3)) == "25.00 %"
    assert percent_text(percent(0, 0)) == ""
