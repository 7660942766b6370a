"""The calendar against exchange_calendars, the published lists, and days that everybody can look up."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mystocks_dagster.errors import OutsideCalendar
from mystocks_dagster.market.calendar import DATA_READY, TradingCalendar, is_holiday, shanghai

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def lists(shared_data: Path) -> Path:
    return shared_data / "calendar"


@pytest.mark.filterwarnings("ignore:Series.values")
def test_it_is_the_calendar_of_exchange_calendars_over_its_whole_range():
    exchange_calendars = pytest.importorskip("exchange_calendars")
    calendar = shanghai()

    theirs = exchange_calendars.get_calendar("XSHG", start=calendar.first, end=calendar.last).sessions

    assert calendar.sessions(calendar.first, calendar.last) == [session.date() for session in theirs]


def test_it_is_the_list_that_the_vendor_publishes(lists: Path):
    published = [
        date.fromisoformat(day) for day in (lists / "cn_trading_days_19901219_20261231.txt").read_text().split()
    ]

    assert shanghai().sessions(published[0], published[-1]) == published


def test_it_agrees_with_a_second_list_as_far_as_both_reach(lists: Path):
    published = [
        date.fromisoformat(day) for day in (lists / "a_trade_calendar_20050104_20270115.csv").read_text().split()[1:]
    ]

    assert shanghai().sessions(published[0], shanghai().last) == [day for day in published if day <= shanghai().last]


def test_spring_festival_2026_is_a_gap_of_six_weekdays():
    calendar = shanghai()

    assert calendar.closures(date(2026, 2, 13), date(2026, 2, 24)) == [
        date(2026, 2, day) for day in (16, 17, 18, 19, 20, 23)
    ]
    assert calendar.next(date(2026, 2, 13)) == date(2026, 2, 24)
    assert calendar.previous(date(2026, 2, 24)) == date(2026, 2, 13)
    assert not calendar.is_session(date(2026, 2, 14)), "a Saturday that is a working day is no trading day"


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2025-04-07T14:59:59+08:00", date(2025, 4, 3)),
        ("2025-04-07T15:00:00+08:00", date(2025, 4, 7)),
        ("2025-04-07T07:00:00+00:00", date(2025, 4, 7)),
        ("2025-04-04T23:00:00+08:00", date(2025, 4, 3)),
        ("2025-04-06T12:00:00+08:00", date(2025, 4, 3)),
        ("2026-12-31T16:00:00+08:00", date(2026, 12, 31)),
    ],
)
def test_a_day_is_over_from_three_in_the_afternoon_in_shanghai(moment: str, day: date):
    assert shanghai().latest_closed(datetime.fromisoformat(moment)) == day


def test_another_hour_of_closing_can_be_asked_for():
    quarter_past = datetime(2025, 4, 7, 15, 15, tzinfo=SHANGHAI)

    assert shanghai().latest_closed(quarter_past) == date(2025, 4, 7)
    assert shanghai().latest_closed(quarter_past, DATA_READY) == date(2025, 4, 3)


def test_naive_moments_are_refused():
    with pytest.raises(ValueError, match="no time zone"):
        shanghai().latest_closed(datetime(2025, 4, 7, 16, 0))  # noqa: DTZ001


@pytest.mark.parametrize("day", [date(1990, 12, 18), date(2027, 1, 4)])
def test_beyond_its_bounds_it_refuses_to_guess(day: date):
    calendar = shanghai()

    for ask in (calendar.is_session, lambda d: calendar.sessions(d, d), lambda d: calendar.closures(d, d)):
        with pytest.raises(OutsideCalendar, match="which covers 1990-12-19 to 2026-12-31"):
            ask(day)


def test_there_is_nothing_before_the_first_and_after_the_last_session():
    with pytest.raises(OutsideCalendar):
        shanghai().previous(date(1990, 12, 19))
    with pytest.raises(OutsideCalendar):
        shanghai().next(date(2026, 12, 31))
    assert shanghai().previous(date(2027, 1, 1)) == date(2026, 12, 31)
    assert shanghai().next(date(1990, 12, 18) + timedelta(days=1)) == date(1990, 12, 20)


def test_a_guess_beyond_the_bounds_says_that_it_is_one():
    calendar = shanghai()

    assert calendar.is_probable_session(date(2026, 10, 1)) == (False, True)
    assert calendar.is_probable_session(date(2027, 1, 4)) == (True, False)
    assert calendar.is_probable_session(date(2027, 1, 3)) == (False, False)
    assert calendar.is_probable_session(date(2027, 2, 8)) == (True, False), "Spring Festival moves: it is not known"
    assert calendar.probable_latest_closed(datetime(2027, 1, 4, 16, 0, tzinfo=SHANGHAI)) == (date(2027, 1, 4), False)
    assert calendar.probable_latest_closed(datetime(2027, 1, 1, 12, 0, tzinfo=SHANGHAI)) == (date(2026, 12, 31), True)


def test_holidays_with_a_fixed_date_are_known_in_every_year_to_come():
    calendar = shanghai()
    for year in range(2027, 2060):
        for day in (date(year, 1, 1), date(year, 5, 1), date(year, 10, 1), date(year, 10, 2), date(year, 10, 3)):
            assert calendar.is_probable_session(day) == (False, True)
    newest = calendar.probable_latest_closed(datetime(2028, 10, 3, 16, 0, tzinfo=SHANGHAI))
    assert newest == (date(2028, 9, 29), False)


def test_the_exchanges_have_not_traded_on_a_holiday_with_a_fixed_date():
    traded = [day for day in shanghai().sessions(shanghai().first, shanghai().last) if is_holiday(day)]
    assert traded == [date(1991, 10, 3), date(1996, 10, 3)], "National Day had two days by law until 1999"


def test_it_counts_the_days_that_it_still_covers():
    assert shanghai().coverage_days_left(datetime(2026, 12, 1, 9, 0, tzinfo=SHANGHAI)) == 30
    assert shanghai().coverage_days_left(datetime(2026, 12, 31, 17, 0, tzinfo=UTC)) == -1, "already 2027 in Shanghai"


def test_a_calendar_can_be_made_of_other_days():
    days = [date(2027, 1, 4), date(2027, 1, 5), date(2027, 1, 7)]

    calendar = TradingCalendar.from_days(days, last=date(2027, 1, 8))

    assert calendar.sessions(date(2027, 1, 4), date(2027, 1, 8)) == days
    assert calendar.closures() == [date(2027, 1, 6), date(2027, 1, 8)]
    with pytest.raises(ValueError, match="at least one"):
        TradingCalendar.from_days([])
    with pytest.raises(ValueError, match="do not lie within"):
        TradingCalendar.from_days(days, last=date(2027, 1, 6))
