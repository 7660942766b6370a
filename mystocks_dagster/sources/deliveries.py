"""Who gave which rows of a table, and why the other sources did not."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass
class Delivery:
    """What one source gave of one table.

    Attributes:
        rows: The number of stored rows.
        days: The trading days of these rows, for a table by day.
    """

    rows: int = 0
    days: set[date] = field(default_factory=set)

    @property
    def text(self) -> str:
        """The numbers as text; empty if they are not known."""
        days = f"{len(self.days):,} {'day' if len(self.days) == 1 else 'days'}" if self.days else ""
        return ", ".join(filter(None, [days, f"{self.rows:,} rows" if self.rows else ""]))

    def to_json(self) -> dict[str, Any]:
        """Return the number of rows and of days, with the first and the last day."""
        span = {"first": f"{min(self.days)}", "last": f"{max(self.days)}"} if self.days else {}
        return {"rows": self.rows, "days": len(self.days), **span}


class Deliveries:
    """The record of one chained source, by table and source, in the order of the requests."""

    def __init__(self) -> None:
        """Begin with an empty record."""
        self._given: dict[str, dict[str, Delivery]] = {}
        self._failed: dict[str, dict[str, str]] = {}
        self._left_out: dict[str, str] = {}

    def gave(self, table: str, source: str, rows: int = 0, days: Collection[date] = ()) -> None:
        """Record rows of a source."""
        delivery = self._given.setdefault(table, {}).setdefault(source, Delivery())
        delivery.rows += rows
        delivery.days |= set(days)

    def failed(self, table: str, source: str, reason: str) -> None:
        """Record why a source did not give what it was asked for."""
        self._failed.setdefault(table, {})[source] = reason

    def left_out(self, source: str, reason: str) -> None:
        """Record why a source could not be asked for anything."""
        self._left_out[source] = reason

    def givers(self, table: str, day: date) -> list[str]:
        """Return the sources that gave rows of a day, in the order in which they were asked."""
        return [source for source, delivery in self._given.get(table, {}).items() if day in delivery.days]

    def failures(self, table: str) -> Mapping[str, str]:
        """Return the sources that did not give all that they were asked for, with the reasons."""
        return self._failed.get(table, {})

    def sentences(self) -> list[str]:
        """Return sentences for users: sources that were left out, failed ones, and tables of several sources."""
        sentences = [f"{source} was left out: {_sentence(why)}" for source, why in self._left_out.items()]
        for table in dict.fromkeys([*self._given, *self._failed]):
            given, failed = self._given.get(table, {}), self._failed.get(table, {})
            if len(given) > 1 or (given and failed):
                parts = [f"{source} ({text})" if (text := item.text) else source for source, item in given.items()]
                sentences.append(f"{table} came from {', '.join(parts)}.")
            sentences += [f"{source} did not give all of {table}: {_sentence(why)}" for source, why in failed.items()]
        return sentences

    def to_json(self) -> dict[str, Any]:
        """Return the record by table for a result's metadata: `gave` and `failed` (reasons)."""
        tables = dict.fromkeys([*self._given, *self._failed])
        return {
            table: {
                "gave": {source: item.to_json() for source, item in self._given.get(table, {}).items()},
                "failed": dict(self._failed.get(table, {})),
            }
            for table in tables
        }


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
