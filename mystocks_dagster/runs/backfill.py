"""Backfills: loads of past trading days of a task's tables, as partitions of Dagster."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

import dagster as dg

from mystocks_dagster.dagster_internals import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)
from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.lake.loads import complete_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.publication import Publication
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.runs import launch
from mystocks_dagster.tags import ASSET_JOB, Tag, asset_op_name


@dataclass(frozen=True, kw_only=True)
class Backfill:
    """The plan of a backfill.

    Attributes:
        tables: Tables of the task with daily partitions.
        spans: First and last day of each run, ascending; it loads every trading day between them.
        days: Number of trading days to load.
        present: Number of trading days of the range that are loaded already and left out.
    """

    task_id: str
    tables: tuple[str, ...]
    spans: tuple[tuple[date, date], ...]
    days: int
    present: int

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` shows it."""
        return {
            "task_id": self.task_id,
            "tables": list(self.tables),
            "spans": [[first.isoformat(), last.isoformat()] for first, last in self.spans],
            "days": self.days,
            "present": self.present,
        }


class Planner:
    """Plans backfills of one task, and creates their runs."""

    def __init__(
        self,
        instance: dg.DagsterInstance,
        repository: launch.Repository,
        task_id: str,
        name: str,
        published: Mapping[str, Publication],
        lake: Lake,
    ) -> None:
        """Find the tables of the task.

        Args:
            instance: Dagster's instance.
            repository: Definitions of the project.
            task_id: The task.
            name: Its name in Dagster.
            published: When tables are published, where it is not as they declare.
            lake: The lake, whose complete days are left out.

        Raises:
            InvalidParams: The task has no table with daily partitions.
        """
        self.instance, self.repository, self.task_id, self.step = instance, repository, task_id, asset_op_name(name)
        self._published, self._lake = published, lake
        assets_by_key = self.repository.definition.assets_defs_by_key.items()
        self.keys = frozenset(
            key for key, assets in assets_by_key if assets.partitions_def and assets.node_def.name == self.step
        )
        if not self.keys:
            raise InvalidParams(
                f"{task_id} has no table with daily partitions, so it cannot be backfilled. Run it with: "
                f"mystocks run {task_id}"
            )

    def plan(self, start: date, end: date, *, again: bool) -> Backfill:
        """Return the plan for the days from `start` to `end`.

        Args:
            start: First day.
            end: Last day, inclusive.
            again: Whether loaded days are loaded again.

        Raises:
            InvalidParams: The range is empty, or reaches into the future.
            OutsideCalendar: The range is not within the published calendar.
        """
        sessions = shanghai().sessions(start, end)
        newest, published = self._newest()
        if sessions and sessions[-1] > newest:
            raise InvalidParams(
                f"{sessions[-1]} has no data yet: it is published at {published.moment(sessions[-1]):%Y-%m-%d %H:%M}. "
                f"The newest trading day with data is {newest}."
            )
        if not sessions:
            raise InvalidParams(f"There is no trading day from {start} to {end}.")
        present: set[date] = set() if again else set.intersection(*map(self._loaded_days, self._by_day))
        missing = [day for day in sessions if day not in present]
        return Backfill(
            task_id=self.task_id,
            tables=tuple(sorted(key.to_user_string() for key in self.keys)),
            spans=tuple(_spans(sessions, missing)),
            days=len(missing),
            present=len(sessions) - len(missing),
        )

    def create(self, span: tuple[date, date], config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """Create the run of a span without starting it; return its id."""
        first, last = (day.isoformat() for day in span)
        days = (
            {ASSET_PARTITION_RANGE_START_TAG: first, ASSET_PARTITION_RANGE_END_TAG: last}
            if first != last
            else {PARTITION_NAME_TAG: first}
        )
        run_config = {"ops": {self.step: {"config": dict(config)}}} if config else {}
        tags = {Tag.TASK_ID: self.task_id, **days, **tags}
        return launch.create_run(self.instance, self.repository, ASSET_JOB, run_config, tags, assets=self.keys)

    def takes(self, param: str) -> bool:
        """Whether the task has a parameter of that name."""
        assets = next(self.repository.definition.assets_defs_by_key[key] for key in self.keys)
        return param in getattr(assets.node_def.config_schema.config_type, "fields", {})

    @property
    def _by_day(self) -> list[dg.AssetKey]:
        """Tables with daily rows; other tables of the task have the same partitions in Dagster."""
        return [key for key in self.keys if TABLES[key.to_user_string()].by_day]

    def _newest(self) -> tuple[date, Publication]:
        """Return the newest day that is published of at least one table, and when that table is published."""
        names = [key.to_user_string() for key in self._by_day]
        publications = [self._published.get(name, TABLES[name].available_after) for name in names]
        return max(((each.newest(now()), each) for each in publications), key=lambda pair: pair[0])

    def _loaded_days(self, key: dg.AssetKey) -> set[date]:
        """Return the complete days of the lake: what Dagster has noted may be of another one, such as the demo's."""
        return set(complete_days(self._lake, key.to_user_string()))


def _spans(sessions: Sequence[date], missing: Sequence[date]) -> Iterator[tuple[date, date]]:
    """Yield the first and last day of each uninterrupted stretch of missing trading days."""
    position = {day: number for number, day in enumerate(sessions)}
    for _, stretch in groupby(enumerate(missing), lambda item: position[item[1]] - item[0]):
        days = [day for _, day in stretch]
        yield days[0], days[-1]
