"""data migrate: bring a lake of an older version to the current format."""

from typing import Annotated

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.printing import console, escape, print_json
from mystocks_dagster.settings import Settings


def register(data: typer.Typer) -> None:
    """Add the command under `data`."""
    data.command()(migrate)


def migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    json: Json = False,
) -> None:
    """Migrate a lake that an older version wrote to the current format; continues after an interruption.

    Example: mystocks data migrate --dry-run
    """
    from mystocks_dagster.lake.migrate import Step, plan
    from mystocks_dagster.lake.migrate import migrate as execute
    from mystocks_dagster.lake.store import Lake
    from mystocks_dagster.project import audit
    from mystocks_dagster.project.access import CLI

    def report(step: Step) -> None:
        if not json:
            console.print(f"{step.table}, to format {step.number}: {escape(step.about)}")

    settings = Settings.from_env()
    lake = Lake(settings.lake)
    steps = plan(lake)
    if steps and not dry_run:  # noted first, for it may be killed between two tables
        audit.add(settings, CLI, "migrate the lake", "", ", ".join(dict.fromkeys(step.table for step in steps)))
        steps = execute(lake, report)
    if json:
        print_json({"dry_run": dry_run, "steps": [vars(step) for step in steps]})
        return
    if dry_run:
        for step in steps:
            report(step)
    summary = f"{len(steps)} to do" if dry_run else f"{len(steps)} done"
    console.print(summary if steps else "The lake has the current format; there is nothing to do.")
