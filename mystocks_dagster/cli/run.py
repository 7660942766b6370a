"""run: start a task and follow it."""

import json as json_module
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import TaskOrGroup
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import coloured, console, errors, escape, print_json, print_table, seconds
from mystocks_dagster.errors import InvalidParams

#: Characters of a remark; the whole of it is in the log.
_LONGEST_REMARK = 300
#: Lines of a task's output that `run` shows at its end.
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
    only: Annotated[bool, typer.Option("--only", help="Leave out the tasks that it depends on.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Run a group although tasks.yaml has it disabled.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Put it into the daemon's queue and end at once.")
    ] = False,
    json: Json = False,
) -> None:
    """Run a task or group now, follow it, and end with its result (0 done, 1 failed).

    Example: mystocks run fetch_lhb_data -p data_source=simulated
    """
    from mystocks_dagster.project.follow import run_and_follow

    project = open_project()
    params = dict(read_param(text) for text in param or ())
    for warning in () if json else project.unlisted_params(name, params):
        errors.print(f"[yellow]{escape(warning)}[/]")
    if detach and project.settings.demo:
        raise typer.BadParameter(
            "the demo runs in the foreground, since the daemon may work with another lake; leave it out.",
            param_hint="--detach",
        )
    if detach:
        _tell_started(project, name, project.start(name, params, only=only, force=force), json=json)
        return
    run_id = project.create(name, params, only=only, force=force)
    done = run_and_follow(project, run_id, quiet=json)
    if json:
        print_json([one.to_json() for one in done.executions])
    else:
        _print_output(project, done.executions)
        print_executions(done.executions)
    raise typer.Exit(0 if done.succeeded else 1)


def _tell_started(project: Any, name: str, run_id: str, *, json: bool) -> None:
    """Say what was put into the queue; a group has no execution of its own."""
    found = project.find(name)
    execution_id = f"{run_id}:{found.dagster_name}" if hasattr(found, "task_id") else None
    if json:
        print_json({"run_id": run_id, "execution_id": execution_id, "task_id": name})
        return
    console.print(f"[green]queued[/] {name}: run {run_id}" + (f", execution {execution_id}" if execution_id else ""))
    console.print(
        f"Follow it with: mystocks logs {execution_id or run_id} --follow   stop it with: mystocks stop {run_id[:8]}"
    )


def _print_output(project: Any, done: Sequence[Any]) -> None:
    """Print the last lines that each task wrote to stdout and stderr."""
    from mystocks_dagster.execution import tasklog

    for execution in done:
        fields = map(tasklog.fields, project.logs(execution.execution_id).splitlines())
        printed = [line["text"] for line in fields if line.get("level") in ("STDOUT", "STDERR")]
        if not printed:
            continue
        console.print(f"\n[bold]{escape(execution.task_id)}[/] printed:")
        if len(printed) > _PRINTED_LINES:
            hidden = len(printed) - _PRINTED_LINES
            console.print(f"  [dim]… {hidden:,} lines before these: mystocks logs {escape(execution.execution_id)}[/]")
        for line in printed[-_PRINTED_LINES:]:
            console.print(f"  {line}", markup=False)
    console.print()


def print_executions(done: Sequence[Any]) -> None:
    """Print one line a task: status, rows written, seconds, and what it returned or why it failed or was skipped."""
    rows = [
        (one.task_id, coloured(one.status), sum(_rows(one).values()), seconds(one.duration), _remark(one))
        for one in done
    ]
    print_table(("task", "status", "rows", "seconds", "remark"), rows)
    for one in done:
        if one.error_message:
            errors.print(f"\n[red]{one.task_id}[/]: {escape(one.error_message)}")
            errors.print(f"[dim]more: mystocks logs {escape(one.execution_id)}[/]")


def _rows(execution: Any) -> dict[str, int]:
    rows = (execution.result or {}).get("rows") or {}
    return json_module.loads(rows) if isinstance(rows, str) else rows


def _remark(execution: Any) -> str:
    return next(iter(execution.remark.splitlines()), "")[:_LONGEST_REMARK]


def read_param(text: str) -> tuple[str, Any]:
    """Return name and value of `name=value`; the value is read as the task file is.

    Raises:
        InvalidParams: There is no name or no `=`.
    """
    from mystocks_dagster.taskfile.yaml.source import value_of

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidParams(f"--param {text!r}: write it as name=value.")
    return name, value_of(value)
