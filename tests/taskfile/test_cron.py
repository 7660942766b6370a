"""What counts as a cron expression: exactly what Dagster can run, and the five standard fields only."""

import pytest
from dagster._utils.schedules import is_valid_cron_string
from hypothesis import given
from hypothesis import strategies as st

from mystocks_dagster.taskfile.cron import cron_fault

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
)
WRONG = {
    "": "a cron expression has five fields, found 0",
    "0 16 * *": "a cron expression has five fields, found 4",
    "0 0 31 2 *": "no such month has a day 31: this never fires",
    "0 0 31 2 1": "no such month has a day 31: this never fires",  # cron would fire on Mondays; Dagster refuses it
    "0 0 30 2 *": "no such month has a day 30: this never fires",
    "0 0 31 4,6,9,11 *": "no such month has a day 31: this never fires",
    "*/0 * * * *": "minute step 0 is outside 1-59",
    "*/70 * * * *": "minute step 70 is outside 1-59",
    "*/ * * * *": "minute step (nothing) is outside 1-59",
    "0 22-2 * * *": "hour 22-2 runs backwards",
    "0 0 L * *": "day of month 'L' cannot be read",
    "0 0 ? * *": "day of month '?' cannot be read",
    "0 0 * * 1#2": "day of week '1#2' cannot be read",
    "R R * * *": "minute 'R' cannot be read; hour 'R' cannot be read",
    "1, 0 * * *": "minute '' cannot be read",
    "-5 0 * * *": "minute '-5' cannot be read",
    "0 0 * * foo": "day of week 'foo' cannot be read",
    "0 99999 * * *": "hour 99999 is outside 0-23",
    "٣ 0 * * *": "minute '٣' cannot be read",
    "@reboot": "a cron expression has five fields, found 1",
}


@pytest.mark.parametrize("expression", RIGHT)
def test_right_expressions(expression: str):
    assert cron_fault(expression) is None
    assert is_valid_cron_string(" ".join(expression.split()))


@pytest.mark.parametrize("expression", WRONG)
def test_wrong_expressions_say_which_field_and_why(expression: str):
    found = cron_fault(expression)
    assert found is not None
    assert found.message == WRONG[expression]
    assert found.hint


_PART = st.sampled_from(
    ["*", "*/2", "0", "1", "5", "7", "12", "23", "28", "31", "59", "1-5", "3-1", "0-59", "1,3,5", "1-10/3", "mon", "jan", "60", "5/2"]
)


@given(st.lists(_PART, min_size=5, max_size=5).map(" ".join))
def test_dagster_runs_whatever_is_accepted(expression: str):
    assert cron_fault(expression) is not None or is_valid_cron_string(expression)


@given(st.text(max_size=60))
def test_any_text_is_right_or_wrong_and_never_an_exception(expression: str):
    found = cron_fault(expression)
    assert found is None or 0 <= found.offset <= len(expression)
