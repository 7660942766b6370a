"""What people look at: the table of all tasks and groups, and a page for each."""

from datetime import timedelta

from fastapi import APIRouter, Request, Response

from mystocks_dagster.api.pages import task_table
from mystocks_dagster.api.pages.site import Site, project_of
from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.market.clock import now
from mystocks_dagster.tags import UNDER_WAY
from mystocks_dagster.taskfile.model import Group, Task

#: Executions on a task's page.
_SHOWN = 40
_DAYS = {"7": 7, "30": 30}


def register(router: APIRouter, site: Site) -> None:
    """Add the pages."""

    @router.get("")
    @router.get("/")
    def overview(request: Request) -> Response:
        project = project_of(request)
        kind, text = (request.query_params.get(name, "") for name in ("type", "q"))
        found = task_table.lines(project)
        shown = task_table.fitting(found, kind, text)
        kinds = sorted({line.kind for line in found})
        return site.render(
            request, "table.html", lines=shown, kinds=kinds, kind=kind, text=text, version=project.version
        )

    @router.get("/{name}")
    def one(request: Request, name: str) -> Response:
        return task_page(site, request, name)


def task_page(site: Site, request: Request, name: str, error: MyStocksError | None = None) -> Response:
    """Return the page of a task or group, with the error of what was just asked for."""
    project = project_of(request)
    entry = project.find(name)
    is_task = isinstance(entry, Task)
    since = _DAYS.get(request.query_params.get("days", ""))
    executions = list(project.history.executions(name, limit=_SHOWN))
    members = [line for line in task_table.lines(project) if line.id in entry.tasks] if isinstance(entry, Group) else []
    return site.render(
        request,
        "task.html",
        error,
        entry=entry,
        name=name,
        title=project.title(name),
        is_task=is_task,
        members=members,
        switch=project.schedules.switches().get(name),
        coming=project.schedules.next_runs(name, 3),
        executions=executions,
        under_way=any(one.status in UNDER_WAY for one in executions),
        bars=task_table.bars(executions),
        statistics=project.history.statistics(name, since=now() - timedelta(days=since) if since else None)[name]
        if is_task
        else None,
        days=request.query_params.get("days", ""),
        tables=task_table.tables_of(project, name),
        users=task_table.users_of(project, name),
        facts=list(task_table.settings_of(entry)),
        params=entry.masked()["params"] if is_task else {},
    )
