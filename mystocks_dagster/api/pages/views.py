"""The table of all tasks and groups, and the page of each."""

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from mystocks_dagster.api.pages import task_table
from mystocks_dagster.api.pages.site import Site, project_of
from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.market.clock import now
from mystocks_dagster.project.project import Project
from mystocks_dagster.tags import UNDER_WAY
from mystocks_dagster.taskfile.model import Group, Task

#: Number of executions on the page of a task.
_MAX_EXECUTIONS = 40
_DAYS = {"7": 7, "30": 30}


def register(router: APIRouter, site: Site) -> None:
    """Add the pages to the router."""

    @router.get("")
    @router.get("/")
    def overview(request: Request) -> Response:
        project = project_of(request)
        kind, text = (request.query_params.get(name, "") for name in ("type", "q"))
        all_rows = task_table.table_rows(project)
        rows = task_table.matching(all_rows, kind, text)
        kinds = sorted({row.kind for row in all_rows})
        return site.render(request, "table.html", rows=rows, kinds=kinds, kind=kind, text=text, version=project.version)

    @router.get("/{name}")
    def details(request: Request, name: str) -> Response:
        return task_page(site, request, name)


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
        next_runs=project.schedules.next_runs(name, 3),
        executions=executions,
        active=any(execution.status in UNDER_WAY for execution in executions),
        bars=task_table.bars(executions),
        days=days,
        tables=task_table.tables_of(project, name),
        users=task_table.users_of(project, name),
        entry_settings=list(task_table.settings_of(entry)),
        **(_task_values(project, entry, days) if isinstance(entry, Task) else _group_values(project, entry)),
    )


def _task_values(project: Project, task: Task, days: str) -> dict[str, Any]:
    since = now() - timedelta(days=_DAYS[days]) if days in _DAYS else None
    statistics = project.history.statistics(task.task_id, since=since)[task.task_id]
    return {"is_task": True, "members": [], "statistics": statistics, "params": task.masked()["params"]}


def _group_values(project: Project, group: Group) -> dict[str, Any]:
    members = [row for row in task_table.table_rows(project) if row.id in group.tasks]
    return {"is_task": False, "members": members, "statistics": None, "params": {}}
