"""The user's file: its forms, and where it is wrong."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from support.year2027 import CLOSED, days_of_2027

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.trading_calendar.day_file import read_days
from mystocks_dagster.trading_calendar.in_force import combine
from mystocks_dagster.trading_calendar.record import Record

DAYS = days_of_2027()


def flagged(mark: str = ",", heading: str = "cal_date,is_open") -> str:
    span = [date.fromordinal(number) for number in range(date(2027, 1, 1).toordinal(), date(2028, 1, 1).toordinal())]
    return "\n".join([heading, *(f"{day:%Y%m%d}{mark}{int(day in DAYS)}" for day in span)])


FORMS = {
    "one day a line": "\n".join(map(str, DAYS)),
    "a column of a spreadsheet": "trade_date\n" + "\n".join(f"{day:%Y/%m/%d}" for day in DAYS),
    "without separators, with a byte order mark": "\ufeff" + "\r\n".join(f"{day:%Y%m%d}" for day in DAYS),
    "all days with a flag": flagged(),
    "tabs and a heading in Chinese": flagged("\t", "日期\t是否交易日"),
    "closures as the package ships them": "# from the notice\ncovers 2027-01-01 2027-12-31\n2027 "
    + " ".join(f"{day:%m-%d}" for day in sorted(CLOSED)),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_extends_the_calendar_by_the_same_days(form: str, tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    path.write_text(FORMS[form], encoding="utf-8")
    known = combine(path, Record())
    assert known.errors == ()
    assert known.calendar.sessions(date(2027, 1, 1), date(2027, 12, 31)) == DAYS
    assert known.calendar.last == date(2027, 12, 31)
    assert str(path) in known.stands_on


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2027-01-04\n2027-01-5x\n", "days.csv:2: '2027-01-5x' is not a date"),
        ("2027-01-04\n2027-02-30\n", "days.csv:2: '2027-02-30' is not a date"),
        ("date,is_open\n2027-01-04,1\n2027-01-05,perhaps\n", "days.csv:3: 'perhaps' does not state"),
        ("2027-01-04,1\n2027-01-04,0\n", "days.csv:2: 2027-01-04 is stated both as a trading day and as closed"),
        ("3027-01-04\n", "days.csv:1: the year of 3027-01-04 is out of range (1990-2100)"),
        ("covers 2027-01-01\n", "days.csv:1: `covers` needs"),
        ("covers 2027-01-01 2027-06-30\n2027 07-01\n", "days.csv:2: 2027-07-01 is outside 2027-01-01 to 2027-06-30"),
        ("# nothing\n\n", "days.csv contains no trading day"),
        ("2027-01-04\0\n", "days.csv:1: the line holds a NUL byte"),
    ],
)
def test_a_wrong_line_is_named(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        read_days(path)
    assert told in str(error.value)


def test_a_file_in_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    path.write_bytes("2027-01-04\n日期\n".encode("gb18030"))
    with pytest.raises(SettingsError, match=r"days\.csv:2: the line is not UTF-8"):
        read_days(path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2026-12-30\n2027-01-04\n", "contradicts the published calendar about 2026-12-31"),
        ("2027-01-02\n2027-01-04\n", "days.csv:1: 2027-01-02 is a Saturday"),
        ("2027-01-01\n2027-01-04\n", "days.csv:1: 2027-01-01 is a public holiday"),
        ("2027-01-04\n2027-03-01\n", "days.csv:2: there is no trading day between 2027-01-04 and 2027-03-01"),
        ("2027-06-01\n2027-06-02\n", "nothing is stated about 2027-01-01 to 2027-05-31"),
        ("covers 2027-01-01 2027-12-31\n2027 01-01 05-03 10-01 10-04\n", "2027 has no Spring Festival"),
    ],
)
def test_a_file_that_cannot_be_true_is_not_used_and_said(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    path.write_text(text, encoding="utf-8")
    known = combine(path, Record())
    assert told in known.errors[0]
    assert known.calendar.last == date(2026, 12, 31)


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (days_of_2027()[::2], "2027 has 124 trading days and 137 weekdays without trading; a year has 235 to 250"),
        (days_of_2027()[:120:2], "2027 up to 2027-06-29 has 60 trading days and 68 weekdays without trading"),
        (
            [day for at, day in enumerate(days_of_2027()) if at % 12],
            "2027 has 226 trading days and 35 weekdays without trading",
        ),
    ],
)
def test_a_file_that_lacks_days_here_and_there_is_not_used_and_its_line_is_said(
    days: list[date], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "days.csv"
    path.write_text("trade_date\n" + "\n".join(map(str, days)), encoding="utf-8")
    known = combine(path, Record())
    assert f"days.csv:2: {told}" in known.errors[0]
    assert known.calendar.last == date(2026, 12, 31)


def test_a_part_of_a_year_may_hold_all_its_holidays(tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    path.write_text("\n".join(str(day) for day in days_of_2027() if day < date(2027, 10, 30)), encoding="utf-8")
    known = combine(path, Record())
    assert not known.errors
    assert known.calendar.last == date(2027, 10, 29)


def test_a_named_file_that_is_not_there_is_an_error_and_the_shipped_calendar_stays(
    at: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mystocks_dagster.project.health import calendar

    at("2026-06-01T12:00:00")
    monkeypatch.setenv("MYSTOCKS_TRADING_CALENDAR", "days.csv")
    check = calendar()
    assert not check.ok
    assert f"{tmp_path / 'days.csv'} cannot be read: No such file" in check.detail
