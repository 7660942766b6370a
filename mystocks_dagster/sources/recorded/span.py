"""Which days the rows of an archive's file are of."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Span:
    """The days of a file; a stray is a day before the exchanges opened, or one that has not come yet.

    Attributes:
        first: First day that is no stray; None when all are.
        last: Last day that is no stray; None when all are.
        earliest: First day, strays included.
        latest: Last day, strays included.
    """

    first: date | None
    last: date | None
    earliest: date
    latest: date
