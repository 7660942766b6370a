"""Plans for loading missing trading days: one run per contiguous stretch and source, and what no source can give."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mystocks_dagster.sources.past import PastOffer


@dataclass(frozen=True, kw_only=True)
class Fill:
    """A stretch of days that one run of a task can load.

    Attributes:
        tables: The tables that lack rows of these days.
        days: Number of trading days.
        source: The source to load from.
        requests: Number of requests that the source needs at most; 0 if it needs no network.
        force: Whether some of the days count as loaded, so that the task is started with `force`.
    """

    task_id: str
    tables: tuple[str, ...]
    first: date
    last: date
    days: int
    source: str
    requests: int
    force: bool

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` shows it."""
        return {**vars(self), "tables": list(self.tables), "first": f"{self.first}", "last": f"{self.last}"}


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
    """How the missing days of some tables are loaded, and which are not."""

    fills: tuple[Fill, ...]
    not_fillable: tuple[NotFillable, ...]
    never_loaded: Mapping[str, str | None]

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` shows it."""
        return {
            "fills": [fill.to_json() for fill in self.fills],
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
    """Yield one fill for each stretch of consecutive days from one source."""
    by_day: dict[date, list[OpenDay]] = {}
    for item in sorted(items, key=lambda item: item.day):
        by_day.setdefault(item.day, []).append(item)
    for stretch in _stretches(list(by_day), position, lambda day: [(i.offer, i.force) for i in by_day[day]][:1]):
        parts = [item for day in stretch for item in by_day[day]]
        offer = parts[0].offer
        if offer is None:
            continue
        yield Fill(
            task_id=task_id,
            tables=tuple(sorted({item.table for item in parts})),
            first=stretch[0],
            last=stretch[-1],
            days=len(stretch),
            source=offer.source,
            requests=offer.cost(len(stretch)),
            force=any(item.force for item in parts),
        )


def not_fillable(items: Sequence[OpenDay], position: Mapping[date, int]) -> Iterator[NotFillable]:
    """Yield one entry for each stretch of consecutive days of a table with the same reason."""
    for table in sorted({item.table for item in items}):
        whys = {item.day: item.why for item in items if item.table == table}
        for stretch in _stretches(sorted(whys), position, lambda day, whys=whys: whys[day]):
            yield NotFillable(table=table, first=stretch[0], last=stretch[-1], days=len(stretch), why=whys[stretch[0]])


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
