"""backfill: load past trading days."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import task_ids
from mystocks_dagster.cli.data_gaps import days_text
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, escape, print_json, print_table
from mystocks_dagster.cli.run import print_executions, read_param
from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.tags import Tag


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(backfill)


def backfill(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Id of a task that fills tables by trading day; with --missing names of tables, else all.",
            autocompletion=task_ids,
        ),
    ] = None,
    start: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    end: Annotated[
        datetime | None,
        typer.Option(
            "--to", formats=["%Y-%m-%d"], help="Last day; same as the first if omitted, with --missing today."
        ),
    ] = None,
    missing: Annotated[
        bool,
        typer.Option("--missing", help="Load what `mystocks data gaps` lists, each stretch from its cheapest source."),
    ] = False,
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
    config = dict(read_param(text) for text in param or ())
    first, last = start and start.date(), end and end.date()
    if missing:
        if again:
            raise InvalidParams("--missing loads what is not complete; leave out --again, or --missing.")
        _fill_missing(names or [], first, last, config, dry_run=dry_run, json=json)
    if not names or len(names) != 1 or first is None:
        raise InvalidParams(
            "Name one task and its first day: mystocks backfill TASK --from YYYY-MM-DD. "
            "To load all that is missing: mystocks backfill --missing"
        )
    _fill_range(names[0], first, last or first, config, again=again, dry_run=dry_run, json=json)


def _fill_range(
    name: str, first: date, last: date, config: Mapping[str, Any], *, again: bool, dry_run: bool, json: bool
) -> None:
    project = open_project()
    planner = project.runs.backfill(name)
    plan = planner.plan(first, last, again=again)
    if not json:
        console.print(_summary(plan))
    if dry_run or not plan.spans:
        if json:
            print_json({**plan.to_json(), "executions": []})
        return
    force = {"force": True} if again and planner.takes("force") else {}
    _run_all(project, [(planner, span, {**config, **force}) for span in plan.spans], plan.to_json(), json=json)


def _fill_missing(
    tables: list[str], start: date | None, end: date | None, config: Mapping[str, Any], *, dry_run: bool, json: bool
) -> None:
    """Load the gaps of tables; end the command."""
    project = open_project()
    plan = project.coverage.plan(tables, start=start, end=end, source=config.get("data_source"))
    if not json:
        _print_plan(plan)
    if dry_run or not plan.fills:
        if json:
            print_json({**plan.to_json(), "executions": []})
        raise typer.Exit(0)
    runs = []
    for fill in plan.fills:
        planner = project.runs.backfill(fill.task_id)
        given = {"data_source": fill.source, **({"force": True} if fill.force else {})}
        known = {name: value for name, value in given.items() if planner.takes(name)}
        runs.append((planner, (fill.first, fill.last), {**known, **config}))
    _run_all(project, runs, plan.to_json(), json=json)


def _run_all(project: Any, runs: list[tuple[Any, Any, Any]], plan: Mapping[str, Any], *, json: bool) -> None:
    """Run the spans one after the other, print their executions and exit with their result."""
    from mystocks_dagster.cli.follow import run_and_follow

    finished = [
        run_and_follow(project, planner.create(span, config, {Tag.STARTED_BY: "cli"}), quiet=json)
        for planner, span, config in runs
    ]
    executions = [execution for run in finished for execution in run.executions]
    if json:
        print_json({**plan, "executions": [execution.to_json() for execution in executions]})
    else:
        print_executions(executions)
    raise typer.Exit(0 if all(run.succeeded for run in finished) else 1)


def _summary(plan: Any) -> str:
    spans = ", ".join(days_text(*span) for span in plan.spans) or "nothing"
    return f"{', '.join(plan.tables)}: {plan.days} trading days to load ({spans}), {plan.present} are loaded already."


def _print_plan(plan: Any) -> None:
    rows = [
        (fill.task_id, days_text(fill.first, fill.last), fill.days, fill.source, fill.requests, ", ".join(fill.tables))
        for fill in plan.fills
    ]
    if rows:
        print_table(("task", "trading days", "days", "source", "requests", "tables"), rows)
    for item in plan.not_fillable:
        days = f"{item.days} day{'' if item.days == 1 else 's'}"
        console.print(
            f"[yellow]cannot be loaded:[/] {item.table} {days_text(item.first, item.last)} ({days}): {escape(item.why)}"
        )
    for name, task in plan.never_loaded.items():
        load = f"mystocks run {task}" if task else "no task of tasks.yaml loads it"
        console.print(f"{name}: nothing is loaded yet, so nothing counts as missing; {load}")
    if not rows and not plan.not_fillable:
        console.print("No day is missing.")
