"""The actions on a task or group: run, stop, switch."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from mystocks_dagster.api.pages import run_form
from mystocks_dagster.api.pages.site import Form, Site, project_of, redirect
from mystocks_dagster.api.pages.views import task_page
from mystocks_dagster.errors import Forbidden, MyStocksError, UnknownName
from mystocks_dagster.project.project import Project
from mystocks_dagster.taskfile.model import Task

_SWITCH_POSITIONS = {"on": True, "off": False, "reset": None}


def register(router: APIRouter, site: Site) -> None:
    """Add the pages to the router."""
    _register_run(router, site)
    _register_stop(router, site)
    _register_switch(router, site)


def _register_run(router: APIRouter, site: Site) -> None:
    @router.get("/{name}/run")
    def show_form(request: Request, name: str) -> Response:
        return _run_page(site, request, name)

    @router.post("/{name}/run")
    def run(request: Request, name: str, form: Form) -> Response:
        project = project_of(request)
        entry = project.find(name)
        try:
            values: dict[str, Any] = {}
            if isinstance(entry, Task):
                values = run_form.changed(_params(project, entry), _prefixed(form, "param."))
            run_id = project.runs.start(name, values, only=form.get("only") == "on")
        except MyStocksError as error:
            return _run_page(site, request, name, form, error)
        return redirect(f"/tasks/{name}", done="started", run=run_id)


def _register_stop(router: APIRouter, site: Site) -> None:
    @router.post("/{name}/stop")
    def stop(request: Request, name: str, form: Form) -> Response:
        return _act(site, request, name, form, "stopped", lambda: project_of(request).runs.stop(name))


def _register_switch(router: APIRouter, site: Site) -> None:
    @router.post("/{name}/switch")
    def switch(request: Request, name: str, form: Form) -> Response:
        position = form.get("to", "")
        if position not in _SWITCH_POSITIONS:
            raise Forbidden(f"{position!r} is not a position of a switch; the positions are on, off and reset.")
        on = _SWITCH_POSITIONS[position]
        return _act(site, request, name, form, position, lambda: project_of(request).schedules.switch(name, on))


def _act(
    site: Site, request: Request, name: str, form: Mapping[str, str], done: str, action: Callable[[], object]
) -> Response:
    """Do what a button stands for and return to its page, or show the task's page with the error."""
    try:
        action()
    except UnknownName:
        raise
    except MyStocksError as error:
        return task_page(site, request, name, error)
    return redirect("/tasks" if form.get("back") == "table" else f"/tasks/{name}", done=done)


def _params(project: Project, task: Task) -> list[run_form.Param]:
    return run_form.params_of(task, project.version.functions[task.task_id], project.settings.source)


def _run_page(
    site: Site, request: Request, name: str, form: Mapping[str, str] | None = None, error: MyStocksError | None = None
) -> Response:
    project = project_of(request)
    entry = project.find(name)
    fields = _params(project, entry) if isinstance(entry, Task) else []
    typed = {field.name: field.text for field in fields} | (_prefixed(form, "param.") if form else {})
    return site.render(
        request,
        "run.html",
        error,
        name=name,
        title=project.title(name),
        is_task=isinstance(entry, Task),
        params=fields,
        typed=typed,
        only=bool(form and form.get("only") == "on"),
        dependencies=entry.dependencies if isinstance(entry, Task) else (),
    )


def _prefixed(form: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): value for name, value in form.items() if name.startswith(prefix)}
