"""backfill: load past trading days."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import task_ids
from mystocks_dagster.cli.data_gaps import days_text
from mystocks_dagster.cli.days import day_option
from mystocks_dagster.cli.fill_plan import print_plan, print_postponed
from mystocks_dagster.cli.open_project import open_project, open_project_to_run
from mystocks_dagster.cli.printing import console, print_json
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
    start: Annotated[date | None, day_option("--from", help="First day.")] = None,
    end: Annotated[
        date | None,
        day_option("--to", help="Last day; same as the first if omitted, with --missing today."),
    ] = None,
    missing: Annotated[
        bool,
        typer.Option("--missing", help="Load what `mystocks data gaps` lists, each stretch from its cheapest source."),
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Also load days that are loaded already.")] = False,
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="name=value, for these runs only.")] = None,
    requests: Annotated[
        int | None,
        typer.Option(
            "--requests",
            min=0,
            help="With --missing, send at most so many requests a day to each host, in place of its own limit.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be loaded, and start nothing.")] = False,
    json: Json = False,
) -> None:
    """Load the missing trading days of a range, one run per contiguous stretch.

    Loaded days are skipped, so an interrupted backfill continues where it stopped. Days after the end of the published
    trading calendar are refused. With --missing, the plan is printed first, and what would send too many requests to a
    host is left for another day: then the exit code is 1, and the same command continues.

    Example: mystocks backfill daily_data_sync --from 2026-03-02 --to 2026-03-06
    """
    config = dict(read_param(text) for text in param or ())
    if missing:
        if again:
            raise InvalidParams("--missing loads what is not complete; leave out --again, or --missing.")
        _fill_missing(names or [], start, end, config, requests=requests, dry_run=dry_run, json=json)
    if requests is not None:
        raise InvalidParams("--requests limits what --missing loads; add --missing, or leave it out.")
    if not names or len(names) != 1 or start is None:
        raise InvalidParams(
            "Name one task and its first day: mystocks backfill TASK --from YYYY-MM-DD. "
            "To load all that is missing: mystocks backfill --missing"
        )
    _fill_range(names[0], start, end or start, config, again=again, dry_run=dry_run, json=json)


def _fill_range(
    name: str, first: date, last: date, config: Mapping[str, Any], *, again: bool, dry_run: bool, json: bool
) -> None:
    project = open_project() if dry_run else open_project_to_run()
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
    tables: list[str],
    start: date | None,
    end: date | None,
    config: Mapping[str, Any],
    *,
    requests: int | None,
    dry_run: bool,
    json: bool,
) -> None:
    """Load the gaps of tables within what the hosts allow; end the command."""
    project = open_project() if dry_run else open_project_to_run()
    plan = project.coverage.plan(tables, start=start, end=end, source=config.get("data_source"), requests=requests)
    if not json:
        print_plan(plan)
    if dry_run:
        if json:
            print_json({**plan.to_json(), "executions": []})
        raise typer.Exit(0)
    finished, left = _run_fills(project, plan.fills, config, requests, quiet=json)
    executions = [execution for run in finished for execution in run.executions]
    if json:
        postponed = [item.to_json() for item in (*plan.postponed, *left)]
        given = {**plan.to_json(), "postponed": postponed}
        print_json({**given, "executions": [execution.to_json() for execution in executions]})
    else:
        if executions:
            print_executions(executions)
        print_postponed(left)
    whole = not plan.postponed and not left and all(run.succeeded for run in finished)
    raise typer.Exit(0 if whole else 1)


def _run_fills(
    project: Any, fills: Sequence[Any], config: Mapping[str, Any], requests: int | None, *, quiet: bool
) -> tuple[list[Any], list[Any]]:
    """Run what is still possible of each fill; return the finished runs, and what is left for another day.

    A source gets its requests counted in each run, so the budget is read again before the next one.
    """
    from mystocks_dagster.cli.follow import run_and_follow

    finished, left = [], []
    for planned in fills:
        fill, postponed = project.coverage.today(planned, requests)
        if postponed:
            left.append(postponed)
        if fill is None:
            continue
        finished.append(run_and_follow(project, project.runs.create_fill(fill, config), quiet=quiet))
    return finished, left


def _run_all(project: Any, runs: list[tuple[Any, Any, Any]], plan: Mapping[str, Any], *, json: bool) -> None:
    """Run the spans one after the other, print their executions and exit with their result."""
    from mystocks_dagster.cli.follow import run_and_follow

    finished = []
    for planner, span, config in runs:
        run_id = planner.create(span, config, {Tag.STARTED_BY: "cli"})
        project.runs.note_backfill(planner.task_id, run_id)
        finished.append(run_and_follow(project, run_id, quiet=json))
    executions = [execution for run in finished for execution in run.executions]
    if json:
        print_json({**plan, "executions": [execution.to_json() for execution in executions]})
    else:
        print_executions(executions)
    raise typer.Exit(0 if all(run.succeeded for run in finished) else 1)


def _summary(plan: Any) -> str:
    spans = ", ".join(days_text(*span) for span in plan.spans) or "nothing"
    return f"{', '.join(plan.tables)}: {plan.days} trading days to load ({spans}), {plan.present} are loaded already."
