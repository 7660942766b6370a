"""demo: run the main groups on a small simulated market, in a lake of its own."""

import time
from datetime import datetime
from typing import Annotated, Any

import typer

from mystocks_dagster.cli.open_project import open_project_to_run, ui_command
from mystocks_dagster.cli.printing import console, escape
from mystocks_dagster.cli.run import print_executions
from mystocks_dagster.errors import UnknownName
from mystocks_dagster.lake.location import check_location
from mystocks_dagster.settings import Settings, use_demo
from mystocks_dagster.tags import State, Tag


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    again: Annotated[
        bool, typer.Option("--again", help="Run it even if it has completed on the newest trading day.")
    ] = False,
) -> None:
    """Run daily_job and market_data_fetch on a simulated market, in the demo's own lake, once per trading day.

    Example: mystocks demo
    """
    use_demo()
    from mystocks_dagster.cli.follow import run_and_follow
    from mystocks_dagster.project.suggestions import DEMO_GROUPS

    settings = Settings.from_env()
    check_location(settings.lake)
    project = open_project_to_run(settings)
    _check_groups(project)
    began = time.monotonic()
    console.print(
        "[bold]The market of this demo is simulated[/] (模拟行情, not real prices) "
        "and is stored separately from any real data."
    )
    if not again and (finished := _finished(project)):
        console.print(
            "It has completed on the newest trading day, and nothing has changed since. "
            "Run it again with: mystocks demo --again\n"
        )
        print_executions(finished)
        _print_location(settings, began)
        return
    runs = []
    for group in DEMO_GROUPS:
        console.print(f"\n[bold]{escape(project.title(group))}[/] ({group})")
        runs.append(run_and_follow(project, project.runs.create(group, {})))
    console.print()
    print_executions([execution for run in runs for execution in run.executions])
    _print_location(settings, began)
    raise typer.Exit(0 if all(run.succeeded for run in runs) else 1)


def _check_groups(project: Any) -> None:
    """Raise `UnknownName`, with what can be run instead, if the task file lacks a group of the demo."""
    from mystocks_dagster.project.suggestions import DEMO_GROUPS, demo_lacks, run_command

    if lacking := demo_lacks(project):
        command = run_command(project).replace("mystocks run", "mystocks --demo run")
        raise UnknownName(
            f"The demo runs the groups {' and '.join(DEMO_GROUPS)} of the shipped task file, and "
            f"{project.settings.task_file} has no group {' and '.join(lacking)}. "
            f"Run what it has on the simulated market: {command}"
        )


def _print_location(settings: Settings, began: float) -> None:
    console.print(f"\n{time.monotonic() - began:.0f} s. The lake is {escape(str(settings.lake))}")
    console.print(
        "Inspect it:    mystocks --demo data tables   (.venv/bin/mystocks if the environment is not activated)"
    )
    console.print(f"Next:          [bold]{ui_command(settings)}[/]   to see runs, tables and lineage in the browser")


def _finished(project: Any) -> list[Any]:
    """Return the executions of the last demo if it is still up to date; empty if the demo must run.

    It is up to date if the lake holds the newest trading day of the same simulated market, and every task succeeded
    after that day's data were ready, with the current version of the task file.
    """
    from mystocks_dagster.lake.loads import complete_days
    from mystocks_dagster.lake.store import Lake
    from mystocks_dagster.market.calendar import DATA_READY, shanghai
    from mystocks_dagster.market.clock import SHANGHAI, now
    from mystocks_dagster.project.suggestions import DEMO_GROUPS
    from mystocks_dagster.sources.registry import open_source

    day, certain = shanghai().probable_latest_closed(now(), DATA_READY)
    lake = Lake(project.settings.lake)
    same_world = lake.stored_world() == open_source("simulated", project.settings).world
    if not certain or not same_world or day not in complete_days(lake, "daily_bars"):
        return []
    ready = datetime.combine(day, DATA_READY, SHANGHAI)
    tasks = [task for group in DEMO_GROUPS for task in project.find(group).tasks]
    executions = [next(iter(project.history.executions(task, limit=1)), None) for task in tasks]
    current = all(execution and _is_current(project, execution, ready) for execution in executions)
    return executions if current else []


def _is_current(project: Any, execution: Any, ready: datetime) -> bool:
    """Return whether a task did its work after `ready` with the current version of the task file."""
    if execution.status not in (State.SUCCESS, State.SKIPPED):
        return False
    if not execution.start_time or execution.start_time < ready:
        return False
    run = project.instance.get_run_by_id(execution.run_id)
    return run is not None and run.tags.get(Tag.TASKFILE) == project.version.hash
