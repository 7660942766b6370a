"""What acts on a task: run, stop, switch."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from mystocks_dagster.api.pages import run_form as params
from mystocks_dagster.api.pages.site import Form, Site, project_of, see
from mystocks_dagster.api.pages.views import task_page
from mystocks_dagster.errors import Forbidden, MyStocksError, UnknownName
from mystocks_dagster.project.project import Project
from mystocks_dagster.taskfile.model import Task

_SWITCHED = {"on": True, "off": False, "reset": None}


def register(router: APIRouter, site: Site) -> None:
    """Add the pages."""

    @router.get("/{name}/run")
    def run_form(request: Request, name: str) -> Response:
        return _run_page(site, request, name)

    @router.post("/{name}/run")
    def run(request: Request, name: str, form: Form) -> Response:
        project = project_of(request)
        entry = project.find(name)
        try:
            values: dict[str, Any] = {}
            if isinstance(entry, Task):
                values = params.changed(_params(project, entry), _prefixed(form, "param."))
            run_id = project.runs.start(name, values, only=form.get("only") == "on")
        except MyStocksError as error:
            return _run_page(site, request, name, form, error)
        return see(f"/tasks/{name}", said="started", run=run_id)

    @router.post("/{name}/stop")
    def stop(request: Request, name: str, form: Form) -> Response:
        try:
            project_of(request).runs.stop(name)
        except UnknownName:
            raise
        except MyStocksError as error:
            return task_page(site, request, name, error)
        return see(_back(form, name), said="stopped")

    @router.post("/{name}/switch")
    def switch(request: Request, name: str, form: Form) -> Response:
        wanted = form.get("to", "")
        if wanted not in _SWITCHED:
            raise Forbidden(f"A switch is turned on, off, or reset, not {wanted!r}.")
        try:
            project_of(request).schedules.switch(name, _SWITCHED[wanted])
        except UnknownName:
            raise
        except MyStocksError as error:
            return task_page(site, request, name, error)
        return see(_back(form, name), said=wanted)


def _params(project: Project, task: Task) -> list[params.Param]:
    return params.params_of(task, project.version.functions[task.task_id], project.settings.source)


def _run_page(
    site: Site, request: Request, name: str, form: Mapping[str, str] | None = None, error: MyStocksError | None = None
) -> Response:
    project = project_of(request)
    entry = project.find(name)
    known = _params(project, entry) if isinstance(entry, Task) else []
    typed = {one.name: one.text for one in known} | (_prefixed(form, "param.") if form else {})
    return site.render(
        request,
        "run.html",
        error,
        name=name,
        title=project.title(name),
        is_task=isinstance(entry, Task),
        params=known,
        typed=typed,
        only=bool(form and form.get("only") == "on"),
        dependencies=entry.dependencies if isinstance(entry, Task) else (),
    )


def _prefixed(form: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): value for name, value in form.items() if name.startswith(prefix)}


def _back(form: Mapping[str, str], name: str) -> str:
    """Return where the button stood: in the table, or on the task's own page."""
    return "/tasks" if form.get("back") == "table" else f"/tasks/{name}"
