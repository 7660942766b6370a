"""run: start a task or group and follow it."""

import json as json_module
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import TaskOrGroup
from mystocks_dagster.cli.open_project import open_project, open_project_to_run
from mystocks_dagster.cli.printing import coloured, console, errors, escape, print_json, seconds, translate
from mystocks_dagster.cli.tables import print_table
from mystocks_dagster.errors import InvalidParams, NothingFailed
from mystocks_dagster.taskfile.secrets import mask

#: Characters of a remark in the table; all of it is in the log.
_LONGEST_REMARK = 300
#: Lines of a task's output that `run` prints at the end.
_PRINTED_LINES = 20


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(run)


def run(
    name: TaskOrGroup,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", help="name=value, for this run only; the value is read as YAML."),
    ] = None,
    only: Annotated[bool, typer.Option("--only", help="Skip the tasks that it depends on.")] = False,
    failed_only: Annotated[
        bool, typer.Option("--failed-only", help="Repeat just what failed in the task's last execution.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Run a group even if tasks.yaml disables it.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Put the run into the daemon's queue and exit at once.")
    ] = False,
    json: Json = False,
) -> None:
    """Run a task or group now, follow it, and exit with its result (0 success, 1 failure).

    Example: mystocks run fetch_lhb_data -p data_source=simulated
    """
    from mystocks_dagster.cli.follow import run_and_follow

    project = open_project() if detach else open_project_to_run()
    params = dict(read_param(text) for text in param or ())
    if failed_only:
        params, only = {**_params_of_failed(project, name, json=json), **params}, True
    for warning in () if json else project.runs.unlisted_params(name, params):
        errors.print(f"[yellow]{escape(translate(warning))}[/]")
    if detach:
        _print_queued(project, name, project.runs.start(name, params, only=only, force=force), json=json)
        return
    run_id = project.runs.create(name, params, only=only, force=force)
    finished = run_and_follow(project, run_id, quiet=json)
    if json:
        print_json([execution.to_json() for execution in finished.executions])
    else:
        _print_output(project, finished.executions)
        print_executions(finished.executions)
    raise typer.Exit(0 if finished.succeeded else 1)


def _params_of_failed(project: Any, name: str, *, json: bool) -> dict[str, Any]:
    """Return the parameters that repeat what failed; if nothing failed, say so and end the command with success."""
    try:
        params = project.params_of_failed(name)
    except NothingFailed as nothing:
        if json:
            print_json([])
        errors.print(escape(translate(str(nothing))))
        raise typer.Exit(0) from None
    if not json:
        shown = ", ".join(f"{key}={value}" for key, value in mask(params).items()) or "its own parameters"
        console.print(f"Repeating what failed: {escape(shown)}")
    return params


def _print_queued(project: Any, name: str, run_id: str, *, json: bool) -> None:
    """Print the ids of the queued run and of the task's execution; a group has no execution of its own."""
    entry = project.find(name)
    execution_id = f"{run_id}:{entry.dagster_name}" if hasattr(entry, "task_id") else None
    if json:
        print_json({"run_id": run_id, "execution_id": execution_id, "task_id": name})
        return
    if execution_id:
        console.print(f"[green]queued[/] {name}: run {run_id}, execution {execution_id}")
    else:
        console.print(f"[green]queued[/] {name}: run {run_id}")
    console.print(
        f"Follow it with: mystocks logs {execution_id or run_id} --follow   stop it with: mystocks stop {run_id[:8]}"
    )


def _print_output(project: Any, executions: Sequence[Any]) -> None:
    """Print the last lines that each task wrote to stdout and stderr."""
    from mystocks_dagster.execution import tasklog

    for execution in executions:
        fields = map(tasklog.fields, project.logs.read(execution.execution_id).splitlines())
        output = [line["text"] for line in fields if line.get("level") in ("STDOUT", "STDERR")]
        if not output:
            continue
        console.print(f"\n[bold]{escape(execution.task_id)}[/] printed:")
        if omitted := max(0, len(output) - _PRINTED_LINES):
            command = f"mystocks logs {escape(execution.execution_id)}"
            console.print(f"  [dim]… {omitted:,} earlier lines: {command}[/]")
        for line in output[-_PRINTED_LINES:]:
            console.print(f"  {line}", markup=False)
    console.print()


def print_executions(executions: Sequence[Any]) -> None:
    """Print a row per execution: task, status, rows written, seconds, and its remark; then the errors."""
    rows = [
        (
            execution.task_id,
            coloured(execution.status),
            sum(_rows(execution).values()),
            seconds(execution.duration),
            _remark(execution),
        )
        for execution in executions
    ]
    print_table(("task", "status", "rows", "seconds", "remark"), rows, said=("remark",))
    for execution in executions:
        if execution.error_message:
            why = translate(execution.error_message.removeprefix(f"{execution.task_id}: "))
            errors.print(f"\n[red]{execution.task_id}[/]: {escape(why)}")
            errors.print(f"[dim]more: mystocks logs {escape(execution.execution_id)}[/]")


def _rows(execution: Any) -> dict[str, int]:
    rows = (execution.result or {}).get("rows") or {}
    return json_module.loads(rows) if isinstance(rows, str) else rows


def _remark(execution: Any) -> str:
    return next(iter(execution.remark.splitlines()), "")[:_LONGEST_REMARK]


def read_param(text: str) -> tuple[str, Any]:
    """Return name and value of `name=value`; the value is parsed as in the task file.

    Raises:
        InvalidParams: The name or the `=` is missing.
    """
    from mystocks_dagster.taskfile.yaml.source import value_of

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidParams(f"--param {text!r} does not have the form name=value.")
    return name, value_of(value)
