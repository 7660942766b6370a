"""Supervisor tasks: kept alive by a sensor each, stopped by one sensor for all.

Nothing is remembered between two looks: what is wanted (the file, the switch) is compared with what runs, so that a
restarted daemon finds the running copy, and a run request is keyed by the run that it follows, so that it is made once.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

import dagster as dg

from mystocks_dagster.dagster_internals import NOT_FINISHED_STATUSES, SENSOR_NAME_TAG
from mystocks_dagster.factory.spec import TaskSpec
from mystocks_dagster.runs.max_instances import limit_reached
from mystocks_dagster.runs.stop import request
from mystocks_dagster.scheduling.switches import sensor_states, turned_on
from mystocks_dagster.tags import Tag, schedule_name, sensor_name
from mystocks_dagster.taskfile.names import dagster_name

#: Seconds before the first restart; each further one waits twice as long, at most `_LONGEST`.
_SHORTEST, _LONGEST = 5, 300
#: Who lived as long as this is taken for well: its next restart is the first one again.
_WELL = 300


@dataclass(frozen=True, kw_only=True)
class Last:
    """The newest run of a supervisor, which has ended; times are in seconds since the epoch."""

    run_id: str
    status: dg.DagsterRunStatus
    created: float
    started: float
    ended: float
    restarts: int = 0
    switched_off: bool = False


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Whether a supervisor is started now (`restarts` in a row), or why not."""

    restarts: int | None = None
    reason: str = ""


def decide(last: Last | None, *, auto_restart: bool, switched_on: float | None, moment: float) -> Decision:
    """Say whether a supervisor that does not run is started at `moment`.

    Args:
        last: Its newest run; None when it never ran.
        auto_restart: As the file has it.
        switched_on: When somebody turned its switch on; None when the file's `enabled` decides.
        moment: Now, in seconds since the epoch.
    """
    if last is None or last.switched_off or (switched_on or 0) > last.created:
        return Decision(restarts=0)
    if last.status == dg.DagsterRunStatus.CANCELED:
        return Decision(reason="stopped by hand: it stays so until it is run by hand, or switched off and on")
    if not auto_restart:
        return Decision(reason=f"ended with {last.status.value}; it is not started again, for auto_restart is false")
    restarts = 1 if last.ended - last.started >= _WELL else last.restarts + 1
    due = last.ended + min(_SHORTEST * 2 ** min(restarts - 1, 20), _LONGEST)
    if moment < due:
        return Decision(reason=f"ended with {last.status.value}; restart {restarts} in {due - moment:.0f} s")
    return Decision(restarts=restarts)


def build_supervisor(spec: TaskSpec) -> dg.SensorDefinition:
    """Return the sensor that keeps one supervisor alive; its switch is the task's."""
    task, job = spec.task, spec.name

    def keep(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if running := limit_reached(context.instance, job, task.max_instances):
            return dg.SensorResult(skip_reason=f"{_health(context.instance, job)}: {running}")
        last = _last(context.instance, job)
        told = decide(
            last, auto_restart=task.auto_restart, switched_on=context.last_sensor_start_time, moment=time.time()
        )
        if told.restarts is None:
            return dg.SensorResult(skip_reason=told.reason)
        key = f"{job}:after:{last.run_id if last else 'nothing'}"
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=key, tags={Tag.RESTARTS: str(told.restarts)})])

    return dg.SensorDefinition(
        name=schedule_name(job),
        job_name=job,
        evaluation_fn=keep,
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING if task.active else dg.DefaultSensorStatus.STOPPED,
        description=f"{task.task_name}: kept alive",
    )


def _health(instance: dg.DagsterInstance, job: str) -> str:
    """Return how long the job's newest run has lived, and how often in a row it was started again."""
    for record in instance.get_run_records(dg.RunsFilter(job_name=job), limit=1):
        again = int(record.dagster_run.tags.get(Tag.RESTARTS, 0))
        if record.start_time:
            return (
                f"alive for {timedelta(seconds=int(time.time() - record.start_time))}, started again "
                f"{again} times in a row"
            )
    return "starting"


def build_stopper(specs: Mapping[str, TaskSpec], broken: Collection[str] = ()) -> dg.SensorDefinition:
    """Return the sensor that stops supervisors which are switched off or no longer in the file.

    It is there in every project, for the last supervisor may have been removed from the file while it ran.

    Args:
        specs: The tasks that can run.
        broken: Ids of those that are in the file and cannot: a mistake in the file stops nothing that runs.
    """
    untouched = {dagster_name(name) for name in broken}
    active = {spec.name: spec.task.active for spec in specs.values() if spec.task.task_type == "supervisor"}

    def stop(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        runs = context.instance.get_runs(
            dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES), tags={Tag.TASK_TYPE: "supervisor"})
        )
        # What a person started by hand is for that person to stop.
        kept = [run for run in runs if SENSOR_NAME_TAG in run.tags and run.status != dg.DagsterRunStatus.CANCELING]
        kept = [run for run in kept if run.job_name not in untouched]
        on = turned_on(sensor_states(context.instance), active) if kept else {}
        stopped = []
        for run in kept:
            if not on.get(run.job_name):
                why = "switched off" if run.job_name in on else "no longer in the task file"
                context.instance.add_run_tags(run.run_id, {Tag.SWITCHED_OFF: why})
                request(context.instance, run.run_id)
                stopped.append(f"{run.job_name} is {why}: stopping run {run.run_id}")
        return dg.SensorResult(skip_reason="; ".join(stopped) or f"{len(kept)} supervisors run as they should")

    return dg.SensorDefinition(
        name=sensor_name("supervisors"),
        evaluation_fn=stop,
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Stops supervisors that are switched off or no longer in the task file",
    )


def _last(instance: dg.DagsterInstance, job: str) -> Last | None:
    """Return the job's newest run, which has ended."""
    for record in instance.get_run_records(dg.RunsFilter(job_name=job, statuses=_ENDED), limit=1):
        run, created = record.dagster_run, record.create_timestamp.timestamp()
        return Last(
            run_id=run.run_id,
            status=run.status,
            created=created,
            started=record.start_time or record.end_time or created,
            ended=record.end_time or created,
            restarts=int(run.tags.get(Tag.RESTARTS, 0)),
            switched_off=Tag.SWITCHED_OFF in run.tags,
        )
    return None


_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
