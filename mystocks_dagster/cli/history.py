"""history, stats, cleanup: executions, their statistics, and the removal of old runs."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import MANY, all_ids, task_ids
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import coloured, console, errors, escape, print_json, seconds, translate
from mystocks_dagster.cli.tables import print_table
from mystocks_dagster.tags import State, Status

Since = Annotated[
    str | None, typer.Option(help="Only executions started since then: 7d, 12h, 2025-04-07, 2025-04-07T16:00.")
]
Until = Annotated[str | None, typer.Option(help="Only executions started until then; a date includes the whole day.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(history)
    app.command()(stats)
    app.command()(cleanup)


def history(
    name: Annotated[
        str | None,
        typer.Argument(help="Id of a task, or of a group for its runs; all if omitted.", autocompletion=all_ids),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=MANY, help="Maximum number, newest first.")] = 20,
    status: Annotated[Status | None, typer.Option(help="Only executions with this status, such as failed.")] = None,
    since: Since = None,
    until: Until = None,
    json: Json = False,
) -> None:
    """Show executions: when they ran, how they ended, and why the newest failure failed.

    Example: mystocks history daily_data_sync --limit 5 --since 7d
    """
    project = open_project()
    first, last = _window(since, until)
    _read(project)
    executions = list(project.history.executions(name, since=first, until=last, limit=limit, status=status))
    if name and not executions and name not in project.history.statistics(name):
        project.find(name)  # a removed task keeps its history; for a misspelt one the error lists similar names
    if json:
        print_json([execution.to_json() for execution in executions])
    elif not executions:
        from mystocks_dagster.project.suggestions import run_command

        console.print(f"There are no such executions. Start a run with: {escape(run_command(project))}")
    else:
        columns = ("start", "task", "status", "seconds", "retries", "job", "run")
        print_table(columns, map(_execution_row, executions), optional=("job", "retries", "run"))
        if failed := next((execution for execution in executions if execution.status == State.FAILED), None):
            why = translate(failed.remark.removeprefix(f"{failed.task_id}: "))
            console.print(f"[red]{failed.task_id}, {failed.run_id[:8]}:[/] {escape(why)}")
            console.print(f"Its log: mystocks logs {failed.execution_id}")


def _execution_row(execution: Any) -> tuple[Any, ...]:
    return (
        f"{execution.start_time:%Y-%m-%d %H:%M:%S}" if execution.start_time else "",
        execution.task_id,
        coloured(execution.status),
        seconds(execution.duration),
        execution.retry_count,
        execution.job,
        execution.run_id[:8],
    )


def stats(
    name: Annotated[
        str | None, typer.Argument(help="Id of a task; all tasks if omitted.", autocompletion=task_ids)
    ] = None,
    since: Since = None,
    until: Until = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="First read everything again from Dagster's storage.")
    ] = False,
    json: Json = False,
) -> None:
    """Show how often each task ran, and how it ended.

    Example: mystocks stats --since 30d
    """
    project = open_project()
    first, last = _window(since, until)
    _read(project, rebuild=rebuild)
    statistics = project.history.statistics(name, since=first, until=last)
    if name and not statistics:
        project.find(name)
    if json:
        print_json({task_id: task.to_json() for task_id, task in statistics.items()})
        return
    columns = ("task", "name", "runs", State.SUCCESS, State.FAILED, "success %", "mean s", "p95 s", "last", "status")
    optional = ("name", "p95 s", "mean s", "last")
    print_table(columns, map(_statistics_row, statistics.values()), optional=optional)


def _statistics_row(task: Any) -> tuple[Any, ...]:
    return (
        task.task_id,
        task.task_name,
        task.total_executions,
        task.success_count,
        task.failed_count,
        "" if task.success_rate is None else f"{task.success_rate:.1f}",
        seconds(task.avg_duration),
        seconds(task.p95_duration),
        f"{task.last_execution_time:%m-%d %H:%M}" if task.last_execution_time else "",
        coloured(task.last_status) if task.last_status else "",
    )


def cleanup(
    days: Annotated[int, typer.Option(min=1, max=36_500, help="Remove runs that ended more than this many days ago.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    json: Json = False,
) -> None:
    """Remove old runs with their events and logs, and free the disk space.

    Partitions, checks and statistics stay as they are.

    Example: mystocks cleanup --days 90 --dry-run
    """
    project = open_project()
    with _progress("cleaning up") as progress:
        cleaned = project.history.clean_up(days, dry_run=dry_run, progress=progress)
    if json:
        print_json(cleaned.to_json())
        return
    for note in cleaned.notes:
        errors.print(f"[yellow]{escape(note)}[/]")
    rows = (
        f"{cleaned.runs:,} runs with {cleaned.executions:,} executions, {cleaned.ticks:,} ticks and "
        f"{cleaned.task_files:,} stored task files older than {days} days: {cleaned.bytes_freed / 1e6:,.1f} MB"
    )
    console.print(f"Would remove {rows}, plus the space in databases." if dry_run else f"Removed {rows} freed.")
    if cleaned.kept:
        console.print(
            f"[dim]{cleaned.kept:,} old runs stay: those of failed partitions and active backfills, the newest run.[/]"
        )


def _read(project: Any, *, rebuild: bool = False) -> None:
    """Update the roll-up, with a progress bar: the first time takes minutes in a storage with many runs."""
    with _progress("reading runs") as progress:
        project.history.update(progress, rebuild=rebuild)


def moment_of(since: str | None) -> datetime | None:
    """Return the moment that an option names; raises `InvalidParams` if it is none."""
    return _window(since, None)[0]


def _window(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    from mystocks_dagster.history.times import parse_time

    return (parse_time(since) if since else None, parse_time(until, end=True) if until else None)


@contextmanager
def _progress(label: str) -> Generator[Callable[[int, int], None]]:
    """Show a progress bar on a terminal, and nothing elsewhere; yields the function that moves it."""
    from rich.progress import Progress

    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task: Any = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
