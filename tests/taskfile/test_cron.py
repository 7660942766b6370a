"""What counts as a cron expression: exactly what Dagster can run, and the five standard fields only."""

from datetime import datetime
from itertools import islice

import pytest
from dagster._utils.schedules import is_valid_cron_string
from hypothesis import given
from hypothesis import strategies as st

from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.scheduling.next_runs import starts
from mystocks_dagster.taskfile.cron import canonical, cron_fault
from mystocks_dagster.taskfile.schedule import Schedule

RIGHT = (
    "0 16 * * 1-5",
    "30 16 * * 1-5",
    "*/5 * * * *",
    "0 9-17 * * 1-5",
    "0 0 1 * *",
    "0 * * * *",
    "0,30 9-11,13-15 * * MON-fri",
    "5/10 * * * *",
    "0 0 29 2 *",
    "0 0 31 1,3,5 *",
    "0 0 * * 5-7",
    "0 0 * jan-mar sun",
    "  0   0 * *   7 ",
    "0 0 1-31/7 * 0-7",
    "0 0 30 2 1",
    "0 16 1 * */1",
)
WRONG = {
    "": "a cron expression has five fields, found 0",
    "0 16 * *": "a cron expression has five fields, found 4",
    "0 0 31 2 *": "no such month has a day 31: this never fires",
    "0 0 31 2 */1": "no such month has a day 31: this never fires",
    "0 0 30 2 *": "no such month has a day 30: this never fires",
    "0 0 31 4,6,9,11 *": "no such month has a day 31: this never fires",
    "*/0 * * * *": "minute step 0 is outside 1-59",
    "*/70 * * * *": "minute step 70 is outside 1-59",
    "*/ * * * *": "minute step (nothing) is outside 1-59",
    "0 22-2 * * *": "hour 22-2 runs backwards",
    "0 0 L * *": "day-of-month 'L' cannot be read",
    "0 0 ? * *": "day-of-month '?' cannot be read",
    "0 0 * * 1#2": "day-of-week '1#2' cannot be read",
    "R R * * *": "minute 'R' cannot be read; hour 'R' cannot be read",
    "1, 0 * * *": "minute '' cannot be read",
    "-5 0 * * *": "minute '-5' cannot be read",
    "0 0 * * foo": "day-of-week 'foo' cannot be read",
    "0 99999 * * *": "hour 99999 is outside 0-23",
    "٣ 0 * * *": "minute '٣' cannot be read",
    "0 0 */2 * 3": "day-of-month */2 beside another day field: cron requires both, Dagster either",
    "0 9 1 * */2": "day-of-week */2 beside another day field: cron requires both, Dagster either",
    "0 9 */2 * */3": "day-of-month */2 beside another day field: cron requires both, Dagster either",
    "@reboot": "a cron expression has five fields, found 1",
}


@pytest.mark.parametrize("expression", RIGHT)
def test_right_expressions(expression: str):
    assert cron_fault(expression) is None
    assert is_valid_cron_string(canonical(expression))


# The rule of cron(8): "If both fields are restricted (i.e., don't contain the "*" character), the command will be run
# when either field matches." What begins with `*` counts as not restricted. The days are those of a paper calendar.
DAYS = {
    "0 16 1 * */1": ("2026-12-01", ["2026-12-01", "2027-01-01", "2027-02-01"]),
    "0 16 */1 * 1": ("2026-12-01", ["2026-12-07", "2026-12-14", "2026-12-21"]),
    "0 16 1,2 * *,3": ("2026-12-01", ["2026-12-01", "2026-12-02", "2027-01-01"]),
    "0 0 13 * 5": ("2026-12-01", ["2026-12-04", "2026-12-11", "2026-12-13"]),
    "0 0 30 2 1": ("2027-01-15", ["2027-02-01", "2027-02-08", "2027-02-15"]),
    "0 0 31 4,6 sun": ("2027-03-01", ["2027-04-04", "2027-04-11", "2027-04-18"]),
    "0 9 1-31 * 1": ("2026-12-01", ["2026-12-01", "2026-12-02", "2026-12-03"]),
}


@pytest.mark.parametrize("expression", DAYS)
def test_two_day_fields_mean_what_cron_means(expression: str):
    start, days = DAYS[expression]
    schedule = Schedule(schedule_type="cron", cron_expression=expression)
    coming = starts("task", schedule, datetime.fromisoformat(start).replace(tzinfo=SHANGHAI))
    assert [f"{one.time:%Y-%m-%d}" for one in islice(coming, 3)] == days


@pytest.mark.parametrize("expression", WRONG)
def test_wrong_expressions_say_which_field_and_why(expression: str):
    found = cron_fault(expression)
    assert found is not None
    assert found.message == WRONG[expression]
    assert found.hint


_PART = st.sampled_from(
    [
        "*",
        "*/2",
        "0",
        "1",
        "5",
        "7",
        "12",
        "23",
        "28",
        "31",
        "59",
        "1-5",
        "3-1",
        "0-59",
        "1,3,5",
        "1-10/3",
        "mon",
        "jan",
        "60",
        "5/2",
    ]
)


@given(st.lists(_PART, min_size=5, max_size=5).map(" ".join))
def test_dagster_runs_whatever_is_accepted(expression: str):
    assert cron_fault(expression) is not None or is_valid_cron_string(canonical(expression))


@given(st.text(max_size=60))
def test_any_text_is_right_or_wrong_and_never_an_exception(expression: str):
    found = cron_fault(expression)
    assert found is None or 0 <= found.offset <= len(expression)
