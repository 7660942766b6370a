"""An invented calendar of 2027 for tests: New Year, Spring Festival from its eve, and the fixed holidays are closed."""

from datetime import date, timedelta

CLOSED = frozenset(
    {
        date(2027, 1, 1),
        *(date(2027, 2, day) for day in (5, 8, 9, 10, 11, 12)),
        date(2027, 4, 5),
        date(2027, 5, 3),
        *(date(2027, 10, day) for day in (1, 4, 5, 6, 7)),
    }
)


def days_of_2027() -> list[date]:
    """Return the trading days, ascending."""
    span = (date(2027, 1, 1) + timedelta(days=number) for number in range(365))
    return [day for day in span if day.weekday() < 5 and day not in CLOSED]
