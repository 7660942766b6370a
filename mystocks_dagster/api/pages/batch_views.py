"""One action on all tasks that are selected in the table."""

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response

from mystocks_dagster.api.pages.site import Form, Site, project_of, redirect
from mystocks_dagster.api.pages.views import BatchReport, table_page
from mystocks_dagster.errors import InvalidParams, MyStocksError
from mystocks_dagster.project.project import Project

_PICK = "pick."
_STOP = "stop"
#: The buttons below the table, each with its action on one task or group; `stop` is done for all together.
ACTIONS: Mapping[str, Callable[[Project, str], object]] = {
    "start": lambda project, name: project.runs.start(name, {}),
    "on": lambda project, name: project.schedules.switch(name, True),
    "off": lambda project, name: project.schedules.switch(name, False),
    "reset": lambda project, name: project.schedules.switch(name, None),
}


def register(router: APIRouter, site: Site) -> None:
    """Add the action to the router."""

    @router.post("/-/batch")
    def act(request: Request, form: Form) -> Response:
        action = form.get("do", "")
        if action not in (_STOP, *ACTIONS):
            raise InvalidParams(f"{action!r} is not an action; choose {', '.join((*ACTIONS, _STOP))}.")
        names = [field.removeprefix(_PICK) for field in form if field.startswith(_PICK)]
        report = _act(project_of(request), action, names)
        if not names or report.refusals:
            return table_page(site, request, report)
        query = dict(parse_qsl(form.get("back", "")))
        return redirect("/tasks", **{**query, "done": "batch"})


def _act(project: Project, action: str, names: list[str]) -> BatchReport:
    """Do an action for each task; a refusal of one does not keep the others from it."""
    errors = project.runs.stop_all(names) if action == _STOP else _refused(project, ACTIONS[action], names)
    refusals: dict[str, list[str]] = {}
    for name, error in errors.items():
        refusals.setdefault(str(error), []).append(name)
    return BatchReport(done=len(names) - len(errors), refusals=refusals)


def _refused(project: Project, action: Callable[[Project, str], object], names: list[str]) -> dict[str, MyStocksError]:
    errors = {}
    for name in names:
        try:
            action(project, name)
        except MyStocksError as error:
            errors[name] = error
    return errors
