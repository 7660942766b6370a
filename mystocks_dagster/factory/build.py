"""Build the Dagster definitions of the task files of a code location."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import dagster as dg

from mystocks_dagster.alerts.engine import AlertEngine
from mystocks_dagster.factory.alerting import alert_sensors, channel_assets, channel_checks
from mystocks_dagster.factory.assets import build_asset, unowned_spec
from mystocks_dagster.factory.broken import build_broken_jobs
from mystocks_dagster.factory.checks import build_table_checks
from mystocks_dagster.factory.freshness import FreshnessWatch
from mystocks_dagster.factory.intervals import build_intervals, build_switch
from mystocks_dagster.factory.jobs import build_group_job, build_task_job
from mystocks_dagster.factory.loaded_file import LoadedFile
from mystocks_dagster.factory.ops import build_op
from mystocks_dagster.factory.scheduled import ScheduledJob, scheduled_jobs
from mystocks_dagster.factory.schedules import build_schedule
from mystocks_dagster.factory.sensors import build_once
from mystocks_dagster.factory.spec import TaskSpec, specs_of_lake
from mystocks_dagster.factory.supervisors import build_stopper, build_supervisor
from mystocks_dagster.factory.system import (
    build_system_sensor,
    calendar_asset,
    calendar_check,
    file_asset,
    file_check,
)
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.tags import Metadata
from mystocks_dagster.taskfile.reader import Version


@dataclass(frozen=True, kw_only=True)
class CodeLocation:
    """The task files of one code location, with the definitions of each and those that they share.

    Attributes:
        files: At least one; task ids are unique among them.
    """

    files: tuple[LoadedFile, ...]

    @cached_property
    def specs(self) -> dict[str, TaskSpec]:
        """Specs of all files by task id; files of one lake share the owners and locks of its tables."""
        lakes: dict[tuple[str, ...], list[LoadedFile]] = {}
        for file in self.files:
            lakes.setdefault(file.prefix, []).append(file)
        return {task_id: spec for files in lakes.values() for task_id, spec in specs_of_lake(files).items()}

    @cached_property
    def jobs(self) -> dict[str, dg.JobDefinition]:
        """Jobs of all files by name."""
        ops = {task_id: build_op(spec) for task_id, spec in self.specs.items()}
        jobs = {spec.name: build_task_job(spec, self.specs, ops) for spec in self.specs.values()}
        groups = [group for file in self.files for group in file.version.taskfile.task_groups]
        return jobs | {group.dagster_name: build_group_job(group, self.specs, ops) for group in groups}

    def definitions_of(self, file: LoadedFile) -> dg.Definitions:
        """Return the definitions of one file: its assets, checks, jobs, schedules and sensors."""
        version = file.version
        specs = {task.task_id: self.specs[task.task_id] for task in version.taskfile.tasks}
        timed = _by_type(scheduled_jobs(specs.values(), version.taskfile.task_groups))
        names = [entry.dagster_name for entry in version.taskfile.by_id().values()]
        names = [name for name in names if name not in self._shared_jobs]
        return dg.Definitions(
            assets=[
                *(build_asset(spec) for spec in specs.values() if spec.owned),
                *self._unowned(file),
                file_asset(file),
            ],
            asset_checks=[*build_table_checks(self._touched(file), file), file_check(file)],
            jobs=[*(self.jobs[name] for name in names), *build_broken_jobs(version)],
            schedules=[build_schedule(scheduled) for scheduled in timed["cron"]],
            sensors=[
                *(build_once(scheduled) for scheduled in timed["once"]),
                *(build_switch(scheduled) for scheduled in timed["interval"]),
                *(build_supervisor(spec) for spec in specs.values() if spec.task.task_type == "supervisor"),
            ],
            metadata={
                "/".join(filter(None, (Metadata.TASKFILE, file.name))): version.hash,
                "/".join(filter(None, (Metadata.SOURCE, file.name))): str(version.source),
            },
        )

    def shared_definitions(self, reload: Callable[[], None] | None = None) -> dg.Definitions:
        """Return the definitions that all files share: sensors of all tasks, the trading calendar and the alerts.

        Args:
            reload: Reloads the definitions in the servers.
        """
        version, timed = self.version, _by_type(scheduled_jobs(self.specs.values(), self.version.taskfile.task_groups))
        engine = AlertEngine.of(version, self._lead.prefix)
        return dg.Definitions(
            assets=[calendar_asset(), *channel_assets(engine)],
            asset_checks=[calendar_check(), *channel_checks(engine)],
            jobs=[self.jobs[name] for name in self._shared_jobs],
            sensors=[
                *build_intervals(timed["interval"], self.jobs),
                build_stopper(self.specs, version.broken),
                build_system_sensor(self.files, reload, [FreshnessWatch(file).due for file in self.files]),
                *alert_sensors([file.version for file in self.files], engine),
            ],
        )

    @cached_property
    def _shared_jobs(self) -> frozenset[str]:
        """Names of the jobs with intervals in all files but the first.

        They must be in the same definitions as the sensor that starts them: Dagster copies the jobs of a component, and
        a sensor of another component would not refer to the copies.
        """
        others = self.files[1:]
        specs = (spec for spec in self.specs.values() if spec.file in others)
        groups = (group for file in others for group in file.version.taskfile.task_groups)
        return frozenset(scheduled.job for scheduled in _by_type(scheduled_jobs(specs, groups))["interval"])

    @cached_property
    def version(self) -> Version:
        """All files merged into one version, with the alerts of the file that has them."""
        lead, versions = self._lead, [file.version for file in self.files]
        if len(versions) == 1:
            return lead.version
        tasks = tuple(task for version in versions for task in version.taskfile.tasks)
        groups = tuple(group for version in versions for group in version.taskfile.task_groups)
        same_lake = [file.version for file in self.files if file.prefix == lead.prefix]
        return replace(
            lead.version,
            taskfile=lead.version.taskfile.model_copy(update={"tasks": tasks, "task_groups": groups}),
            broken={label: problems for version in versions for label, problems in version.broken.items()},
            writes={task_id: tables for version in same_lake for task_id, tables in version.writes.items()},
        )

    @property
    def _lead(self) -> LoadedFile:
        """The file whose `alerts` apply to the location."""
        return next((file for file in self.files if "alerts" in file.version.document.head), self.files[0])

    def _unowned(self, file: LoadedFile) -> list[dg.AssetSpec]:
        """Return the asset specs of tables that tasks use and no task of the lake's files owns."""
        owned = {key for spec in self.specs.values() if spec.file.prefix == file.prefix for key in spec.owned}
        return [
            unowned_spec(TABLES[table], file) for table in self._touched(file) if table in TABLES and table not in owned
        ]

    def _touched(self, file: LoadedFile) -> list[str]:
        """Return the asset keys that the tasks of a lake own, write or read; only for the first file of the lake."""
        if file is not next(other for other in self.files if other.prefix == file.prefix):
            return []
        specs = (spec for spec in self.specs.values() if spec.file.prefix == file.prefix)
        return sorted({key for spec in specs for key in (*spec.owned, *spec.reported, *spec.reads)})


def build_definitions(
    version: Version,
    notice: str | None = None,
    reload: Callable[[], None] | None = None,
    first_days: Mapping[str, date] | None = None,
) -> dg.Definitions:
    """Return all definitions of one task file: ops, assets, jobs, schedules and sensors.

    Args:
        version: The file, with its functions resolved.
        notice: A sentence for each asset's description, such as "this market is simulated".
        reload: Reloads the definitions in the servers.
        first_days: First stored day of each table.
    """
    location = CodeLocation(files=(LoadedFile(version=version, notice=notice, first_days=first_days or {}),))
    return dg.Definitions.merge(
        location.definitions_of(location.files[0]),
        location.shared_definitions(reload),
        dg.Definitions(executor=dg.in_process_executor),
    )


def _by_type(jobs: Iterator[ScheduledJob]) -> Mapping[str, list[ScheduledJob]]:
    by_type: dict[str, list[ScheduledJob]] = {"cron": [], "interval": [], "once": []}
    for scheduled in jobs:
        by_type[scheduled.schedule.schedule_type].append(scheduled)
    return by_type
