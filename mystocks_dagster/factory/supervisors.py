"""Supervisor tasks: each has a sensor that keeps it alive; one sensor stops those that must not run.

The sensors have no state: they compare the file and the switch with the active runs, so a restarted daemon finds the
running copy. The key of a run request contains the run that it follows, so each restart is requested once.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

import dagster as dg

from mystocks_dagster.dagster_internals import NOT_FINISHED_STATUSES, SENSOR_NAME_TAG
from mystocks_dagster.factory.project_sensor import project_sensor
from mystocks_dagster.factory.spec import TaskSpec
from mystocks_dagster.runs.max_instances import limit_reached
from mystocks_dagster.runs.stop import request
from mystocks_dagster.scheduling.switches import sensor_states, turned_on
from mystocks_dagster.tags import Tag, schedule_name
from mystocks_dagster.taskfile.names import dagster_name

#: Seconds before the first restart and the longest delay; each restart in a row doubles the delay.
_FIRST_DELAY, _LONGEST_DELAY = 5, 300
#: A run that lasted this many seconds resets the count of restarts.
_STABLE = 300


@dataclass(frozen=True, kw_only=True)
class LastRun:
    """The newest ended run of a supervisor; times are in seconds since the epoch."""

    run_id: str
    status: dg.DagsterRunStatus
    created: float
    started: float
    ended: float
    restarts: int = 0
    switched_off: bool = False


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Start of a supervisor with the number of restarts in a row, or the reason why it is not started."""

    restarts: int | None = None
    reason: str = ""


def decide(last: LastRun | None, *, auto_restart: bool, switched_on: float | None, moment: float) -> Decision:
    """Decide whether a supervisor that does not run is started at `moment`.

    Args:
        last: Its newest run; None if it never ran.
        auto_restart: The task's `auto_restart`.
        switched_on: When a person turned its switch on; None if the file's `enabled` decides.
        moment: Now, in seconds since the epoch.
    """
    if last is None or last.switched_off or (switched_on or 0) > last.created:
        return Decision(restarts=0)
    if last.status == dg.DagsterRunStatus.CANCELED:
        return Decision(reason="stopped by hand: it stays stopped until it is run by hand, or switched off and on")
    if not auto_restart:
        return Decision(reason=f"ended with {last.status.value}; it is not restarted, because auto_restart is false")
    restarts = 1 if last.ended - last.started >= _STABLE else last.restarts + 1
    due = last.ended + min(_FIRST_DELAY * 2 ** min(restarts - 1, 20), _LONGEST_DELAY)
    if moment < due:
        return Decision(reason=f"ended with {last.status.value}; restart {restarts} in {due - moment:.0f} s")
    return Decision(restarts=restarts)


def build_supervisor(spec: TaskSpec) -> dg.SensorDefinition:
    """Return the sensor that keeps a supervisor alive, which is also the task's switch."""
    task, job = spec.task, spec.name

    def keep(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if running := limit_reached(context.instance, job, task.max_instances):
            return dg.SensorResult(skip_reason=f"{_health(context.instance, job)}: {running}")
        last = _last(context.instance, job)
        decision = decide(
            last, auto_restart=task.auto_restart, switched_on=context.last_sensor_start_time, moment=time.time()
        )
        if decision.restarts is None:
            return dg.SensorResult(skip_reason=decision.reason)
        key = f"{job}:after:{last.run_id if last else 'nothing'}"
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=key, tags={Tag.RESTARTS: str(decision.restarts)})])

    return dg.SensorDefinition(
        name=schedule_name(job),
        job_name=job,
        evaluation_fn=keep,
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING if task.active else dg.DefaultSensorStatus.STOPPED,
        description=f"{task.task_name}: kept alive",
    )


def _health(instance: dg.DagsterInstance, job: str) -> str:
    """Return how long the job's newest run is alive, and its number of restarts in a row."""
    for record in instance.get_run_records(dg.RunsFilter(job_name=job), limit=1):
        restarts = int(record.dagster_run.tags.get(Tag.RESTARTS, 0))
        if record.start_time:
            age = timedelta(seconds=int(time.time() - record.start_time))
            return f"alive for {age}, restarted {restarts} times in a row"
    return "starting"


def build_stopper(specs: Mapping[str, TaskSpec], broken: Collection[str] = ()) -> dg.SensorDefinition:
    """Return the sensor that stops supervisors that are switched off or no longer in the file.

    Every project has it, since the last supervisor may be removed from the file while it runs.

    Args:
        specs: The loaded tasks.
        broken: Ids of tasks with problems: a problem in the file stops no active run.
    """
    untouched = {dagster_name(name) for name in broken}
    active = {spec.name: spec.task.active for spec in specs.values() if spec.task.task_type == "supervisor"}

    def stop(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        runs = context.instance.get_runs(
            dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES), tags={Tag.TASK_TYPE: "supervisor"})
        )
        # Runs that a person started are not stopped here.
        managed = [run for run in runs if SENSOR_NAME_TAG in run.tags and run.status != dg.DagsterRunStatus.CANCELING]
        managed = [run for run in managed if run.job_name not in untouched]
        on = turned_on(sensor_states(context.instance), active) if managed else {}
        stopped = []
        for run in managed:
            if not on.get(run.job_name):
                reason = "switched off" if run.job_name in on else "no longer in the task file"
                context.instance.add_run_tags(run.run_id, {Tag.SWITCHED_OFF: reason})
                request(context.instance, run.run_id)
                stopped.append(f"{run.job_name} is {reason}: stopping run {run.run_id}")
        return dg.SensorResult(skip_reason="; ".join(stopped) or f"{len(managed)} supervisor(s) active, none to stop")

    description = "Stops supervisors that are switched off or no longer in the task file"
    return project_sensor("supervisors", stop, description)


def _last(instance: dg.DagsterInstance, job: str) -> LastRun | None:
    """Return the job's newest ended run; None if there is none."""
    for record in instance.get_run_records(dg.RunsFilter(job_name=job, statuses=_ENDED), limit=1):
        run, created = record.dagster_run, record.create_timestamp.timestamp()
        return LastRun(
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
