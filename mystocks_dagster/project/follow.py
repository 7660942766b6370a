"""Following a run from its start to its end, event by event."""

import logging
import re
import signal
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import dagster as dg

from mystocks_dagster import history
from mystocks_dagster.dagster_internals import MAX_RETRIES_TAG
from mystocks_dagster.history import Execution
from mystocks_dagster.project.project import Project
from mystocks_dagster.runs import launch, stop

#: What an event reports. "foreground": the run starts here, not through the daemon's queue; "elsewhere": on another
#: machine.
EventKind = Literal[
    "queued",
    "foreground",
    "elsewhere",
    "abandoned",
    "database",
    "log",
    "step started",
    "step succeeded",
    "step skipped",
    "step failed",
    "step not started",
    "step retried",
    "run failed",
    "stopping",
]


class RunEvent(NamedTuple):
    """One event of a run; `level` is that of a log line, such as WARNING."""

    kind: EventKind
    step: str = ""
    text: str = ""
    level: str = ""


@dataclass(frozen=True)
class FinishedRun:
    """A run that has ended."""

    run_id: str
    succeeded: bool
    executions: list[Execution]


#: What Dagster logs of a step that it does not start, with the names of the steps that it needs.
_NOT_STARTED = re.compile(r"(?:Dependencies for step|Skipping step) \S+ (.+)", re.DOTALL)
_NAME = re.compile(r"'([^']+)'")
#: How Dagster begins what it says of a run's end: it names its own job, which people may not know.
_RUN_FAILED = re.compile(r'Execution of run for ".*?" failed\.')
_KINDS: Mapping[dg.DagsterEventType, EventKind] = {
    dg.DagsterEventType.STEP_START: "step started",
    dg.DagsterEventType.STEP_SUCCESS: "step succeeded",
    dg.DagsterEventType.STEP_SKIPPED: "step skipped",
    dg.DagsterEventType.STEP_FAILURE: "step failed",
    dg.DagsterEventType.STEP_UP_FOR_RETRY: "step retried",
    dg.DagsterEventType.PIPELINE_FAILURE: "run failed",
    dg.DagsterEventType.PIPELINE_CANCELED: "run failed",
}


def run_and_follow(project: Project, run_id: str, report: Callable[[RunEvent], None]) -> FinishedRun:
    """Start a run that was created, and wait for its end; Ctrl-C or SIGTERM stops it, and waits until it has stopped.

    A terminal that is closed, or a lost connection, ends the command only: the run goes on.

    Args:
        project: Its project. If no daemon is alive, or its lake or source is another one, the run starts in this
            process' foreground, or on the machines that dagster.yaml names a launcher for.
        run_id: The run.
        report: Called with each event.
    """
    instance = project.instance
    alive = launch.daemon_alive(instance)
    difference = launch.daemon_difference(instance, project.settings)
    queued = alive and not difference
    if difference:  # lost, it would be started again by a daemon, whose lake is another one
        instance.add_run_tags(run_id, {MAX_RETRIES_TAG: "0"})
    if queued:
        report(RunEvent("queued"))
    else:
        reason = difference if alive else "no daemon is alive on this instance"
        elsewhere = _executed_elsewhere(instance)
        report(RunEvent("elsewhere", text=elsewhere) if elsewhere else RunEvent("foreground", text=reason))
    try:
        with _terminated_as_by_ctrl_c():
            launch.start(instance, run_id, queued=queued)
            abandoned = partial(report, RunEvent("abandoned"))
            for entry in launch.follow(
                instance, run_id, abandoned, lambda answers: report(_of_database(run_id, answers))
            ):
                if event := _event(entry):
                    report(event)
    except KeyboardInterrupt:
        report(RunEvent("stopping"))
        stop.request(instance, run_id)
        for _ in launch.follow(instance, run_id):
            pass
    run = instance.get_run_by_id(run_id)
    succeeded = run is not None and run.status == dg.DagsterRunStatus.SUCCESS
    return FinishedRun(run_id, succeeded, history.of_run(instance, run_id, project.task_ids))


def _executed_elsewhere(instance: dg.DagsterInstance) -> str:
    """Return what is said of a run that other machines execute; empty if this machine does."""
    launcher: Any = instance.run_launcher
    if hasattr(launcher, "reach"):
        return "starts in a pod of Kubernetes, without the queue, because no daemon is alive"
    if not hasattr(launcher, "machines"):
        return ""
    if found := ", ".join(name for _, _, name in launcher.machines()):
        return f"waits for a machine with a free slot ({found}), without the queue, because no daemon is alive"
    return "waits, because no machine takes runs. Start one: mystocks worker"


def _of_database(run_id: str, answers: bool) -> RunEvent:
    """Return what is said when the database has ceased to answer, and when it answers again."""
    if answers:
        return RunEvent("database", text="The database answers again.")
    text = (
        "The database does not answer. The run goes on, and is followed again when it does. After Ctrl-C, follow it "
        f"with: mystocks logs {run_id} --follow"
    )
    return RunEvent("database", text=text)


@contextmanager
def _terminated_as_by_ctrl_c() -> Generator[None]:
    """Let SIGTERM raise KeyboardInterrupt: what `timeout` and a service manager end must not run on unseen."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def count_steps(project: Project, run_id: str) -> int:
    """Return the number of steps of a run."""
    run = project.instance.get_run_by_id(run_id)
    snapshot = run.execution_plan_snapshot_id if run else None
    return len(project.instance.get_execution_plan_snapshot(snapshot).step_keys_to_execute) if snapshot else 0


def _event(entry: Any) -> RunEvent | None:
    """Convert an event log entry; None for an event that only Dagster needs."""
    event = entry.dagster_event
    if event is None:
        if needs := _NOT_STARTED.fullmatch(entry.user_message):
            return RunEvent("step not started", entry.step_key or "", ", ".join(_NAME.findall(needs[1])))
        level = logging.getLevelName(entry.level) if isinstance(entry.level, int) else str(entry.level)
        return RunEvent("log", entry.step_key or "", entry.user_message, level)
    kind = _KINDS.get(event.event_type)
    text = event.message or ""
    if failed := _RUN_FAILED.match(text):
        text = "The run failed." + text[failed.end() :]
    return RunEvent(kind, event.step_key or "", text) if kind else None
