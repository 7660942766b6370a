"""Plans for loading missing trading days: one run per contiguous stretch and source, and what is not loaded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Self

from mystocks_dagster.source_choice import source_names

if TYPE_CHECKING:
    from mystocks_dagster.sources.past import PastOffer


@dataclass(frozen=True, kw_only=True)
class Fill:
    """A stretch of days that one run of a task can load.

    Attributes:
        tables: The tables that lack rows of these days.
        sessions: The consecutive trading days, ascending.
        source: The source to load from.
        each: Number of requests that the source needs at most for each day; 0 if it needs no network.
        once: Number of requests that it needs however many days are loaded.
        force: Whether some of the days count as loaded, so that the task is started with `force`.
    """

    task_id: str
    tables: tuple[str, ...]
    sessions: tuple[date, ...]
    source: str
    each: int
    once: int
    force: bool

    @property
    def first(self) -> date:
        """The first day."""
        return self.sessions[0]

    @property
    def last(self) -> date:
        """The last day."""
        return self.sessions[-1]

    @property
    def days(self) -> int:
        """The number of days."""
        return len(self.sessions)

    @property
    def params(self) -> dict[str, Any]:
        """The parameters with which the task is started, as far as it takes them."""
        source = {"data_source": self.source} if self.source in source_names() else {}
        return {**source, **({"force": True} if self.force else {})}

    @property
    def requests(self) -> int:
        """The number of requests at most."""
        return self.once + self.each * len(self.sessions)

    def affordable(self, left: int | None) -> int:
        """Return how many of the days, the first ones, so many requests pay for; None is no limit."""
        if left is None or self.requests <= left:
            return len(self.sessions)
        return max(0, left - self.once) // self.each if self.each else 0

    def cut(self, count: int) -> tuple[Self | None, Self | None]:
        """Return the first `count` days and the others, each None if there are none."""
        parts = (self.sessions[:count], self.sessions[count:])
        first, rest = (replace(self, sessions=days) if days else None for days in parts)
        return first, rest

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` shows it."""
        return {
            "task_id": self.task_id,
            "tables": list(self.tables),
            "first": f"{self.first}",
            "last": f"{self.last}",
            "days": self.days,
            "source": self.source,
            "requests": self.requests,
            "force": self.force,
        }


@dataclass(frozen=True, kw_only=True)
class Postponed:
    """A stretch of days that is left for a later day, because its requests would exceed what a host allows a day."""

    fill: Fill
    why: str

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` shows it."""
        return {**self.fill.to_json(), "why": self.why}


@dataclass(frozen=True, kw_only=True)
class NotFillable:
    """A stretch of days of a table that no source can give, with the reason."""

    table: str
    first: date
    last: date
    days: int
    why: str

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` shows it."""
        return {**vars(self), "first": f"{self.first}", "last": f"{self.last}"}


@dataclass(frozen=True, kw_only=True)
class FillPlan:
    """How the missing days of some tables are loaded, and which are not, or not today."""

    fills: tuple[Fill, ...]
    postponed: tuple[Postponed, ...]
    not_fillable: tuple[NotFillable, ...]
    never_loaded: Mapping[str, str | None]

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` shows it."""
        return {
            "fills": [fill.to_json() for fill in self.fills],
            "postponed": [item.to_json() for item in self.postponed],
            "not_fillable": [item.to_json() for item in self.not_fillable],
            "never_loaded": dict(self.never_loaded),
        }


@dataclass(frozen=True)
class OpenDay:
    """A day of a table to load, with the offer, or the reason why there is none."""

    table: str
    day: date
    offer: "PastOffer | None"
    why: str
    force: bool


def fills(task_id: str, items: Sequence[OpenDay], position: Mapping[date, int]) -> Iterator[Fill]:
    """Yield one fill for each stretch of consecutive days from one source, the earliest first.

    The requests that a source needs once are those of the first stretch.
    """
    by_day: dict[tuple[str, date], list[OpenDay]] = {}
    for item in items:
        if item.offer is not None:
            by_day.setdefault((item.offer.source, item.day), []).append(item)
    for source in dict.fromkeys(source for source, _ in by_day):
        begun: set[str] = set()
        days = sorted(day for name, day in by_day if name == source)
        for stretch in _stretches(days, position, lambda day, name=source: _kind(by_day[name, day])):
            parts = by_day[source, stretch[0]]
            offers = {item.table: item.offer for item in parts if item.offer}
            yield Fill(
                task_id=task_id,
                tables=tuple(sorted(offers)),
                sessions=tuple(stretch),
                source=source,
                each=sum(offer.requests for offer in offers.values() if not offer.flat),
                once=sum(offer.requests for table, offer in offers.items() if offer.flat and table not in begun),
                force=any(item.force for item in parts),
            )
            begun |= offers.keys()


def not_fillable(items: Sequence[OpenDay], position: Mapping[date, int]) -> Iterator[NotFillable]:
    """Yield one entry for each stretch of consecutive days of a table with the same reason."""
    for table in sorted({item.table for item in items}):
        whys = {item.day: item.why for item in items if item.table == table}
        for stretch in _stretches(sorted(whys), position, lambda day, whys=whys: whys[day]):
            yield NotFillable(table=table, first=stretch[0], last=stretch[-1], days=len(stretch), why=whys[stretch[0]])


def _kind(items: Sequence[OpenDay]) -> tuple[Any, ...]:
    return tuple(sorted((item.table, item.offer is not None and item.offer.flat, item.force) for item in items))


def _stretches(days: Sequence[date], position: Mapping[date, int], kind: Any) -> Iterator[list[date]]:
    """Yield stretches of consecutive trading days of the same kind."""
    stretch: list[date] = []
    for day in days:
        if stretch and (position[day] != position[stretch[-1]] + 1 or kind(day) != kind(stretch[-1])):
            yield stretch
            stretch = []
        stretch.append(day)
    if stretch:
        yield stretch
