"""Checks of a lake that may not answer: nothing waits for them."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from threading import Event

import dagster as dg
import pytest
from support.project import wait_for

from mystocks_dagster.factory.background_checks import INTERVAL, BackgroundChecks
from mystocks_dagster.factory.system import CheckOutcome
from mystocks_dagster.market.clock import SHANGHAI

NOON = datetime(2026, 11, 24, 12, tzinfo=SHANGHAI)
CHECKS = {"daily_bars": "newest_day"}
FRIDAY, MONDAY = {"daily_bars": date(2026, 11, 20)}, {"daily_bars": date(2026, 11, 23)}


class RemoteLake:
    """Answers when it is let to."""

    def __init__(self) -> None:
        self.answers, self.asked = Event(), 0

    def evaluate(self, checks: Mapping[str, str]) -> Iterator[CheckOutcome]:
        self.asked += 1
        assert self.answers.wait(30)
        for table, check in checks.items():
            yield CheckOutcome(asset=dg.AssetKey(table), check=check, passed=False, description="late")


@pytest.fixture
def lake() -> Iterator[RemoteLake]:
    lake = RemoteLake()
    yield lake
    lake.answers.set()


def test_a_lake_that_does_not_answer_is_not_waited_for_and_not_asked_again(lake: RemoteLake) -> None:
    checks = BackgroundChecks(lake.evaluate)
    for minutes in (0, 1, 60):
        assert list(checks.due(NOON + timedelta(minutes=minutes), FRIDAY, CHECKS)) == []
        wait_for(lambda: lake.asked == 1, 20, "the first evaluation")
    assert lake.asked == 1


def test_its_outcome_comes_with_a_later_call_and_again_when_a_day_is_published(lake: RemoteLake) -> None:
    lake.answers.set()
    checks = BackgroundChecks(lake.evaluate)

    def outcomes(moment: datetime, newest: Mapping[str, date]) -> list[str]:
        return [outcome.check for outcome in checks.due(moment, newest, CHECKS)]

    assert outcomes(NOON, FRIDAY) == []
    wait_for(lambda: outcomes(NOON, FRIDAY) == ["newest_day"], 20, "the outcome")
    assert outcomes(NOON, FRIDAY) == []
    assert lake.asked == 1
    assert outcomes(NOON, MONDAY) == []
    wait_for(lambda: outcomes(NOON, MONDAY) == ["newest_day"], 20, "the outcome of the next day")
    assert outcomes(NOON + INTERVAL, MONDAY) == []
    wait_for(lambda: lake.asked == 3, 20, "the third evaluation")


def test_an_error_of_the_thread_is_raised_by_a_later_call() -> None:
    def broken(checks: Mapping[str, str]) -> Iterator[CheckOutcome]:
        raise ZeroDivisionError

    checks = BackgroundChecks(broken)
    list(checks.due(NOON, FRIDAY, CHECKS))

    def raised() -> bool:
        try:
            list(checks.due(NOON, FRIDAY, CHECKS))
        except ZeroDivisionError:
            return True
        return False

    wait_for(raised, 20, "the error")
