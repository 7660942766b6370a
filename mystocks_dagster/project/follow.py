"""Run something and tell a person, line by line, how it goes."""

import logging
import re
from dataclasses import dataclass
from typing import Any, Self

import dagster as dg
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from mystocks_dagster import history
from mystocks_dagster.history import Execution
from mystocks_dagster.project.project import Project
from mystocks_dagster.runs import launch, stop

#: How a task's progress stands in the log: `3/10 and a message`.
_COUNT = re.compile(r"(\d+)/(\d+) ?(.*)")
_STEP_ENDS = (dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.STEP_SKIPPED)
#: Characters of a bar's text; the bar needs room.
_WIDEST = 60
_COLOURS = {"ERROR": "red", "CRITICAL": "red", "WARNING": "yellow"}


@dataclass(frozen=True)
class FollowedRun:
    """How a run ended."""

    run_id: str
    succeeded: bool
    executions: list[Execution]


def run_and_follow(project: Project, run_id: str, *, quiet: bool = False) -> FollowedRun:
    """Start the run (through the daemon's queue, or here when no daemon is alive) and wait for its end.

    Ctrl-C stops the run, and waits until its work has stopped.
    """
    instance = project.instance
    console = Console(highlight=False, soft_wrap=True, emoji=False, quiet=quiet)
    alive = launch.daemon_alive(instance)
    queued = alive and not project.settings.demo
    if queued:
        console.print(f"[dim]run {run_id}: in the daemon's queue[/]")
    elif alive:
        console.print(
            f"[dim]run {run_id}: runs here, in the foreground, because the daemon may work with another lake than the demo's[/]"
        )
    else:
        console.print(f"[dim]run {run_id}: no daemon is alive on this instance, so it runs here, in the foreground[/]")
    with _Bars(console, _steps(instance, run_id)) as bars:
        try:
            launch.start(instance, run_id, queued=queued)
            for entry in launch.follow(instance, run_id):
                bars.show(entry)
        except KeyboardInterrupt:
            console.print("[yellow]stopping the run …[/]")
            stop.request(instance, run_id)
            for _ in launch.follow(instance, run_id):
                pass
    run = instance.get_run_by_id(run_id)
    succeeded = run is not None and run.status == dg.DagsterRunStatus.SUCCESS
    return FollowedRun(run_id, succeeded, history.of_run(instance, run_id, project.task_ids))


def _steps(instance: dg.DagsterInstance, run_id: str) -> int:
    """Return how many steps the run has."""
    run = instance.get_run_by_id(run_id)
    snapshot = run.execution_plan_snapshot_id if run else None
    return len(instance.get_execution_plan_snapshot(snapshot).step_keys_to_execute) if snapshot else 0


class _Bars:
    """Lines for what happens and, when a terminal shows them, live bars below: steps done, and how far each step is."""

    def __init__(self, console: Console, steps: int) -> None:
        self._console = console
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._all = self._progress.add_task("steps", total=steps)
        self._of_step: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, entry: Any) -> None:
        """Show an event log entry: how far a step is as its bar, everything else as a line."""
        counted = (
            _COUNT.match(entry.user_message) if entry.dagster_event is None and self._console.is_terminal else None
        )
        if counted:
            self._move(entry.step_key, int(counted[1]), int(counted[2]), counted[3])
        elif line := _line(entry):
            self._console.print(line)
        if entry.dagster_event and entry.dagster_event.event_type in _STEP_ENDS:
            self._progress.advance(self._all)
            if (bar := self._of_step.pop(entry.step_key, None)) is not None:
                self._progress.remove_task(bar)

    def _move(self, step: str, done: int, total: int, message: str) -> None:
        if step not in self._of_step:
            self._of_step[step] = self._progress.add_task(step, total=total)
        told = f"{step} {message}".rstrip()
        self._progress.update(self._of_step[step], completed=done, total=total, description=escape(told[:_WIDEST]))


def _line(entry: Any) -> str | None:
    """Return what a person wants to read of an event log entry; None for Dagster's own book-keeping."""
    event = entry.dagster_event
    if event is None:
        colour = _COLOURS.get(_level(entry), "")
        text = escape(entry.user_message)
        return f"  {entry.step_key or ''}: [{colour}]{text}[/]" if colour else f"  {entry.step_key or ''}: {text}"
    match event.event_type:
        case dg.DagsterEventType.STEP_START:
            return f"[bold]▶ {event.step_key}[/]"
        case dg.DagsterEventType.STEP_SUCCESS:
            return f"[green]✓ {event.step_key}[/]"
        case dg.DagsterEventType.STEP_UP_FOR_RETRY:
            return f"[yellow]↻ {event.step_key}: will be tried again[/]"
        case dg.DagsterEventType.STEP_FAILURE:
            return f"[red]✗ {event.step_key}[/]"
        case dg.DagsterEventType.PIPELINE_FAILURE | dg.DagsterEventType.PIPELINE_CANCELED:
            return f"[red]{escape(event.message or '')}[/]"
    return None


def _level(entry: Any) -> str:
    return logging.getLevelName(entry.level) if isinstance(entry.level, int) else str(entry.level)
