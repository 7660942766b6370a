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
        str, typer.Argument(help="Id of a task that keeps tables by trading day.", autocompletion=task_ids)
    ],
    start: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day.")],
    end: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day; the first one when left out.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also days that are loaded already.")] = False,
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="name=value, for these runs only.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be loaded, and start nothing.")] = False,
    json: Json = False,
) -> None:
    """Load the trading days of a range that are missing; one run for each stretch of them.

    Days that are loaded are left out, so that a broken backfill goes on where it stopped. Days beyond the published
    trading calendar are refused.

    Example: mystocks backfill daily_data_sync --from 2026-03-02 --to 2026-03-06
    """
    from mystocks_dagster.project.follow import run_and_follow

    project = open_project()
    planner = project.backfill(name)
    plan = planner.plan(start.date(), (end or start).date(), again=again)
    if dry_run or not plan.spans:
        if json:
            print_json({**plan.to_json(), "executions": []})
        else:
            console.print(_told(plan))
        return
    if not json:
        console.print(_told(plan))
    config = dict(read_param(text) for text in param or ()) | (
        {"force": True} if again and planner.takes("force") else {}
    )
    done = [
        run_and_follow(project, planner.create(span, config, {Tag.STARTED_BY: "cli"}), quiet=json)
        for span in plan.spans
    ]
    executions = [one for run in done for one in run.executions]
    if json:
        print_json({**plan.to_json(), "executions": [one.to_json() for one in executions]})
    else:
        print_executions(executions)
    raise typer.Exit(0 if all(run.succeeded for run in done) else 1)


def _told(plan: Any) -> str:
    spans = ", ".join(_span(*span) for span in plan.spans) or "nothing"
    return f"{', '.join(plan.tables)}: {plan.days} trading days to load ({spans}), {plan.present} are loaded already."


def _span(first: date, last: date) -> str:
    return f"{first}" if first == last else f"{first} to {last}"
