"""Run something and tell a person, line by line, how it goes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dagster as dg
from rich.console import Console

from mystocks_dagster import history, launch
from mystocks_dagster.history import Execution
from mystocks_dagster.service import Project

_COLOURS = {"ERROR": "red", "CRITICAL": "red", "WARNING": "yellow"}


@dataclass(frozen=True)
class Done:
    """How a run ended."""

    run_id: str
    succeeded: bool
    executions: list[Execution]


def run_and_follow(project: Project, run_id: str, *, quiet: bool = False) -> Done:
    """Start the run (through the daemon's queue, or here when no daemon is alive) and wait for its end.

    Ctrl-C stops the run, and waits until its work has stopped.
    """
    instance = project.instance
    console = Console(highlight=False, soft_wrap=True, quiet=quiet)
    queued = launch.daemon_alive(instance)
    if queued:
        console.print(f"[dim]run {run_id}: in the daemon's queue[/]")
    else:
        console.print(f"[dim]run {run_id}: no daemon is alive on this instance, so it runs here, in the foreground[/]")
    launch.start(instance, run_id, queued=queued)
    try:
        _follow(instance, run_id, console.print)
    except KeyboardInterrupt:
        console.print("[yellow]stopping the run …[/]")
        instance.run_coordinator.cancel_run(run_id)
        _follow(instance, run_id, lambda line: None)
    run = instance.get_run_by_id(run_id)
    succeeded = run is not None and run.status == dg.DagsterRunStatus.SUCCESS
    return Done(run_id, succeeded, history.of_run(instance, run_id, project.task_ids))


def _follow(instance: dg.DagsterInstance, run_id: str, say: Callable[[str], None]) -> None:
    for entry in launch.follow(instance, run_id):
        line = _line(entry)
        if line:
            say(line)


def _line(entry: Any) -> str | None:
    """Return what a person wants to read of an event log entry; None for Dagster's own book-keeping."""
    event = entry.dagster_event
    if event is None:
        colour = _COLOURS.get(_level(entry), "")
        text = entry.user_message.replace("[", "\\[")
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
            return f"[red]{(event.message or '').replace('[', chr(92) + '[')}[/]"
    return None


def _level(entry: Any) -> str:
    import logging

    return logging.getLevelName(entry.level) if isinstance(entry.level, int) else str(entry.level)
