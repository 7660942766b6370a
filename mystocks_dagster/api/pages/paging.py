"""Long lists as pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from fastapi import Request

Row = TypeVar("Row")
#: Rows of one page.
SIZE = 50


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of a list; `total` is None where counting all would take long.

    Attributes:
        number: From 1.
        more: Whether a next page exists.
        total: Number of rows of all pages.
    """

    number: int
    more: bool
    total: int | None = None

    @property
    def count(self) -> int:
        """Number of pages, if the total is known; else that of the pages known to exist."""
        return self.number + self.more if self.total is None else max(1, -(-self.total // SIZE))


def number_of(request: Request) -> int:
    """Return the page that the address names; the first one for anything that is no page's number."""
    text = request.query_params.get("page", "")
    return max(1, int(text)) if text.isascii() and text.isdecimal() and len(text) < 7 else 1


def cut(rows: Sequence[Row], number: int) -> tuple[Sequence[Row], Page]:
    """Return the rows of a page; of the last page if there are fewer."""
    number = min(number, max(1, -(-len(rows) // SIZE)))
    start = (number - 1) * SIZE
    return rows[start : start + SIZE], Page(number=number, more=len(rows) > start + SIZE, total=len(rows))
