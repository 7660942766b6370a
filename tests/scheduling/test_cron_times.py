"""The times of a cron expression are those at which Dagster's daemon fires: its own iterator says which."""

import random
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from mystocks_dagster.dagster_internals import schedule_execution_time_iterator
from mystocks_dagster.scheduling.cron_times import cron_times
from mystocks_dagster.taskfile.cron import FIELDS, CronField, canonical, cron_fault

SHANGHAI = "Asia/Shanghai"
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
#: Expressions that are read in odd ways somewhere.
ODD = [
    "* * * * *", "0 16 * * 1-5", "0 0 31 * *", "0 0 29 2 *", "0 0 30 2 1", "59 23 31 12 7", "0 9-9 * * *",
    "0 9 * * mon-mon", "0 9 * * sun-0", "0 0 13 * 5", "0 0 13 * */1", "0 0 */10 * *", "*/7 */5 * * *", "0 0 * * 4/3",
    "5/20 * * * *", "0 0 1-31 * 1", "0 0 1 jan-3 *", "15,45 8-11,13-15 * * mon-fri", "0 0 1,15 * sat,sun",
]  # fmt: skip


def dagsters(expression: str, zone: str, start: datetime, count: int) -> list[datetime]:
    return list(islice(schedule_execution_time_iterator(start.timestamp(), expression, zone), count))


def ours(expression: str, zone: str, start: datetime, count: int) -> list[datetime]:
    return list(islice(cron_times(expression, zone, start), count))


def random_field(chance: random.Random, field: CronField) -> str:
    def value() -> str:
        number = chance.randint(field.low, field.high)
        return _DAYS[number % 7] if field.high == 7 and chance.random() < 0.3 else str(number)

    def span() -> str:
        first, last = sorted(chance.choices(range(field.low, field.high + 1), k=2))
        return f"{first}-{last}" + chance.choice(["", "", f"/{chance.randint(1, 4)}"])

    forms: list[Callable[[], str]] = [
        lambda: "*",
        value,
        span,
        lambda: f"*/{chance.randint(1, field.high // 2)}",
        lambda: f"{chance.randint(field.low, field.high)}/{chance.randint(1, 4)}",
        lambda: ",".join(chance.choice([value, span])() for _ in range(3)),
    ]
    return chance.choice(forms)()


def random_expressions(count: int) -> list[str]:
    chance, found = random.Random(20261128), list[str]()
    while len(found) < count:
        expression = " ".join(random_field(chance, field) for field in FIELDS)
        if cron_fault(expression) is None:
            found.append(canonical(expression))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("start", ["2026-02-27T23:59:30", "2027-12-31T16:00:00", "1995-06-01T08:15:00"])
def test_many_expressions_are_due_when_dagster_fires_them(start: str) -> None:
    moment = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(SHANGHAI))
    expressions = [*map(canonical, ODD), *random_expressions(300)]
    assert {expression: ours(expression, SHANGHAI, moment, 4) for expression in expressions} == {
        expression: dagsters(expression, SHANGHAI, moment, 4) for expression in expressions
    }


def test_a_long_row_of_starts_is_dagsters() -> None:
    moment = datetime(2026, 11, 28, 17, 27, tzinfo=ZoneInfo(SHANGHAI))
    assert ours("30 9,15 * * 1-5", SHANGHAI, moment, 600) == dagsters("30 9,15 * * 1-5", SHANGHAI, moment, 600)


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca"])
@pytest.mark.parametrize("expression", ["30 2 * * *", "*/30 * * * *", "0 1-3 * 3,4,10,11 0"])
def test_where_clocks_change_dagster_decides(zone: str, expression: str) -> None:
    for month, day in ((3, 7), (10, 24)):
        moment = datetime(2026, month, day, tzinfo=ZoneInfo(zone))
        assert ours(expression, zone, moment, 200) == dagsters(expression, zone, moment, 200)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Asia/Tokyo"])
def test_other_zones_whose_clocks_stay_are_read_the_same(zone: str) -> None:
    moment = datetime(2026, 3, 28, 0, 10, tzinfo=ZoneInfo(zone))
    for expression in map(canonical, ODD):
        assert ours(expression, zone, moment, 5) == dagsters(expression, zone, moment, 5), expression


@pytest.mark.parametrize(
    ("written", "meant"),
    [("0 9-9 * * *", "0 9 * * *"), ("0 0 * * 4/3", "0 0 * * 4,7"), ("0 9 * * sat-6", "0 9 * * 6")],
)
def test_a_part_that_dagster_reads_otherwise_is_written_out(written: str, meant: str) -> None:
    assert canonical(written) == meant
