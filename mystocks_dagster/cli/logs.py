"""logs: the log lines and the output of an execution."""

import json
import sys
from collections.abc import Iterable
from itertools import islice
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
            help="Id of a task (its newest execution), an execution, or a run (the first 8 characters are enough).",
            autocompletion=task_ids,
        ),
    ],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print new lines as they are written, until the execution ends.")
    ] = False,
    lines: Annotated[int | None, typer.Option("--lines", "-n", min=0, max=MANY, help="Only the last N lines.")] = None,
    run: Annotated[str | None, typer.Option(help="For a task: its execution in this run.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each line as a JSON object.")] = False,
) -> None:
    """Show what an execution logged and printed, in order: time, level, task, attempt, run, text.

    Example: mystocks logs daily_data_sync --lines 50
    """
    project = open_project()
    for execution in project.logs.find(name, run):
        if sys.stdout.isatty():
            started = f", started {execution.start_time:%Y-%m-%d %H:%M:%S}" if execution.start_time else ""
            errors.print(f"[dim]{escape(execution.execution_id)} ({execution.status}{started})[/]")
        written = project.logs.read(execution.execution_id).splitlines(keepends=True)
        first = 0 if lines is None else max(0, len(written) - lines)
        arriving = project.logs.follow(execution.execution_id) if follow else written
        _print(islice(arriving, first, None), as_json)


def _print(lines: Iterable[str], as_json: bool) -> None:
    from mystocks_dagster.execution import tasklog

    for line in lines:
        if sys.stdout.isatty() and not as_json:
            console.print(line.rstrip("\n"), style=_COLOURS.get(tasklog.fields(line).get("level", "")), markup=False)
        else:
            sys.stdout.write(json.dumps(tasklog.fields(line), ensure_ascii=False) + "\n" if as_json else line)
            sys.stdout.flush()
