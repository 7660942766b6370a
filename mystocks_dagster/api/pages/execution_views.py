"""The list of executions over all tasks, and the page of each with its log."""

from datetime import date, datetime, time, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from mystocks_dagster.api.pages import paging
from mystocks_dagster.api.pages.site import Form, Site, day_of, project_of, redirect
from mystocks_dagster.errors import InvalidParams, MyStocksError, UnknownName
from mystocks_dagster.history import Execution
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.tags import STATES, UNDER_WAY

#: Lines of a log on the page; the whole log is one click away.
LOG_LINES = 1000
#: Names in a result that the page shows in other places.
_SHOWN_ELSEWHERE = {"message", "rows", "result", "failed_items", "task_name", "seconds"}


def register(router: APIRouter, site: Site) -> None:
    """Add the pages to the router."""

    @router.get("/-/executions")
    def listed(request: Request) -> Response:
        return _list_page(site, request)

    @router.get("/-/executions/{execution_id}")
    def details(request: Request, execution_id: str) -> Response:
        return _execution_page(site, request, execution_id)

    @router.post("/-/executions/{execution_id}/stop")
    def stop(request: Request, execution_id: str, form: Form) -> Response:
        try:
            project_of(request).runs.stop(execution_id)
        except UnknownName:
            raise
        except MyStocksError as error:
            return _execution_page(site, request, execution_id, error)
        return redirect(f"/tasks/-/executions/{execution_id}", done="stopped")


def _list_page(site: Site, request: Request) -> Response:
    project = project_of(request)
    status, task, first, last = (request.query_params.get(name, "") for name in ("status", "task", "from", "to"))
    if status and status not in STATES:
        raise InvalidParams(f"{status!r} is not a state of an execution; the states are {', '.join(STATES)}.")
    number = paging.number_of(request)
    executions = list(
        project.history.executions(
            task or None,
            since=_start(day_of(first)),
            until=_start(day_of(last), later=1),
            status=status or None,
            limit=paging.SIZE + 1,
            offset=(number - 1) * paging.SIZE,
        )
    )
    return site.render(
        request,
        "executions.html",
        executions=executions[: paging.SIZE],
        page=paging.Page(number=number, more=len(executions) > paging.SIZE),
        states=STATES,
        entries=project.taskfile.by_id(),
        chosen={"status": status, "task": task, "from": first, "to": last},
        active=any(execution.status in UNDER_WAY for execution in executions),
    )


def _start(day: date | None, later: int = 0) -> datetime | None:
    """Return the start of a day in Shanghai, or of one some days later."""
    return datetime.combine(day + timedelta(days=later), time(), SHANGHAI) if day else None


def _execution_page(site: Site, request: Request, execution_id: str, error: MyStocksError | None = None) -> Response:
    project = project_of(request)
    execution = project.history.execution(execution_id)
    lines = project.logs.read(execution_id).splitlines()
    entry = project.taskfile.by_id().get(execution.task_id)
    return site.render(
        request,
        "execution.html",
        error,
        execution=execution,
        title=project.title(execution.task_id) if entry else execution.task_id,
        known=entry is not None,
        active=execution.status in UNDER_WAY,
        lines=lines[-LOG_LINES:],
        line_count=len(lines),
        **_result_values(execution),
    )


def _result_values(execution: Execution) -> dict[str, Any]:
    """Return what the task reported, by the place on the page; of any shape, since functions return what they like."""
    result = dict(execution.result or {})
    rows, returned, failed = (result.get(name) for name in ("rows", "result", "failed_items"))
    return {
        "message": str(result.get("message") or ""),
        "rows": rows if isinstance(rows, dict) else {},
        "returned": returned if isinstance(returned, dict) else {} if returned is None else {"result": returned},
        "failed": failed if isinstance(failed, list) else [] if failed is None else [failed],
        "others": {name: value for name, value in result.items() if name not in _SHOWN_ELSEWHERE},
    }
