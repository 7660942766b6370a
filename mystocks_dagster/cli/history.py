"""history, stats, cleanup: look back, and remove what is old."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import MANY, all_ids, task_ids
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import coloured, console, errors, escape, print_json, print_table, seconds
from mystocks_dagster.tags import State, Status

Since = Annotated[str | None, typer.Option(help="Only what started since then: 7d, 12h, 2025-04-07, 2025-04-07T16:00.")]
Until = Annotated[str | None, typer.Option(help="Only what started until then; a date counts to its end.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(history)
    app.command()(stats)
    app.command()(cleanup)


def history(
    name: Annotated[
        str | None,
        typer.Argument(help="Id of a task, or of a group for its runs; all when left out.", autocompletion=all_ids),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=MANY, help="At most this many, the newest first.")] = 20,
    status: Annotated[Status | None, typer.Option(help="Only executions of this status, such as failed.")] = None,
    since: Since = None,
    until: Until = None,
    json: Json = False,
) -> None:
    """Show what ran, when, and how it ended.

    Example: mystocks history daily_data_sync --limit 5 --since 7d
    """
    project = open_project()
    first, last = _window(since, until)
    _read(project)
    newest = list(project.history(name, since=first, until=last, limit=limit, status=status))
    if name and not newest and name not in project.statistics(name):
        project.find(name)  # a task that has left the file keeps its history; a misspelt one gets near names
    if json:
        print_json([one.to_json() for one in newest])
    elif not newest:
        console.print("Nothing of that has run yet. Start something with: mystocks run daily_job")
    else:
        rows = [
            (
                f"{one.start_time:%Y-%m-%d %H:%M:%S}" if one.start_time else "",
                one.task_id,
                coloured(one.status),
                seconds(one.duration),
                one.retry_count,
                one.job,
                one.run_id[:8],
            )
            for one in newest
        ]
        print_table(("start", "task", "status", "seconds", "retries", "job", "run"), rows)


def stats(
    name: Annotated[
        str | None, typer.Argument(help="Id of a task; all tasks when left out.", autocompletion=task_ids)
    ] = None,
    since: Since = None,
    until: Until = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Read everything again from Dagster's storage first.")
    ] = False,
    json: Json = False,
) -> None:
    """Show how often each task ran and how it went.

    Example: mystocks stats --since 30d
    """
    project = open_project()
    first, last = _window(since, until)
    _read(project, rebuild=rebuild)
    found = project.statistics(name, since=first, until=last)
    if name and not found:
        project.find(name)
    if json:
        print_json({task_id: one.to_json() for task_id, one in found.items()})
        return
    rows = [
        (
            one.task_id,
            one.task_name,
            one.total_executions,
            one.success_count,
            one.failed_count,
            "" if one.success_rate is None else f"{one.success_rate:.1f}",
            seconds(one.avg_duration),
            seconds(one.p95_duration),
            f"{one.last_execution_time:%m-%d %H:%M}" if one.last_execution_time else "",
            coloured(one.last_status) if one.last_status else "",
        )
        for one in found.values()
    ]
    print_table(
        ("task", "name", "runs", State.SUCCESS, State.FAILED, "success %", "mean s", "p95 s", "last", "status"), rows
    )


def cleanup(
    days: Annotated[int, typer.Option(min=1, max=36_500, help="Remove what ended more than this many days ago.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    json: Json = False,
) -> None:
    """Remove old runs with their events and logs, and give the space back; partitions, checks and statistics stay as they are.

    Example: mystocks cleanup --days 90 --dry-run
    """
    project = open_project()
    with _progress("cleaning up") as progress:
        cleaned = project.cleanup(days, dry_run=dry_run, progress=progress)
    if json:
        print_json(cleaned.to_json())
        return
    for note in cleaned.notes:
        errors.print(f"[yellow]{escape(note)}[/]")
    said = "Would remove" if dry_run else "Removed"
    console.print(
        f"{said} {cleaned.runs:,} runs with {cleaned.executions:,} executions, {cleaned.ticks:,} ticks and {cleaned.task_files:,} stored "
        f"task files older than {days} days: {cleaned.bytes_freed / 1e6:,.1f} MB"
        + (" and what the databases shrink." if dry_run else " given back to the disk.")
    )
    if cleaned.kept:
        console.print(
            f"[dim]{cleaned.kept:,} old runs stay: partitions that failed, backfills that go on, the newest run.[/]"
        )


def _read(project: Any, *, rebuild: bool = False) -> None:
    """Bring the roll-up up to date under a bar: the first time takes minutes on a store with many runs."""
    with _progress("reading runs") as progress:
        project.read_history(progress, rebuild=rebuild)


def _window(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    from mystocks_dagster.history.times import parse_time

    return (parse_time(since) if since else None, parse_time(until, end=True) if until else None)


@contextmanager
def _progress(what: str) -> Generator[Callable[[int, int], None]]:
    """Show a bar on a terminal while something goes on; nothing elsewhere."""
    from rich.progress import Progress

    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task: Any = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
