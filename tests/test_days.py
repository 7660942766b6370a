"""Days as people write them, wherever they write them."""

from datetime import date, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from mystocks_dagster.api import request_models
from mystocks_dagster.days import read_day
from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.history.times import parse_time
from mystocks_dagster.tasks import param_types

FRIDAY = date(2026, 11, 27)


@pytest.mark.parametrize("written", ["2026-11-27", "20261127", 20261127, "2026/11/27", " 2026-11-27 ", FRIDAY])
def test_a_day_may_be_written_in_each_usual_way(written: object) -> None:
    assert read_day(written) == FRIDAY
    for field in (request_models.Day, param_types.Day):
        assert TypeAdapter(field).validate_python(written) == FRIDAY


@pytest.mark.parametrize(
    "written",
    [
        *("yesterday", "", 0, 1764201600, "1764201600", "2026-02-30", "20261301", "9999-12-31", "0001-01-01", 2026.5),
        *(True, "２０２６-11-27", "2026-11-27T00:00", datetime(2026, 11, 27).astimezone(), "2026" * 100, []),
    ],
)
def test_a_number_of_seconds_is_no_day(written: object) -> None:
    with pytest.raises(InvalidParams, match=r"is not a day\. Write it like 2026-11-27|is out of range"):
        read_day(written)
    if written != "":
        with pytest.raises(ValidationError, match=r"2026-11-27|out of range"):
            TypeAdapter(request_models.Day).validate_python(written)


def test_an_empty_field_is_no_day() -> None:
    for field in (request_models.Day, param_types.Day):
        assert [TypeAdapter(field).validate_python(empty) for empty in ("", None)] == [None, None]


@pytest.mark.parametrize("written", ["20261127", "2026/11/27", "2026-11-27"])
def test_a_span_of_executions_ends_with_the_day_that_is_named(written: str) -> None:
    assert parse_time(written, end=True).isoformat() == "2026-11-28T00:00:00+08:00"
