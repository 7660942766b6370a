"""Loading past trading days of a task's tables: Dagster's partitions, asked for by dates."""

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
from mystocks_dagster.market.calendar import DATA_READY, shanghai
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.runs import launch
from mystocks_dagster.tags import ASSET_JOB, Tag, asset_op_name


@dataclass(frozen=True, kw_only=True)
class Backfill:
    """What a backfill will do.

    Attributes:
        tables: The tables that the task keeps by trading day.
        spans: First and last day of each run, ascending; between them every trading day is loaded.
        days: How many trading days these are.
        present: Trading days of the range that are loaded already, and are left out.
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
    """Plans backfills of one task, and writes their runs."""

    def __init__(self, instance: dg.DagsterInstance, repository: launch.Repository, task_id: str, name: str) -> None:
        """Find the tables.

        Args:
            instance: The project's.
            repository: Its definitions.
            task_id: The task.
            name: Its name in Dagster.

        Raises:
            InvalidParams: The task keeps no table by trading day.
        """
        self.instance, self.repository, self.task_id, self.step = instance, repository, task_id, asset_op_name(name)
        found = self.repository.definition.assets_defs_by_key.items()
        self.keys = frozenset(
            key for key, assets in found if assets.partitions_def and assets.node_def.name == self.step
        )
        if not self.keys:
            raise InvalidParams(
                f"{task_id} keeps no table by trading day, so there are no days to fill; run it: mystocks run {task_id}"
            )

    def plan(self, start: date, end: date, *, again: bool) -> Backfill:
        """Return what is to be loaded from `start` to `end`, both included.

        Args:
            start: The first day.
            end: The last day.
            again: Also what is loaded already.

        Raises:
            InvalidParams: The range is empty, or reaches into the future.
            OutsideCalendar: The range reaches beyond the published calendar: nothing is guessed about the past.
        """
        sessions = shanghai().sessions(start, end)
        newest = shanghai().probable_latest_closed(now(), DATA_READY)[0]
        if sessions and sessions[-1] > newest:
            raise InvalidParams(f"{sessions[-1]} has no data yet; the newest trading day that has is {newest}.")
        if not sessions:
            raise InvalidParams(f"There is no trading day from {start} to {end}.")
        present: set[date] = set() if again else set.intersection(*map(self._loaded_days, self._by_day))
        wanted = [day for day in sessions if day not in present]
        return Backfill(
            task_id=self.task_id,
            tables=tuple(sorted(key.to_user_string() for key in self.keys)),
            spans=tuple(_spans(sessions, wanted)),
            days=len(wanted),
            present=len(sessions) - len(wanted),
        )

    def create(self, span: tuple[date, date], config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """Write the run of one span and return its id; nothing starts yet."""
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
        """Say whether the task has a parameter of that name."""
        assets = next(self.repository.definition.assets_defs_by_key[key] for key in self.keys)
        return param in getattr(assets.node_def.config_schema.config_type, "fields", {})

    @property
    def _by_day(self) -> list[dg.AssetKey]:
        """The tables whose rows are of one day each; Dagster wants those beside them partitioned alike."""
        return [key for key in self.keys if TABLES[key.to_user_string()].by_day]

    def _loaded_days(self, key: dg.AssetKey) -> set[date]:
        return {date.fromisoformat(day) for day in self.instance.get_materialized_partitions(key)}


def _spans(sessions: Sequence[date], wanted: Sequence[date]) -> Iterator[tuple[date, date]]:
    """Yield first and last of each stretch of trading days that are all wanted."""
    place = {day: number for number, day in enumerate(sessions)}
    for _, stretch in groupby(enumerate(wanted), lambda item: place[item[1]] - item[0]):
        days = [day for _, day in stretch]
        yield days[0], days[-1]
