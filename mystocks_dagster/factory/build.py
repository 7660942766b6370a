"""From a task file to Dagster definitions."""

from collections.abc import Iterable, Mapping

import dagster as dg

from mystocks_dagster.factory.assets import build_asset
from mystocks_dagster.factory.jobs import build_group_job, build_task_job
from mystocks_dagster.factory.ops import build_op
from mystocks_dagster.factory.schedules import build_schedule
from mystocks_dagster.factory.spec import TaskSpec
from mystocks_dagster.market.schemas import TABLES
from mystocks_dagster.taskfile.model import Group


def build_definitions(specs: Mapping[str, TaskSpec], groups: Iterable[Group], version: str, notice: str | None = None) -> dg.Definitions:
    """Return everything that Dagster serves for these tasks: ops, assets, jobs and schedules.

    Args:
        specs: Task id to task, in the order of the file.
        groups: Groups whose tasks are all in `specs`.
        version: Hash of the task file.
        notice: A sentence put in front of each asset's description, such as "this market is simulated".
    """
    groups = tuple(groups)
    ops = {task_id: build_op(spec) for task_id, spec in specs.items()}
    return dg.Definitions(
        assets=[*(build_asset(spec, notice) for spec in specs.values() if spec.owned), *_unowned(specs)],
        jobs=[
            *(build_task_job(spec, specs, ops) for spec in specs.values()),
            *(build_group_job(group, specs, ops, version) for group in groups),
        ],
        schedules=[*_task_schedules(specs), *_group_schedules(groups)],
        executor=dg.in_process_executor,
    )


def _unowned(specs: Mapping[str, TaskSpec]) -> list[dg.AssetSpec]:
    """Return the tables that tasks touch and no task of this file keeps, so that the catalog explains them."""
    owned = {key for spec in specs.values() for key in spec.owned}
    touched = {key for spec in specs.values() for key in (*spec.reads, *spec.reported)}
    return [
        dg.AssetSpec(key, description=f"{TABLES[key].title}: one row is {TABLES[key].grain}. No task of this file owns it.")
        for key in sorted(touched - owned)
        if key in TABLES
    ]


def _task_schedules(specs: Mapping[str, TaskSpec]) -> Iterable[dg.ScheduleDefinition]:
    for spec in specs.values():
        schedule = spec.task.schedule
        if schedule and schedule.schedule_type == "cron":
            yield build_schedule(spec.name, spec.task.task_name, schedule, active=True)


def _group_schedules(groups: Iterable[Group]) -> Iterable[dg.ScheduleDefinition]:
    for group in groups:
        if group.schedule and group.schedule.schedule_type == "cron":
            yield build_schedule(group.dagster_name, group.group_name, group.schedule, active=group.enabled)
