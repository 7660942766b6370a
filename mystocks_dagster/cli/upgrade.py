"""upgrade: bring a project of an older version along."""

from typing import Annotated

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.printing import console, escape, print_json, translate
from mystocks_dagster.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(upgrade)


def upgrade(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    json: Json = False,
) -> None:
    """Bring a project of an older version along: dagster.yaml, Dagster's history, the lake.

    It can be repeated, and continues after an interruption. tasks.yaml is yours: its problems are listed, and the exit
    code is 1 if there are any.

    Example: mystocks upgrade --dry-run
    """
    from mystocks_dagster.project import upgrade as project_upgrade
    from mystocks_dagster.taskfile.reader import check_task_file
    from mystocks_dagster.version_stamp import installed

    settings = Settings.from_env()

    def report(step: project_upgrade.Step) -> None:
        if not json:
            console.print(f"[bold]{translate(step.part)}[/]  {escape(translate(step.about))}")

    steps = project_upgrade.plan(settings) if dry_run else project_upgrade.upgrade(settings, report)
    problems = check_task_file(settings.task_file)
    missing = project_upgrade.missing_tasks(settings)
    if json:
        print_json(
            {
                "version": installed(),
                "dry_run": dry_run,
                "steps": [{"part": step.part, "about": step.about} for step in steps],
                "missing_tasks": missing,
                "problems": [problem.to_json() for problem in problems],
            }
        )
        raise typer.Exit(1 if problems else 0)
    for step in steps if dry_run else ():
        report(step)
    done = f"{len(steps)} to do" if dry_run else f"{len(steps)} done"
    console.print(done if steps else f"The project is of version {installed()}; there is nothing to do.")
    if missing:
        console.print(f"[dim]Shipped with this version and not in tasks.yaml: {', '.join(missing)}[/]")
    if problems:
        console.print(f"[red]{len(problems)} problem(s)[/] in tasks.yaml. See: mystocks check")
    raise typer.Exit(1 if problems else 0)
