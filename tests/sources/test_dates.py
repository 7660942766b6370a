"""Days as other tools save them: the right day, or one clear error; never the day before."""

from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest

from mystocks_dagster.sources.dates import AmbiguousDate, days_expr, parse_day

DAY = date(2024, 3, 1)


@pytest.mark.parametrize(
    "value",
    [
        DAY,
        datetime(2024, 3, 1),  # noqa: DTZ001 - files hold naive moments
        datetime(2024, 3, 1, 15),  # noqa: DTZ001
        datetime(2024, 2, 29, 16, tzinfo=UTC),
        datetime(2024, 3, 1, 7, tzinfo=UTC),
        datetime(2024, 3, 1, tzinfo=timezone(timedelta(hours=8))),
        20240301,
        20240301.0,
        "20240301",
        "20240301.0",
        "2024-03-01",
        "2024-3-1",
        "2024/3/1",
        "2024/03/01",
        "2024.03.01",
        "2024年3月1日",
        " 2024-03-01 ",
        "2024-03-01 00:00:00",
        "2024-03-01T00:00:00",
        "2024-03-01T00:00:00.000",
        "2024-02-29T16:00:00Z",
        "2024-02-29 16:00:00+00:00",
        "2024-03-01T00:00:00+08:00",
    ],
)
def test_a_day_is_read_however_it_was_saved(value: object):
    assert parse_day(value) == DAY


@pytest.mark.parametrize("value", [None, "", "  ", float("nan")])
def test_an_empty_value_is_no_day(value: object):
    assert parse_day(value) is None


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (datetime(2024, 2, 29, 16), "has no time zone: in UTC it is on the next day in Shanghai"),  # noqa: DTZ001
        ("2024-02-29 16:00:00", "has no time zone"),
        (1709251200000, "milliseconds since 1970"),
        (1709251200, "seconds since 1970"),
        (1709251200000000, "microseconds since 1970"),
        (1709251200000000000, "nanoseconds since 1970"),
        (45352, "days since 1970 or a date of Excel"),
        ("45352", "date of Excel"),
        ("1709251200000", "milliseconds"),
        (20241301, "no day 01 of month 13"),
        ("2024-02-30", "no day 30 of month 02"),
        ("01/03/2024", "write 2024-03-01"),
        ("1.3.2024", "write 2024-03-01"),
        ("2024-03-01 noon", "a time that cannot be read"),
        ("Mar 1 2024", "write 2024-03-01"),
        (True, "is not a day"),
    ],
)
def test_what_could_mean_another_day_is_refused_with_what_to_write(value: object, says: str):
    with pytest.raises(AmbiguousDate, match=says):
        parse_day(value)


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("d", [DAY, None]),
        pl.Series("d", [20240301, None]),
        pl.Series("d", [datetime(2024, 2, 29, 16, tzinfo=UTC), None], pl.Datetime("ns", "UTC")),
        pl.Series("d", ["2024/3/1", ""]),
    ],
)
def test_a_column_of_any_type_becomes_days(column: pl.Series):
    assert column.to_frame().select(days_expr("d", column.dtype))["d"].to_list() == [DAY, None]
