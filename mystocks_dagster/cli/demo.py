"""demo: the main job from end to end on a complete small simulated market, in a lake of its own."""

import time
from datetime import datetime
from typing import Annotated, Any

import typer

from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, escape
from mystocks_dagster.cli.run import print_executions
from mystocks_dagster.lake.location import check_location
from mystocks_dagster.settings import Settings, use_demo
from mystocks_dagster.tags import State, Tag

#: What the demo runs: the seed's main groups.
GROUPS = ("daily_job", "market_data_fetch")
#: The tag that says with which version of the task file a run was made.


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    again: Annotated[
        bool, typer.Option("--again", help="Run it also when it has run to the end on the newest trading day.")
    ] = False,
) -> None:
    """Run daily_job and market_data_fetch on a simulated market, in the demo's own lake; once a trading day is enough.

    Example: mystocks demo
    """
    use_demo()
    from mystocks_dagster.project.follow import run_and_follow

    settings = Settings.from_env()
    check_location(settings.lake)
    project = open_project(settings)
    began = time.monotonic()
    console.print(
        "[bold]The market of this demo is simulated[/] (模拟行情, not real prices); it is kept apart from any real data."
    )
    if not again and (finished := _finished(project)):
        console.print(
            "It has run to the end on the newest trading day; nothing has changed since. Run it once more: mystocks demo --again\n"
        )
        print_executions(finished)
        _say_where(settings, began)
        return
    done = []
    for group in GROUPS:
        console.print(f"\n[bold]{escape(project.title(group))}[/] ({group})")
        done.append(run_and_follow(project, project.create(group, {})))
    console.print()
    print_executions([one for run in done for one in run.executions])
    _say_where(settings, began)
    raise typer.Exit(0 if all(run.succeeded for run in done) else 1)


def _say_where(settings: Settings, began: float) -> None:
    console.print(f"\n{time.monotonic() - began:.0f} s. The lake is {escape(str(settings.lake))}")
    console.print(
        "Look into it:  mystocks --demo data tables   (.venv/bin/mystocks when the environment is not active)"
    )
    console.print("Next:          [bold]make ui[/]   to see runs, tables and lineage in the browser")


def _finished(project: Any) -> list[Any]:
    """Return the executions of the last demo, when nothing can have changed since; empty when it must run.

    Nothing has changed when every task succeeded after the newest trading day's data were ready, with this version of
    the
    task file, and the lake holds that day of the same simulated market.
    """
    from mystocks_dagster.lake.loads import complete_days
    from mystocks_dagster.lake.store import Lake
    from mystocks_dagster.market.calendar import DATA_READY, shanghai
    from mystocks_dagster.market.clock import SHANGHAI, now
    from mystocks_dagster.sources.registry import open_source

    day, certain = shanghai().probable_latest_closed(now(), DATA_READY)
    lake = Lake(project.settings.lake)
    if (
        not certain
        or lake.stored_world() != open_source("simulated", project.settings).world
        or day not in complete_days(lake, "daily_bars")
    ):
        return []
    ready = datetime.combine(day, DATA_READY, SHANGHAI)
    newest = [
        next(iter(project.history(task, limit=1)), None) for group in GROUPS for task in project.find(group).tasks
    ]
    runs = {one.run_id: project.instance.get_run_by_id(one.run_id) for one in newest if one}
    current = all(run is not None and run.tags.get(Tag.TASKFILE) == project.version.hash for run in runs.values())
    well = all(
        one and one.status in (State.SUCCESS, State.SKIPPED) and one.start_time and one.start_time >= ready
        for one in newest
    )
    return newest if current and well else []
