"""The pages at /tasks: one table of all tasks and groups, a page and forms for each."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import FileResponse

from mystocks_dagster.api.pages import fields, guard, params, table
from mystocks_dagster.api.pages.site import Site, project_of, route_class, see, status_of, told
from mystocks_dagster.editing import Edited, Editor, runs_command
from mystocks_dagster.errors import Forbidden, MyStocksError, UnknownName
from mystocks_dagster.market.clock import now
from mystocks_dagster.service import Project
from mystocks_dagster.taskfile.document import SECTIONS, Raw, Section
from mystocks_dagster.taskfile.model import Group, Task
from mystocks_dagster.taskfile.plans import EditRefused
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.reader import Version

_STATIC = Path(__file__).parent / "static"
_FILES = {"tasks.css": "text/css", "tasks.js": "text/javascript"}
_SHOWN = 40
_DAYS = {"7": 7, "30": 30}
_SWITCHED = {"on": True, "off": False, "reset": None}

Form = Annotated[dict[str, str], Depends(guard.form_of)]


def pages() -> APIRouter:
    """Return the pages, for an app whose `state.manager` is a `TaskManager` to include."""
    site = Site()
    router = APIRouter(prefix="/tasks", include_in_schema=False, route_class=route_class(site))
    _add_files(router)
    _add_forms(router, site)
    _add_views(router, site)
    _add_steering(router, site)
    return router


def _add_files(router: APIRouter) -> None:
    @router.get("/-/{name}.{ending}")
    def static(name: str, ending: str) -> Response:
        file = f"{name}.{ending}"
        if file not in _FILES:
            raise UnknownName(f"There is no {file}.")
        return FileResponse(_STATIC / file, media_type=_FILES[file], headers={"Cache-Control": "max-age=600"})


def _add_views(router: APIRouter, site: Site) -> None:
    @router.get("")
    @router.get("/")
    def overview(request: Request) -> Response:
        project = project_of(request)
        kind, text = (request.query_params.get(name, "") for name in ("type", "q"))
        found = table.lines(project)
        shown = table.fitting(found, kind, text)
        kinds = sorted({line.kind for line in found})
        return site.render(request, "table.html", lines=shown, kinds=kinds, kind=kind, text=text, version=project.version)

    @router.get("/{name}")
    def one(request: Request, name: str) -> Response:
        return _task_page(site, request, name)


def _task_page(site: Site, request: Request, name: str, error: MyStocksError | None = None) -> Response:
    """Return the page of a task or group, with the error of what was just asked for."""
    project = project_of(request)
    entry = project.find(name)
    is_task = isinstance(entry, Task)
    since = _DAYS.get(request.query_params.get("days", ""))
    executions = list(project.history(name, limit=_SHOWN)) if is_task else []
    members = [line for line in table.lines(project) if line.id in entry.tasks] if isinstance(entry, Group) else []
    return site.render(
        request,
        "task.html",
        status_of(error) if error else 200,
        entry=entry,
        name=name,
        title=project.title(name),
        is_task=is_task,
        members=members,
        switch=project.switches().get(name),
        coming=project.coming(name, 3),
        executions=executions,
        # Of a group it is not known without asking each run: let the person try.
        under_way=not is_task or any(one.status in table.UNDER_WAY for one in executions),
        bars=table.bars(executions),
        statistics=project.statistics(name, since=now() - timedelta(days=since) if since else None)[name] if is_task else None,
        days=request.query_params.get("days", ""),
        tables=table.tables_of(project, name),
        users=table.users_of(project, name),
        facts=list(table.settings_of(entry)),
        params=entry.masked()["params"] if is_task else {},
        error=told(error) if error else None,
    )


def _add_steering(router: APIRouter, site: Site) -> None:
    """Add what acts on a task: run, stop, switch."""

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
                _check_command(project, name, values)
            run_id = project.start(name, values, only=form.get("only") == "on", by="web")
        except MyStocksError as error:
            return _run_page(site, request, name, form, error)
        return see(f"/tasks/{name}", said="started", run=run_id)

    @router.post("/{name}/stop")
    def stop(request: Request, name: str, form: Form) -> Response:
        try:
            project_of(request).stop(name)
        except UnknownName:
            raise
        except MyStocksError as error:
            return _task_page(site, request, name, error)
        return see(_back(form, name), said="stopped")

    @router.post("/{name}/switch")
    def switch(request: Request, name: str, form: Form) -> Response:
        wanted = form.get("to", "")
        if wanted not in _SWITCHED:
            raise Forbidden(f"A switch is turned on, off, or reset, not {wanted!r}.")
        try:
            project_of(request).switch(name, _SWITCHED[wanted])
        except UnknownName:
            raise
        except MyStocksError as error:
            return _task_page(site, request, name, error)
        return see(_back(form, name), said=wanted)


def _params(project: Project, task: Task) -> list[params.Param]:
    return params.params_of(task, project.version.functions[task.task_id], project.settings.source)


def _check_command(project: Project, name: str, values: Mapping[str, Any]) -> None:
    if values and runs_command(project.version, name) and not project.settings.api_commands:
        raise Forbidden(
            f"{name} runs a command of this machine, which may not be given other parameters from here. Use `mystocks run {name}`; "
            "or set MYSTOCKS_API_COMMANDS=yes for the server."
        )


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
        status_of(error) if error else 200,
        name=name,
        title=project.title(name),
        is_task=isinstance(entry, Task),
        params=known,
        typed=typed,
        only=bool(form and form.get("only") == "on"),
        dependencies=entry.dependencies if isinstance(entry, Task) else (),
        error=told(error) if error else None,
    )


def _add_forms(router: APIRouter, site: Site) -> None:
    """Add what changes the task file."""

    @router.get("/-/new")
    def new(request: Request) -> Response:
        section: Section = "task_groups" if request.query_params.get("kind") == "group" else "tasks"
        return _form_page(site, request, section, None)

    @router.post("/-/new")
    def create(request: Request, form: Form) -> Response:
        section: Section = "task_groups" if form.get("section") == "task_groups" else "tasks"
        return _save(site, request, section, None, form)

    @router.get("/{name}/edit")
    def edit(request: Request, name: str) -> Response:
        raw = _raw(project_of(request).version, name)
        return _form_page(site, request, raw.section, raw)

    @router.post("/{name}/edit")
    def save(request: Request, name: str, form: Form) -> Response:
        raw = _raw(project_of(request).version, name)
        return _save(site, request, raw.section, raw, form)

    @router.get("/{name}/delete")
    def ask(request: Request, name: str) -> Response:
        return _delete_page(site, request, name)

    @router.post("/{name}/delete")
    def delete(request: Request, name: str, form: Form) -> Response:
        try:
            edited = _editor(request).remove(name, force=form.get("force") == "on")
        except (EditRefused, TaskFileError) as error:
            return _delete_page(site, request, name, error)
        return see("/tasks", said="unloaded" if edited.unused else "deleted")


def _form_page(
    site: Site,
    request: Request,
    section: Section,
    raw: Raw | None,
    form: Mapping[str, str] | None = None,
    error: MyStocksError | None = None,
) -> Response:
    version = project_of(request).version
    parts = fields.parts_of(section, new=raw is None)
    defaults = version.document.defaults if section == "tasks" else {}
    wrong: dict[str, str] = {}
    for problem in error.problems if isinstance(error, TaskFileError) else ():
        at = "params" if problem.file == "params" else fields.field_at(problem.path, parts)
        if at:
            wrong[at] = f"{problem.message} {problem.hint}".strip()
    if form is not None:
        typed = {field.name: form.get(field.name, "") for field in fields.fields_of(parts)}
    else:
        typed = fields.filled(parts, raw.data if raw else {}, defaults)
    return site.render(
        request,
        "form.html",
        status_of(error) if error else 200,
        section=section,
        name=raw.id if raw else None,
        parts=parts,
        typed=typed,
        placeholders=fields.placeholders(parts, defaults),
        wrong=wrong,
        modules=sorted({task.task_module for task in version.taskfile.tasks}),
        functions=sorted({task.task_function for task in version.taskfile.tasks}),
        error=told(error) if error else None,
    )


def _save(site: Site, request: Request, section: Section, raw: Raw | None, form: Mapping[str, str]) -> Response:
    version = project_of(request).version
    parts = fields.parts_of(section, new=raw is None)
    old = raw.data if raw else {}
    try:
        entry = fields.entry_of(parts, form, old, version.document.defaults if section == "tasks" else {})
        if raw and raw.id:
            entry[SECTIONS[section]] = raw.id
            edited = _editor(request).replace(raw.id, entry)
        else:
            edited = _editor(request).add(entry)
    except MyStocksError as error:
        return _form_page(site, request, section, raw, form, error)
    return see(f"/tasks/{entry[SECTIONS[section]]}", said=_said(edited, new=raw is None))


def _delete_page(site: Site, request: Request, name: str, error: MyStocksError | None = None) -> Response:
    project = project_of(request)
    raw = _raw(project.version, name)
    users = table.users_of(project, name) if raw.section == "tasks" else []
    if isinstance(error, EditRefused):
        users = list(error.names)
    return site.render(
        request, "delete.html", status_of(error) if error else 200, name=name, users=users, error=told(error) if error else None
    )


def _editor(request: Request) -> Editor:
    return Editor(project_of(request).settings, trusted=False)


def _said(edited: Edited, *, new: bool) -> str:
    if edited.unused:
        return "unloaded"
    return "created" if new else "saved" if edited.diff else "same"


def _raw(version: Version, name: str) -> Raw:
    """Return an entry as it is written, also when it is broken.

    Raises:
        UnknownName: There is none.
    """
    for entries in version.document.entries.values():
        for raw in entries:
            if raw.id == name and isinstance(raw.data, dict):
                return raw
    raise UnknownName(f"There is no task or group {name!r} in {version.source}.")


def _prefixed(form: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): value for name, value in form.items() if name.startswith(prefix)}


def _back(form: Mapping[str, str], name: str) -> str:
    """Return where the button stood: in the table, or on the task's own page."""
    return "/tasks" if form.get("back") == "table" else f"/tasks/{name}"
