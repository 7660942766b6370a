"""When a trading day's rows are published: the same evening, or days later, across weekends and holidays."""

from datetime import date, datetime

import pytest

from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.market.publication import Publication


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("publication", "moment", "newest"),
    [
        ("17:30", "2026-11-24T17:29", date(2026, 11, 23)),
        ("17:30", "2026-11-24T17:30", date(2026, 11, 24)),
        ("17:30", "2026-11-22T12:00", date(2026, 11, 20)),  # Sunday
        ("+1 09:00", "2026-11-24T08:59", date(2026, 11, 20)),
        ("+1 09:00", "2026-11-24T09:00", date(2026, 11, 23)),
        # 1 to 7 October is a holiday: what was traded on 30 September is published on the 8th.
        ("+1 09:00", "2026-10-07T20:00", date(2026, 9, 29)),
        ("+1 09:00", "2026-10-08T09:00", date(2026, 9, 30)),
    ],
)
def test_the_newest_published_day_is_a_trading_day_whose_time_has_come(publication, moment, newest):
    assert Publication.parse(publication).newest(at(moment)) == newest


def test_a_day_is_published_at_a_moment_in_shanghai():
    assert Publication.parse("17:30").moment(date(2026, 9, 30)) == at("2026-09-30T17:30")
    assert Publication.parse("+1 09:00").moment(date(2026, 9, 30)) == at("2026-10-08T09:00")


def test_only_between_the_close_and_the_publication_is_there_something_to_wait_for():
    late = Publication.parse("17:30")
    assert late.awaited(at("2026-11-24T16:00")) == at("2026-11-24T17:30")
    # Before the close a task loads the day before; on a Sunday there is no session.
    assert [late.awaited(at(f"2026-11-{moment}")) for moment in ("24T09:00", "24T17:30", "22T16:00")] == [None] * 3
    assert Publication.parse("+1 09:00").awaited(at("2026-11-24T16:00")) is None


@pytest.mark.parametrize("text", ["", "24:00", "17:3", "5:30 pm", "+0 09:00", "+1", "-1 09:00", "17:30:00"])
def test_what_is_no_time_of_publication_is_refused(text):
    with pytest.raises(ValueError, match="neither a time of day"):
        Publication.parse(text)


@pytest.mark.parametrize("text", ["17:30", "+1 09:00"])
def test_it_is_written_as_it_is_read(text):
    assert str(Publication.parse(text)) == text
