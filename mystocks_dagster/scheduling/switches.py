"""Turn schedules on and off by Dagster's own switch on the instance, which the UI shows and turns too.

This needs neither webserver nor daemon. `switch_table.py` reads the states.
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from mystocks_dagster.dagster_internals import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    RemoteRepositoryOrigin,
    RemoteSchedule,
    RemoteSensor,
    RepositoryHandle,
    ScheduleInstigatorData,
    ScheduleSnap,
    SensorInstigatorData,
    SensorSnap,
    SensorType,
    WorkspaceFileTarget,
    get_current_timestamp,
)
from mystocks_dagster.dagster_tables import InstanceTables
from mystocks_dagster.errors import NoSwitch
from mystocks_dagster.instance import open_instance
from mystocks_dagster.scheduling import switch_table
from mystocks_dagster.scheduling.switch_table import Switch, has_switch
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import REPOSITORY, schedule_name
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task, TaskFile


def repository(settings: Settings) -> RemoteRepositoryOrigin:
    """Return Dagster's identity of the project's definitions, to which the switches belong."""
    origins = WorkspaceFileTarget([str(settings.root / "workspace.yaml")]).create_origins()
    return RemoteRepositoryOrigin(origins[0], REPOSITORY)


def turn(
    instance: dg.DagsterInstance, origin: RemoteRepositoryOrigin, name: str, entry: Task | Group, on: bool | None
) -> Switch:
    """Turn a switch on or off as the UI does, or (`on` None) reset it to the file's `enabled`; return the switch.

    Raises:
        NoSwitch: The task or group has no schedule.
    """
    if not has_switch(entry):
        raise NoSwitch(f"{name} has no schedule, so it has no switch. Start it by hand: mystocks run {name}")
    remote = _remote(entry, origin)
    identity = (remote.get_remote_origin_id(), remote.selector_id)
    match remote, on:
        case RemoteSchedule(), True:
            instance.start_schedule(remote)
        case RemoteSchedule(), False:
            instance.stop_schedule(*identity, remote)
        case RemoteSchedule(), None:
            _reset(instance, remote, instance.reset_schedule)
        case RemoteSensor(), True:
            instance.start_sensor(remote)
        case RemoteSensor(), False:
            instance.stop_sensor(*identity, remote)
        case RemoteSensor(), None:
            _reset(instance, remote, instance.reset_sensor)
    return switch_table.read(InstanceTables(instance), origin.code_location_origin.location_name, {name: entry})[name]


def _reset(instance: dg.DagsterInstance, remote: Any, reset: Callable[[Any], InstigatorState]) -> None:
    """Reset a switch, and store the time if that turns it on: Dagster's reset does not."""
    was_on = remote.get_current_instigator_state(
        instance.get_instigator_state(remote.get_remote_origin_id(), remote.selector_id)
    ).is_running
    state = reset(remote)
    if was_on or not remote.get_current_instigator_state(state).is_running:
        return
    data: Any = state.instigator_data
    if isinstance(remote, RemoteSchedule):
        data_with_time = ScheduleInstigatorData(remote.cron_schedule, get_current_timestamp())
    else:
        data_with_time = data.with_sensor_start_timestamp(get_current_timestamp())
    instance.update_instigator_state(state.with_data(data_with_time))


def sensor_states(instance: dg.DagsterInstance) -> dict[str, InstigatorState]:
    """Return the stored state of each sensor by name."""
    return {
        state.instigator_name: state for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
    }


def person_states(instance: dg.DagsterInstance) -> dict[str, InstigatorState]:
    """Return the stored states of the schedules and sensors that a person has turned, by name."""
    turned = {InstigatorStatus.RUNNING, InstigatorStatus.STOPPED}
    return {state.instigator_name: state for state in instance.all_instigator_state(instigator_statuses=turned)}


def turned_on(states: Mapping[str, InstigatorState], active: Mapping[str, bool]) -> dict[str, bool]:
    """Return whether the switch of each job is on: as a person turned it, otherwise as in the file (`active`)."""
    turned = {
        name: state.status == InstigatorStatus.RUNNING
        for name, state in states.items()
        if state.status != InstigatorStatus.DECLARED_IN_CODE
    }
    return {job: turned.get(schedule_name(job), default) for job, default in active.items()}


def note_intervals(settings: Settings, taskfile: TaskFile) -> None:
    """Mark the switches of interval tasks as evaluated, since one sensor evaluates all of them.

    Otherwise the daemon evaluates each new switch first: for a thousand, nothing else starts for more than a minute.
    """
    active = [entry for entry in taskfile.by_id().values() if entry.active]
    entries = [entry for entry in active if entry.schedule and entry.schedule.interval_seconds]
    if not entries:
        return
    origin = repository(settings)
    with open_instance(settings) as instance:
        known = sensor_states(instance)
        for remote in (_remote(entry, origin) for entry in entries if schedule_name(entry.dagster_name) not in known):
            data = SensorInstigatorData(last_tick_timestamp=time.time(), sensor_type=SensorType.STANDARD)
            # The daemon may store the same switch at this moment.
            with contextlib.suppress(dg.DagsterInvariantViolationError):
                instance.add_instigator_state(
                    InstigatorState(
                        remote.get_remote_origin(), InstigatorType.SENSOR, InstigatorStatus.DECLARED_IN_CODE, data
                    )
                )


def _remote(entry: Task | Group, origin: RemoteRepositoryOrigin) -> RemoteSchedule | RemoteSensor:
    """Return the schedule or sensor in the form in which Dagster turns its switch."""
    handle = RepositoryHandle(
        repository_name=origin.repository_name,
        code_location_origin=origin.code_location_origin,
        repository_python_origin=None,
        display_metadata={},
    )
    job, schedule = entry.dagster_name, entry.schedule
    name = schedule_name(job)
    if schedule and schedule.cron_expression:
        default = dg.DefaultScheduleStatus.RUNNING if entry.active else dg.DefaultScheduleStatus.STOPPED
        cron = ScheduleSnap(
            name=name,
            cron_schedule=schedule.cron_expression,
            job_name=job,
            op_selection=None,
            mode=None,
            environment_vars=None,
            partition_set_name=None,
            execution_timezone=schedule.timezone,
            default_status=default,
        )
        return RemoteSchedule(cron, handle)
    started = dg.DefaultSensorStatus.RUNNING if entry.active else dg.DefaultSensorStatus.STOPPED
    return RemoteSensor(
        SensorSnap(name=name, job_name=job, min_interval=1, default_status=started, sensor_type=SensorType.STANDARD),
        handle,
    )
