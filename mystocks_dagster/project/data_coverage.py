"""The coverage of the project's lake: which trading days are there, and how the others can be loaded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mystocks_dagster.market.publication import Publication
from mystocks_dagster.project.fill_plan import Fill, FillPlan, NotFillable, OpenDay, fills, not_fillable
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.taskfile.model import Task

if TYPE_CHECKING:  # polars takes 0.4 s to import
    import polars as pl

    from mystocks_dagster.lake.coverage import Stretch
    from mystocks_dagster.lake.store import Lake
    from mystocks_dagster.sources.past import PastOffers


@dataclass(frozen=True, kw_only=True)
class CoverageReport:
    """The coverage of some tables.

    Attributes:
        frame: Table, date, status and more of each expected trading day; see `lake.coverage.coverage`.
        gaps: Stretches of days that are not complete.
        never_loaded: Tables without any loaded day, each with the task that loads it, if there is one.
    """

    frame: "pl.DataFrame"
    gaps: "tuple[Stretch, ...]"
    never_loaded: Mapping[str, str | None]

    def to_json(self) -> dict[str, Any]:
        """Return it for a heat map: days, and per table one letter a day, with the gaps as a list."""
        from mystocks_dagster.lake.coverage import LETTERS, heat_map

        days, tables = heat_map(self.frame)
        counts = self.frame.group_by("table", "status").len().sort("table", "status").rows()
        return {
            "days": [day.isoformat() for day in days],
            "letters": {**LETTERS, ".": "not_expected"},
            "tables": tables,
            "counts": {name: {status: n for table, status, n in counts if table == name} for name in tables},
            "gaps": [{**vars(gap), "first": gap.first.isoformat(), "last": gap.last.isoformat()} for gap in self.gaps],
            "never_loaded": dict(self.never_loaded),
        }


class DataCoverage:
    """Coverage of the project's lake, and plans for what is missing."""

    def __init__(self, state: ProjectState) -> None:
        self._state = state

    @cached_property
    def _lake(self) -> "Lake":
        from mystocks_dagster.lake.store import Lake

        return Lake(self._state.settings.lake)

    @property
    def _owners(self) -> Mapping[str, str]:
        return self._state.version.owners

    @property
    def _published(self) -> Mapping[str, Publication]:
        return self._state.version.published

    def report(
        self, tables: Sequence[str] = (), *, start: date | None = None, end: date | None = None
    ) -> CoverageReport:
        """Return the coverage of tables that are loaded by trading day.

        Args:
            tables: Their names; empty means all that are stored or that a task of the file loads.
            start: First day; None is each table's first loaded day.
            end: Last day; None is today.

        Raises:
            UnknownName: A table does not exist, or is not loaded by trading day.
            LakeError: The lake cannot be read.
        """
        from mystocks_dagster.lake import coverage

        names = tuple(tables) or coverage.datasets()
        frame = coverage.coverage(self._lake, names, start=start, end=end, published=self._published)
        never = coverage.never_loaded(frame, names)
        if not tables:  # a table that no task of this file loads is not expected
            never = [name for name in never if name in self._owners]
        owners = {name: self._owners.get(name) for name in never}
        return CoverageReport(frame=frame, gaps=tuple(coverage.gaps(frame)), never_loaded=owners)

    def plan(
        self,
        tables: Sequence[str] = (),
        *,
        start: date | None = None,
        end: date | None = None,
        source: str | None = None,
    ) -> FillPlan:
        """Return how the days that are missing, partial or quarantined are loaded from the cheapest source.

        Args:
            tables: As in `report`.
            start: First day.
            end: Last day.
            source: The only source to use; None means those that the table's task names, then all others.

        Raises:
            UnknownName, LakeError: As in `report`.
        """
        report = self.report(tables, start=start, end=end)
        planned: list[Fill] = []
        rest: list[NotFillable] = []
        by_task: dict[str, list[OpenDay]] = {}
        for table in report.frame["table"].unique(maintain_order=True):
            for item in self._open_days(report.frame, table, source):
                by_task.setdefault(self._owners.get(table, "") if item.offer else "", []).append(item)
        sessions = report.frame["date"].unique().sort().to_list()
        position = {day: number for number, day in enumerate(sessions)}
        for task_id, items in by_task.items():
            if task_id:
                planned += fills(task_id, items, position)
            else:
                rest += not_fillable(items, position)
        return FillPlan(fills=tuple(planned), not_fillable=tuple(rest), never_loaded=report.never_loaded)

    def _open_days(self, frame: "pl.DataFrame", table: str, source: str | None) -> Iterator[OpenDay]:
        import polars as pl

        from mystocks_dagster.lake.coverage import OPEN

        rows = frame.filter(pl.col("table") == table, pl.col("status").is_in(list(OPEN)))
        offers = self._offers(table, source) if rows.height else None
        owner = self._owners.get(table)
        for row in rows.iter_rows(named=True):
            day, tried = row["date"], [row["source"]] if row["exhausted"] else []
            if offers is None or owner is None:
                yield OpenDay(table, day, None, "no task of tasks.yaml loads this table", force=False)
                continue
            offer = offers.cheapest(day, rows.height, tried)
            yield OpenDay(table, day, offer, "" if offer else offers.why_not(day, tried), force=row["exhausted"])

    def _offers(self, table: str, source: str | None) -> "PastOffers | None":
        from mystocks_dagster.market.clock import now
        from mystocks_dagster.market.tables import TABLES
        from mystocks_dagster.sources.past import past_offers

        owner = self._owners.get(table)
        if owner is None:
            return None
        settings = self._state.settings
        newest = self._published.get(table, TABLES[table].available_after).newest(now())
        only = source or settings.source
        named = [only] if only else self._named(owner)
        offers = past_offers(table, named, newest, settings, self._lake.stored_world())
        if only or not named:
            return offers
        others = past_offers(table, [], newest, settings, self._lake.stored_world())
        return _joined(offers, others)

    def _named(self, task_id: str) -> list[str]:
        task = self._state.taskfile.by_id()[task_id]
        named = task.params.get("data_source") if isinstance(task, Task) else None
        names = named if isinstance(named, list | tuple) else [named]
        return [str(name) for name in names if name]


def _joined(first: "PastOffers", others: "PastOffers") -> "PastOffers":
    from mystocks_dagster.sources.past import PastOffers

    offers = tuple(dict.fromkeys((*first.offers, *others.offers)))
    return PastOffers(offers=offers, reasons=tuple(dict.fromkeys((*first.reasons, *others.reasons))))
