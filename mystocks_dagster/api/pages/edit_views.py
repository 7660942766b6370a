"""The pages that edit the task file: new, edit and delete."""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from fastapi import APIRouter, Request, Response

from mystocks_dagster.api.pages import task_form, task_table, translations
from mystocks_dagster.api.pages.site import Form, Site, language_of, project_of, redirect
from mystocks_dagster.errors import MyStocksError, UnknownName
from mystocks_dagster.excerpts import with_remedy
from mystocks_dagster.project.edit import ChangedMeanwhile, EditResult, TaskFileEditor
from mystocks_dagster.taskfile.edit.plans import EditRefused
from mystocks_dagster.taskfile.problems import NotEditable, Problem, TaskFileError
from mystocks_dagster.taskfile.reader import Version
from mystocks_dagster.taskfile.yaml.document import SECTIONS, Raw, Section
from mystocks_dagster.taskfile.yaml.dump import dump


def register(router: APIRouter, site: Site) -> None:
    """Add the pages to the router."""
    _register_new(router, site)
    _register_edit(router, site)
    _register_delete(router, site)


def _register_new(router: APIRouter, site: Site) -> None:
    @router.get("/-/new")
    def new(request: Request) -> Response:
        section: Section = "task_groups" if request.query_params.get("kind") == "group" else "tasks"
        version = _editable(request)
        if name := request.query_params.get("copy"):
            return _copy_page(site, request, _raw(version, name))
        return _form_page(site, request, section, None)

    @router.post("/-/new")
    def create(request: Request, form: Form) -> Response:
        section: Section = "task_groups" if form.get("section") == "task_groups" else "tasks"
        _editable(request)
        return _save(site, request, section, None, form)


def _register_edit(router: APIRouter, site: Site) -> None:
    @router.get("/{name}/edit")
    def edit(request: Request, name: str) -> Response:
        raw = _raw(_editable(request), name)
        return _form_page(site, request, raw.section, raw)

    @router.post("/{name}/edit")
    def save(request: Request, name: str, form: Form) -> Response:
        raw = _raw(_editable(request), name)
        return _save(site, request, raw.section, raw, form)


def _register_delete(router: APIRouter, site: Site) -> None:
    @router.get("/{name}/delete")
    def confirm(request: Request, name: str) -> Response:
        _editable(request)
        return _delete_page(site, request, name)

    @router.post("/{name}/delete")
    def delete(request: Request, name: str, form: Form) -> Response:
        _editable(request)
        try:
            result = project_of(request).edits.remove(name, force=form.get("force") == "on")
        except (EditRefused, TaskFileError) as error:
            return _delete_page(site, request, name, error)
        return redirect("/tasks", done="unloaded" if result.unused else "deleted")


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
    typed = current = task_form.filled(parts, raw.data if raw else {}, defaults)
    stamp = _stamp(raw, defaults)
    values: dict[str, Any] = {"wrong": _field_faults(error, parts)}
    if form is not None:
        typed = {field.name: form.get(field.name, "").replace("\r\n", "\n") for field in task_form.fields_of(parts)}
        if isinstance(error, ChangedMeanwhile):
            values = _conflict(language_of(request), typed, current)
        else:
            # The old stamp stays, so that a change of the file in the meantime is still noticed on the next save.
            stamp = form.get("stamp", "")
    values |= {
        "section": section,
        "name": raw.id if raw else None,
        "parts": parts,
        "typed": typed,
        "stamp": stamp,
        "placeholders": task_form.placeholders(parts, defaults),
        "modules": sorted({task.task_module for task in version.taskfile.tasks}),
        "functions": sorted({task.task_function for task in version.taskfile.tasks}),
    }
    return site.render(request, "form.html", error, **values)


def _copy_page(site: Site, request: Request, raw: Raw) -> Response:
    """Return the form of a new entry, filled as another but with a free id; nothing is written yet."""
    version = project_of(request).version
    key = SECTIONS[raw.section]
    taken = {entry.id for entries in version.document.entries.values() for entry in entries}
    ids = (f"{raw.id}_copy{number or ''}" for number in count())
    parts = task_form.parts_of(raw.section, new=True)
    defaults = version.document.defaults if raw.section == "tasks" else {}
    typed = task_form.filled(parts, raw.data, defaults) | {key: next(name for name in ids if name not in taken)}
    return _form_page(site, request, raw.section, None, typed)


