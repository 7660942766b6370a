"""The table of all tasks and groups, and the page of each."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from mystocks_dagster.api.pages import paging, task_graph, task_table
from mystocks_dagster.api.pages.site import Site, project_of
from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.factory.jobs import group_edges
from mystocks_dagster.factory.spec import build_specs
from mystocks_dagster.history import Execution
from mystocks_dagster.market.clock import now
from mystocks_dagster.project.project import Project
from mystocks_dagster.tags import SUCCESSES, UNDER_WAY, State
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task

#: Number of executions on the page of a task.
_MAX_EXECUTIONS = 40
_NEXT_RUNS = 5
_DAYS = {"7": 7, "30": 30}


@dataclass(frozen=True, kw_only=True)
class BatchReport:
    """An action on several tasks of which some were refused: the message of each refusal to the ids."""

    done: int
    refusals: Mapping[str, list[str]]


def register(router: APIRouter, site: Site) -> None:
    """Add the pages to the router."""

    @router.get("")
    @router.get("/")
    def overview(request: Request) -> Response:
        return table_page(site, request)

    @router.get("/{name}")
    def details(request: Request, name: str) -> Response:
        return task_page(site, request, name)


def table_page(
    site: Site, request: Request, report: BatchReport | None = None, error: MyStocksError | None = None
) -> Response:
    """Return the table of all tasks; after a batch with refusals or an error, also what was refused."""
    project = project_of(request)
    chosen = task_table.Filter(
        **{
            field: request.query_params.get(name, "")
            for name, field in (("type", "kind"), ("q", "text"), ("owner", "owner"), ("tag", "tag"), ("state", "state"))
        }
    )
    all_rows = task_table.table_rows(project)
    rows, page = paging.cut(task_table.matching(all_rows, chosen), paging.number_of(request))
    return site.render(
        request,
        "table.html",
        error,
        rows=rows,
        page=page,
        chosen=chosen,
        report=report,
        kinds=sorted({row.kind for row in all_rows}),
        owners=sorted({row.owner for row in all_rows} - {""}),
        tags=sorted({tag for row in all_rows for tag in row.tags}),
        states=task_table.FILTER_STATES,
        version=project.version,
    )


def task_page(site: Site, request: Request, name: str, error: MyStocksError | None = None) -> Response:
    """Return the page of a task or group; with the error of a failed action, also its message."""
    project = project_of(request)
    entry = project.find(name)
    days = request.query_params.get("days", "")
    executions = list(project.history.executions(name, limit=_MAX_EXECUTIONS))
    return site.render(
        request,
        "task.html",
        error,
        entry=entry,
        name=name,
        title=project.title(name),
        switch=project.schedules.switches().get(name),
        next_runs=project.schedules.next_runs(name, _NEXT_RUNS)[:_NEXT_RUNS],
        executions=executions,
        active=any(execution.status in UNDER_WAY for execution in executions),
        bars=task_table.bars(executions),
        days=days,
        tables=task_table.tables_of(project, name),
        users=task_table.users_of(project, name),
        entry_settings=list(task_table.settings_of(entry)),
        **(
            _task_values(project, entry, days) if isinstance(entry, Task) else _group_values(project, entry, executions)
        ),
    )


def _task_values(project: Project, task: Task, days: str) -> dict[str, Any]:
    since = now() - timedelta(days=_DAYS[days]) if days in _DAYS else None
    statistics = project.history.statistics(task.task_id, since=since)[task.task_id]
    return {
        "is_task": True,
        "graph": None,
        "statistics": statistics,
        "counts": _counts(project, task.task_id, days),
        "params": task.masked()["params"],
    }


def _counts(project: Project, task_id: str, days: str) -> list[tuple[str, int]]:
    """Return how many executions there are in all and of each kind; the kinds add up to all."""
    since = now() - timedelta(days=_DAYS[days]) if days in _DAYS else None
    counts: Counter[str] = Counter()
    for of_day in project.history.daily(task_id, since=since).get(task_id, {}).values():
        counts.update(of_day)
    kinds = (
        (State.SUCCESS, SUCCESSES),
        (State.FAILED, {State.FAILED}),
        (State.SKIPPED, {State.SKIPPED}),
        (State.CANCELLED, {State.CANCELLED}),
        ("unfinished", UNDER_WAY),
    )
    return [("total", counts.total()), *((kind, sum(counts[status] for status in states)) for kind, states in kinds)]


def _group_values(project: Project, group: Group, executions: list[Execution]) -> dict[str, Any]:
    newest = executions[0].run_id if executions else ""
    states = {execution.task_id: execution.status for execution in executions if execution.run_id == newest}
    edges = group_edges(group, build_specs(project.version))
    graph = task_graph.graph_of(edges, {name: project.title(name) for name in edges}, states)
    return {"is_task": False, "graph": graph, "statistics": None, "counts": [], "params": {}}
