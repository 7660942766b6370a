"""logs: what a task logged and printed."""

import json
import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from mystocks_dagster.cli.completion import MANY, task_ids
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, errors, escape

_COLOURS = {"ERROR": "red", "CRITICAL": "red", "WARNING": "yellow", "STDOUT": "dim", "STDERR": "dim", "DEBUG": "dim"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(logs)


def logs(
    name: Annotated[
        str,
        typer.Argument(
            help="Id of a task (its newest execution), of an execution, or of a run (its first 8 characters are enough).",
            autocompletion=task_ids,
        ),
    ],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with each line as it is written, until the execution ends.")
    ] = False,
    lines: Annotated[
        int | None, typer.Option("--lines", "-n", min=0, max=MANY, help="Only the last so many lines.")
    ] = None,
    run: Annotated[str | None, typer.Option(help="Of a task, its execution in this run.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each line as a JSON object on a line of its own, for programs.")
    ] = False,
) -> None:
    """Show what a task logged and printed in an execution, in order: time, level, task, attempt, run, text.

    Example: mystocks logs daily_data_sync --lines 50
    """
    project = open_project()
    for one in project.find_executions(name, run):
        if sys.stdout.isatty():
            started = f", started {one.start_time:%Y-%m-%d %H:%M:%S}" if one.start_time else ""
            errors.print(f"[dim]{escape(one.execution_id)} ({one.status}{started})[/]")
        told = project.logs(one.execution_id).splitlines(keepends=True)
        if follow:
            _print(_tail(project.follow_logs(one.execution_id), len(told), lines), as_json)
        else:
            _print(told if lines is None else told[max(0, len(told) - lines) :], as_json)


def _tail(arriving: Iterable[str], past: int, lines: int | None) -> Iterable[str]:
    """Leave out of the first `past` lines all but the last `lines`."""
    first = 0 if lines is None else max(0, past - lines)
    return (line for number, line in enumerate(arriving) if number >= first)


def _print(lines: Iterable[str], as_json: bool) -> None:
    from mystocks_dagster.execution import tasklog

    for line in lines:
        if sys.stdout.isatty() and not as_json:
            console.print(line.rstrip("\n"), style=_COLOURS.get(tasklog.fields(line).get("level", "")), markup=False)
        else:
            sys.stdout.write(json.dumps(tasklog.fields(line), ensure_ascii=False) + "\n" if as_json else line)
            sys.stdout.flush()