def _field_faults(error: MyStocksError | None, parts: Sequence[task_form.Part]) -> dict[str, str]:
    """Return the message of each field that is not valid."""
    faults = {}
    for problem in error.problems if isinstance(error, TaskFileError) else ():
        field = "params" if problem.file == "params" else task_form.field_at(problem.path, parts)
        if field:
            faults[field] = with_remedy(problem.message, problem.hint)
    return faults


def _conflict(language: translations.Language, typed: Mapping[str, str], current: Mapping[str, str]) -> dict[str, Any]:
    """Return the message about a change in the meantime, with the file's value of each field that differs."""
    t = translations.translator(language)
    differing = [name for name in typed if typed[name].strip() != current[name].strip()]
    return {
        "error": {"message": t("changed_meanwhile"), "located": False},
        "wrong": {name: t("now_in_file", text=current[name] or t("none")) for name in differing},
    }


def _save(site: Site, request: Request, section: Section, raw: Raw | None, form: Mapping[str, str]) -> Response:
    version = project_of(request).version
    parts = task_form.parts_of(section, new=raw is None)
    old = raw.data if raw else {}
    defaults = version.document.defaults if section == "tasks" else {}
    try:
        if raw and form.get("stamp") != _stamp(raw, defaults):
            raise ChangedMeanwhile(f"{raw.id} was changed in the meantime.")
        entry, unreadable = task_form.entry_of(parts, form, old, defaults)
        result = _write(project_of(request).edits, section, raw, entry, unreadable)
    except ChangedMeanwhile as error:
        return _form_page(site, request, section, raw and _raw(project_of(request).version, str(raw.id)), form, error)
    except MyStocksError as error:
        return _form_page(site, request, section, raw, form, error)
    return redirect(f"/tasks/{entry[SECTIONS[section]]}", done=_outcome(result, new=raw is None))


def _write(
    editor: TaskFileEditor, section: Section, raw: Raw | None, entry: dict[str, Any], unreadable: Sequence[Problem]
) -> EditResult:
    """Write an entry; if some fields are unreadable, only check the others, so that all faults show at once.

    Raises:
        TaskFileError: A field is not valid; nothing was written.
    """
    dry_run = bool(unreadable)
    others: Sequence[Problem] = ()
    try:
        if raw and raw.id:
            entry[SECTIONS[section]] = raw.id
            result = editor.replace(raw.id, entry, instead_of=raw.data, dry_run=dry_run)
        else:
            result = editor.add(entry, dry_run=dry_run)
    except TaskFileError as error:
        if not unreadable:
            raise
        others = error.problems
    if unreadable:
        raise TaskFileError([*unreadable, *others])
    return result


def _stamp(raw: Raw | None, defaults: Mapping[str, Any]) -> str:
    """Return a hash of an entry and the defaults, which changes with either of them."""
    return hashlib.sha256(dump({"entry": raw.data, "defaults": defaults}).encode()).hexdigest()[:16] if raw else ""


def _delete_page(site: Site, request: Request, name: str, error: MyStocksError | None = None) -> Response:
    project = project_of(request)
    raw = _raw(project.version, name)
    users = task_table.users_of(project, name) if raw.section == "tasks" else []
    if isinstance(error, EditRefused):
        users = list(error.names)
    return site.render(request, "delete.html", error, name=name, users=users)


def _editable(request: Request) -> Version:
    """Return the task file for an edit.

    Raises:
        NotEditable: The file is not usable; an edit of its last good version would not apply to it.
    """
    version = project_of(request).version
    if error := version.unusable:
        raise NotEditable(error.problems, error.source_lines)
    return version


def _outcome(result: EditResult, *, new: bool) -> str:
    if result.unused:
        return "unloaded"
    return "created" if new else "saved" if result.diff else "same"


def _raw(version: Version, name: str) -> Raw:
    """Return an entry as the file has it, valid or not.

    Raises:
        UnknownName: There is no entry of that id.
    """
    for entries in version.document.entries.values():
        for raw in entries:
            if raw.id == name and isinstance(raw.data, dict):
                return raw
    raise UnknownName(f"There is no task or group {name!r} in {version.source}.")
