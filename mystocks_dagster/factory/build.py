"""From a task file to Dagster definitions."""

from collections.abc import Callable, Mapping

import dagster as dg

from mystocks_dagster.alerts.engine import AlertEngine
from mystocks_dagster.factory.alerting import alert_sensors, channel_assets, channel_checks
from mystocks_dagster.factory.assets import build_asset
from mystocks_dagster.factory.broken import build_broken_jobs
from mystocks_dagster.factory.checks import build_table_checks
from mystocks_dagster.factory.intervals import build_intervals, build_switch
from mystocks_dagster.factory.jobs import build_group_job, build_task_job
from mystocks_dagster.factory.ops import build_op
from mystocks_dagster.factory.scheduled import ScheduledJob, scheduled_jobs
from mystocks_dagster.factory.schedules import build_schedule
from mystocks_dagster.factory.sensors import build_once
from mystocks_dagster.factory.spec import TaskSpec, build_specs
from mystocks_dagster.factory.supervisors import build_stopper, build_supervisor
from mystocks_dagster.factory.system import build_system_sensor, system_assets, system_checks
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.tags import Metadata
from mystocks_dagster.taskfile.reader import Version


def build_definitions(
    version: Version, notice: str | None = None, reload: Callable[[], None] | None = None
) -> dg.Definitions:
    """Return everything that Dagster serves for a task file: ops, assets, jobs, schedules and sensors.

    Args:
        version: The file, read, with its functions resolved.
        notice: A sentence put in front of each asset's description, such as "this market is simulated".
        reload: Makes the servers build the definitions again.
    """
    specs = build_specs(version)
    groups = version.taskfile.task_groups
    ops = {task_id: build_op(spec) for task_id, spec in specs.items()}
    jobs = {spec.name: build_task_job(spec, specs, ops) for spec in specs.values()}
    jobs |= {group.dagster_name: build_group_job(group, specs, ops) for group in groups}
    by_type: dict[str, list[ScheduledJob]] = {"cron": [], "interval": [], "once": []}
    for one in scheduled_jobs(specs.values(), groups):
        by_type[one.schedule.schedule_type].append(one)
    office = AlertEngine.of(version)
    return dg.Definitions(
        assets=[
            *(build_asset(spec, notice) for spec in specs.values() if spec.owned),
            *_unowned(specs, notice),
            *system_assets(version),
            *channel_assets(office),
        ],
        asset_checks=[
            *build_table_checks(_touched(specs)),
            *system_checks(version),
            *channel_checks(office),
        ],
        jobs=[*jobs.values(), *build_broken_jobs(version)],
        schedules=[build_schedule(one) for one in by_type["cron"]],
        sensors=[
            *(build_once(one) for one in by_type["once"]),
            *(build_switch(one) for one in by_type["interval"]),
            *build_intervals(by_type["interval"], jobs),
            *(build_supervisor(spec) for spec in specs.values() if spec.task.task_type == "supervisor"),
            build_stopper(specs, version.broken),
            build_system_sensor(version, reload),
            *alert_sensors(version, office),
        ],
        executor=dg.in_process_executor,
        metadata={Metadata.TASKFILE: version.hash, Metadata.SOURCE: str(version.source)},
    )


def _unowned(specs: Mapping[str, TaskSpec], notice: str | None) -> list[dg.AssetSpec]:
    """Return the tables that tasks touch and no task of this file keeps, so that the catalog explains them."""
    owned = {key for spec in specs.values() for key in spec.owned}
    about = f"{notice}\n\n" if notice else ""
    return [
        dg.AssetSpec(
            key,
            description=f"{about}{TABLES[key].title}: one row is {TABLES[key].grain}. No task of this file owns it.",
            group_name="unowned",
            kinds={"simulated"} if notice else None,
        )
        for key in _touched(specs)
        if key in TABLES and key not in owned
    ]


def _touched(specs: Mapping[str, TaskSpec]) -> list[str]:
    """Return the asset keys that tasks keep, write or read."""
    return sorted({key for spec in specs.values() for key in (*spec.owned, *spec.reported, *spec.reads)})
