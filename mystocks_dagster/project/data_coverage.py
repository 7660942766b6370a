"""The coverage of the project's lake: which trading days are there, and how the others can be loaded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.market.publication import Publication
from mystocks_dagster.project.fill_budget import within
from mystocks_dagster.project.fill_plan import Fill, FillPlan, NotFillable, OpenDay, Postponed, fills, not_fillable
from mystocks_dagster.project.past_sources import offers_of
from mystocks_dagster.project.state import ProjectState

if TYPE_CHECKING:  # polars takes 0.4 s to import
    import polars as pl

    from mystocks_dagster.lake.coverage import Stretch
    from mystocks_dagster.lake.store import Lake


@dataclass(frozen=True, kw_only=True)
class CoverageReport:
    """The coverage of some tables.

    Attributes:
        frame: Table, date, status and more of each expected trading day; see `lake.coverage.coverage`.
        gaps: Stretches of days that are not complete.
        never_loaded: Tables without any loaded day, each with the task that loads it, if there is one.
        outdated: Computed tables whose inputs have changed since, see `lake.outdated`, with the `task` of each.
    """

    frame: "pl.DataFrame"
    gaps: "tuple[Stretch, ...]"
    never_loaded: Mapping[str, str | None]
    outdated: "pl.DataFrame"

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
            "outdated": [
                {name: f"{value}" if isinstance(value, date) else value for name, value in row.items()}
                for row in self.outdated.iter_rows(named=True)
            ],
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
        """Return the coverage of tables that are loaded by trading day, and which computed tables are outdated.

        Args:
            tables: Their names; empty means all that are stored or that a task of the file loads, and all computed
                ones.
            start: First day; None is each table's first loaded day.
            end: Last day; None is today.

        Raises:
            UnknownName: A table does not exist, or is neither loaded by trading day nor computed.
            InvalidParams: The first day is after the last one.
            LakeError: The lake cannot be read.
        """
        from mystocks_dagster.lake import coverage
        from mystocks_dagster.lake.outdated import all_outdated, computed_tables

        if start and end and start > end:
            raise InvalidParams(f"The first day, {start}, is after the last one, {end}.")
        computed = [name for name in computed_tables() if not tables or name in tables]
        names = tuple(name for name in tables if name not in computed) if tables else coverage.datasets()
        frame = coverage.coverage(self._lake, names, start=start, end=end, published=self._published)
        never = coverage.never_loaded(self._lake, frame, names)
        if not tables:  # a table that no task of this file loads is not expected
            never = [name for name in never if name in self._owners]
        owners = {name: self._owners.get(name) for name in never}
        return CoverageReport(
            frame=frame,
            gaps=tuple(coverage.gaps(frame)),
            never_loaded=owners,
            outdated=self._with_tasks(all_outdated(self._lake, computed)),
        )

    def _with_tasks(self, outdated: "pl.DataFrame") -> "pl.DataFrame":
        import polars as pl

        tasks = pl.Series("task", [self._owners.get(name) for name in outdated["table"]], dtype=pl.String)
        return outdated.with_columns(tasks)

    def plan(
        self,
        tables: Sequence[str] = (),
        *,
        start: date | None = None,
        end: date | None = None,
        source: str | None = None,
        requests: int | None = None,
    ) -> FillPlan:
        """Return how the days that are missing, partial or quarantined are loaded from the cheapest source.

        What would send more requests to a host than a backfill may send a day is postponed.

        Args:
            tables: As in `report`.
            start: First day.
            end: Last day.
            source: The only source to use; None means those that the table's task names, then all others in the order
                of preference.
            requests: Requests of a day to each host in place of what it allows.

        Raises:
            UnknownName, LakeError: As in `report`.
            InvalidParams: `requests` is negative.
        """
        from mystocks_dagster.sources.budgets import Budgets

        budgets = Budgets(self._state.settings, requests)
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
        possible, postponed = within(planned, budgets)
        return FillPlan(
            fills=tuple(possible),
            postponed=tuple(postponed),
            not_fillable=tuple(rest),
            never_loaded=report.never_loaded,
        )

    def today(self, fill: Fill, requests: int | None = None) -> tuple[Fill | None, Postponed | None]:
        """Return what of a planned fill is still possible today, and what is not: runs before it have sent requests."""
        from mystocks_dagster.sources.budgets import Budgets

        possible, postponed = within([fill], Budgets(self._state.settings, requests))
        return next(iter(possible), None), next(iter(postponed), None)

    def _open_days(self, frame: "pl.DataFrame", table: str, source: str | None) -> Iterator[OpenDay]:
        import polars as pl

        from mystocks_dagster.lake.coverage import OPEN
        from mystocks_dagster.market.calendar import shanghai

        known_until = shanghai().last
        rows = frame.filter(pl.col("table") == table, pl.col("status").is_in(list(OPEN)))
        owner = self._owners.get(table)
        offers = offers_of(table, owner, self._state, self._lake, source) if owner and rows.height else None
        for row in rows.iter_rows(named=True):
            day, tried = row["date"], [row["source"]] if row["exhausted"] else []
            if offers is None:
                yield OpenDay(table, day, None, "no task of tasks.yaml loads this table", force=False)
                continue
            if day > known_until:  # no partition of Dagster, and perhaps no trading day
                why = f"the trading calendar ends on {known_until}; extend it: mystocks calendar --refresh"
                yield OpenDay(table, day, None, why, force=False)
                continue
            offer = offers.cheapest(day, rows.height, tried)
            yield OpenDay(table, day, offer, "" if offer else offers.why_not(day, tried), force=row["exhausted"])
