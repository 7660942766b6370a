"""One action on all tasks that are selected in the table."""

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response

from mystocks_dagster.api.pages.site import Form, Site, project_of, redirect
from mystocks_dagster.api.pages.views import BatchReport, table_page
from mystocks_dagster.errors import InvalidParams, MyStocksError
from mystocks_dagster.project.project import Project

_PICK = "pick."
#: The buttons below the table, each with its action on one task or group.
ACTIONS: Mapping[str, Callable[[Project, str], object]] = {
    "start": lambda project, name: project.runs.start(name, {}),
    "stop": lambda project, name: project.runs.stop(name),
    "on": lambda project, name: project.schedules.switch(name, True),
    "off": lambda project, name: project.schedules.switch(name, False),
    "reset": lambda project, name: project.schedules.switch(name, None),
}


def register(router: APIRouter, site: Site) -> None:
    """Add the action to the router."""

    @router.post("/-/batch")
    def act(request: Request, form: Form) -> Response:
        action = ACTIONS.get(form.get("do", ""))
        if action is None:
            raise InvalidParams(f"{form.get('do', '')!r} is not an action; choose {', '.join(ACTIONS)}.")
        names = [field.removeprefix(_PICK) for field in form if field.startswith(_PICK)]
        report = _act(project_of(request), action, names)
        if not names or report.refusals:
            return table_page(site, request, report)
        query = dict(parse_qsl(form.get("back", "")))
        return redirect("/tasks", **{**query, "done": "batch"})


def _act(project: Project, action: Callable[[Project, str], object], names: list[str]) -> BatchReport:
    """Do an action for each task; a refusal of one does not keep the others from it."""
    refusals: dict[str, list[str]] = {}
    for name in names:
        try:
            action(project, name)
        except MyStocksError as error:
            refusals.setdefault(str(error), []).append(name)
    refused = sum(len(ids) for ids in refusals.values())
    return BatchReport(done=len(names) - refused, refusals=refusals)
