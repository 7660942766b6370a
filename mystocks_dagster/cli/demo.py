"""demo: the main job from end to end on a complete small simulated market, in a lake of its own."""

import time

import typer

from mystocks_dagster.cli.opened import open_project
from mystocks_dagster.cli.printing import console, escape
from mystocks_dagster.cli.runs import print_executions
from mystocks_dagster.lake.location import check_location
from mystocks_dagster.settings import Settings, use_demo

#: What the demo runs: the seed's main groups.
GROUPS = ("daily_job", "market_data_fetch")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo() -> None:
    """Run daily_job and market_data_fetch on a simulated market, in the demo's own lake.

    Example: mystocks demo
    """
    use_demo()
    from mystocks_dagster.follow import run_and_follow

    settings = Settings.from_env()
    check_location(settings.lake)
    project = open_project(settings)
    began = time.monotonic()
    console.print("[bold]The market of this demo is simulated[/] (模拟行情, not real prices); it is kept apart from any real data.")
    done = []
    for group in GROUPS:
        console.print(f"\n[bold]{escape(project.title(group))}[/] ({group})")
        done.append(run_and_follow(project, project.create(group, {})))
    console.print()
    print_executions([one for run in done for one in run.executions])
    console.print(f"\n{time.monotonic() - began:.0f} s. The lake is {escape(str(settings.lake))}")
    console.print("Look into it:  mystocks --demo data tables   (.venv/bin/mystocks when the environment is not active)")
    console.print("Next:          [bold]make ui[/]   to see runs, tables and lineage in the browser")
    raise typer.Exit(0 if all(run.succeeded for run in done) else 1)
