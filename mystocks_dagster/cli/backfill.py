"""backfill: load past trading days."""

from datetime import date, datetime
from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import task_ids
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, print_json
from mystocks_dagster.cli.run import print_executions, read_param
from mystocks_dagster.tags import Tag


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(backfill)


def backfill(
    name: Annotated[
        str, typer.Argument(help="Id of a task that fills tables by trading day.", autocompletion=task_ids)
    ],
    start: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")],
    end: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day; same as the first if omitted.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also load days that are loaded already.")] = False,
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="name=value, for these runs only.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be loaded, and start nothing.")] = False,
    json: Json = False,
) -> None:
    """Load the missing trading days of a range, one run per contiguous stretch.

    Loaded days are skipped, so an interrupted backfill continues where it stopped. Days after the end of the published
    trading calendar are refused.

    Example: mystocks backfill daily_data_sync --from 2026-03-02 --to 2026-03-06
    """
    from mystocks_dagster.cli.follow import run_and_follow

    project = open_project()
    planner = project.runs.backfill(name)
    plan = planner.plan(start.date(), (end or start).date(), again=again)
    if not json:
        console.print(_summary(plan))
    if dry_run or not plan.spans:
        if json:
            print_json({**plan.to_json(), "executions": []})
        return
    config = dict(read_param(text) for text in param or ())
    if again and planner.takes("force"):
        config["force"] = True
    runs = [
        run_and_follow(project, planner.create(span, config, {Tag.STARTED_BY: "cli"}), quiet=json)
        for span in plan.spans
    ]
    executions = [execution for run in runs for execution in run.executions]
    if json:
        print_json({**plan.to_json(), "executions": [execution.to_json() for execution in executions]})
    else:
        print_executions(executions)
    raise typer.Exit(0 if all(run.succeeded for run in runs) else 1)


def _summary(plan: Any) -> str:
    spans = ", ".join(_span(*span) for span in plan.spans) or "nothing"
    return f"{', '.join(plan.tables)}: {plan.days} trading days to load ({spans}), {plan.present} are loaded already."


def _span(first: date, last: date) -> str:
    return f"{first}" if first == last else f"{first} to {last}"
