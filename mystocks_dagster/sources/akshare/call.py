"""An akshare function and the columns that are expected of it."""

from dataclasses import dataclass
from typing import Literal

#: `lots` are hundreds of shares, converted to shares; `shares` are a text with commas. Numbers may be missing (a
#: suspended stock shows "-"). Full-width letters of names are converted to half-width.
Kind = Literal["code", "name", "text", "number", "lots", "shares", "day"]


@dataclass(frozen=True)
class Field:
    """A column: akshare's label, our name, its kind, and the upstream's key if it is known."""

    label: str
    name: str
    kind: Kind = "number"
    key: str | None = None


@dataclass(frozen=True)
class Call:
    """An akshare function and its expected columns.

    Attributes:
        function: The name of the function.
        fields: The columns that are used.
        unused: Labels of the columns that are not used.
        keys: The upstream's keys in order, up to the last one used; empty if akshare reads columns by name.
        by_code: The list is read in order of codes, which does not change while it is read: no row may be missing.
    """

    function: str
    fields: tuple[Field, ...]
    unused: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    by_code: bool = False

    @property
    def known(self) -> frozenset[str]:
        """The labels of all expected columns."""
        return frozenset((*self.unused, *(field.label for field in self.fields)))
