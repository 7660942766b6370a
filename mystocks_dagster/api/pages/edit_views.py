"""What changes the task file: the forms for new, edit and delete."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from mystocks_dagster.api.pages import task_form, task_table, translations
from mystocks_dagster.api.pages.site import Form, Site, language_of, project_of, see, told
from mystocks_dagster.errors import MyStocksError, UnknownName
from mystocks_dagster.project.edit import ChangedMeanwhile, EditResult, TaskFileEditor
from mystocks_dagster.taskfile.edit.plans import EditRefused
from mystocks_dagster.taskfile.problems import NotEditable, Problem, TaskFileError
from mystocks_dagster.taskfile.reader import Version
from mystocks_dagster.taskfile.yaml.document import SECTIONS, Raw, Section
from mystocks_dagster.taskfile.yaml.dump import dump


def register(router: APIRouter, site: Site) -> None:
    """Add the pages."""

    @router.get("/-/new")
    def new(request: Request) -> Response:
        section: Section = "task_groups" if request.query_params.get("kind") == "group" else "tasks"
        _editable(request)
        return _form_page(site, request, section, None)

    @router.post("/-/new")
    def create(request: Request, form: Form) -> Response:
        section: Section = "task_groups" if form.get("section") == "task_groups" else "tasks"
        _editable(request)
        return _save(site, request, section, None, form)

    @router.get("/{name}/edit")
    def edit(request: Request, name: str) -> Response:
        raw = _raw(_editable(request), name)
        return _form_page(site, request, raw.section, raw)

    @router.post("/{name}/edit")
    def save(request: Request, name: str, form: Form) -> Response:
        raw = _raw(_editable(request), name)
        return _save(site, request, raw.section, raw, form)

    @router.get("/{name}/delete")
    def ask(request: Request, name: str) -> Response:
        _editable(request)
        return _delete_page(site, request, name)

    @router.post("/{name}/delete")
    def delete(request: Request, name: str, form: Form) -> Response:
        _editable(request)
        try:
            edited = project_of(request).edits.remove(name, force=form.get("force") == "on")
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
    parts = task_form.parts_of(section, new=raw is None)
    defaults = version.document.defaults if section == "tasks" else {}
    wrong: dict[str, str] = {}
    for problem in error.problems if isinstance(error, TaskFileError) else ():
        at = "params" if problem.file == "params" else task_form.field_at(problem.path, parts)
        if at:
            wrong[at] = f"{problem.message} {problem.hint}".strip()
    typed = now = task_form.filled(parts, raw.data if raw else {}, defaults)
    seen = _stamp(raw, defaults)
    shown = told(error) if error else None
    if form is not None:
        typed = {field.name: form.get(field.name, "").replace("\r\n", "\n") for field in task_form.fields_of(parts)}
        if isinstance(error, ChangedMeanwhile):
            say = translations.translator(language_of(request))
            shown = {"message": say("changed_meanwhile"), "located": False}
            wrong = {
                name: say("now_in_file", text=now[name] or say("none"))
                for name in typed
                if typed[name].strip() != now[name].strip()
            }
        else:
            # What was wrong in the form says nothing about the file: whoever changed it meanwhile is still to be told
            # of.
            seen = form.get("seen", "")
    return site.render(
        request,
        "form.html",
        error,
        section=section,
        name=raw.id if raw else None,
        parts=parts,
        typed=typed,
        seen=seen,
        placeholders=task_form.placeholders(parts, defaults),
        wrong=wrong,
        modules=sorted({task.task_module for task in version.taskfile.tasks}),
        functions=sorted({task.task_function for task in version.taskfile.tasks}),
        error=shown,
    )


def _save(site: Site, request: Request, section: Section, raw: Raw | None, form: Mapping[str, str]) -> Response:
    version = project_of(request).version
    parts = task_form.parts_of(section, new=raw is None)
    old = raw.data if raw else {}
    defaults = version.document.defaults if section == "tasks" else {}
    try:
        if raw and form.get("seen") != _stamp(raw, defaults):
            raise ChangedMeanwhile(f"{raw.id} was changed meanwhile.")
        entry, unreadable = task_form.entry_of(parts, form, old, defaults)
        edited = _written(project_of(request).edits, section, raw, entry, unreadable)
    except ChangedMeanwhile as error:
        return _form_page(site, request, section, raw and _raw(project_of(request).version, str(raw.id)), form, error)
    except MyStocksError as error:
        return _form_page(site, request, section, raw, form, error)
    return see(f"/tasks/{entry[SECTIONS[section]]}", said=_said(edited, new=raw is None))


def _written(
    editor: TaskFileEditor, section: Section, raw: Raw | None, entry: dict[str, Any], unreadable: Sequence[Problem]
) -> EditResult:
    """Write an entry; with fields that cannot be read only check the others, so that one pass shows every mistake.

    Raises:
        TaskFileError: Something in the form is wrong; nothing was written.
    """
    dry_run = bool(unreadable)
    others: Sequence[Problem] = ()
    try:
        if raw and raw.id:
            entry[SECTIONS[section]] = raw.id
            edited = editor.replace(raw.id, entry, instead_of=raw.data, dry_run=dry_run)
        else:
            edited = editor.add(entry, dry_run=dry_run)
    except TaskFileError as error:
        if not unreadable:
            raise
        others = error.problems
    if unreadable:
        raise TaskFileError([*unreadable, *others])
    return edited


def _stamp(raw: Raw | None, defaults: Mapping[str, Any]) -> str:
    """Return what tells an entry, and the defaults that its form shows, from what they are after any change."""
    return hashlib.sha256(dump({"entry": raw.data, "defaults": defaults}).encode()).hexdigest()[:16] if raw else ""


def _delete_page(site: Site, request: Request, name: str, error: MyStocksError | None = None) -> Response:
    project = project_of(request)
    raw = _raw(project.version, name)
    users = task_table.users_of(project, name) if raw.section == "tasks" else []
    if isinstance(error, EditRefused):
        users = list(error.names)
    return site.render(
        request,
        "delete.html",
        error,
        name=name,
        users=users,
    )


def _editable(request: Request) -> Version:
    """Return the task file, which a form may change.

    Raises:
        NotEditable: It cannot be used; its last good version, which other pages show, is not what would be changed.
    """
    version = project_of(request).version
    if error := version.unusable:
        raise NotEditable(error.problems, error.source_lines)
    return version


def _said(edited: EditResult, *, new: bool) -> str:
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
