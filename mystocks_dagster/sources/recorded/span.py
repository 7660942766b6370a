"""The range of days of an archive file."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Span:
    """The range of days of a file. An invalid day is before the exchanges opened, or in the future.

    Attributes:
        first: First valid day, or None.
        last: Last valid day, or None.
        earliest: First day, valid or not.
        latest: Last day, valid or not.
    """

    first: date | None
    last: date | None
    earliest: date
    latest: date
