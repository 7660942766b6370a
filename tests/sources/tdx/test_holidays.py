"""Trading days out of 通达信's list of holidays: a second witness of the calendar."""

from datetime import date

import pytest

from mystocks_dagster.errors import SourceChanged
from mystocks_dagster.market.calendar import published
from mystocks_dagster.sources.tdx.holidays import trading_days


def lines(*years: int) -> bytes:
    """Write the weekday closures of the published calendar in the form of the file."""
    calendar = published()
    rows = []
    for year in years:
        closed = calendar.closures(date(year, 1, 1), date(year, 12, 31))
        rows.append(f"Y{year - 1990}={year}," + "".join(f"{day:%m%d}," for day in closed))
    return "\r\n".join(["[Holiday]", *rows, "[Other]", "X=1"]).encode("gbk")


def test_the_days_between_the_holidays_are_the_exchanges_trading_days():
    assert trading_days(lines(2023, 2024, 2025)) == published().sessions(date(2023, 1, 1), date(2025, 12, 31))


def test_years_before_a_gap_and_a_year_that_is_not_announced_are_left_out():
    days = trading_days(lines(2021, 2023, 2024) + b"\r\nY35=2025,0101,\r\n")
    assert (days[0], days[-1]) == (date(2023, 1, 3), date(2024, 12, 31))


def test_another_form_is_an_error_and_not_a_year_without_holidays():
    with pytest.raises(SourceChanged, match="lists the holidays of no year"):
        trading_days(b"[Holiday]\r\n2024=0101\r\n")
    with pytest.raises(SourceChanged, match="'0230' in the line of 2024 is not a day"):
        trading_days(b"Y34=2024,0101,0209,0230,0404,0501,\r\n")


@pytest.mark.parametrize("entry", ["0230", "1399", "01" + "9" * 30])
def test_an_entry_that_is_no_day_is_named(entry: str):
    content = f"Y36=2026,0101,0102,0216,0217,0218,{entry},".encode("gbk")
    with pytest.raises(SourceChanged, match=f"'{entry}' in the line of 2026 is not a day"):
        trading_days(content)
