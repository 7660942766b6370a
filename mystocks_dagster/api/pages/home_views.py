"""The start page: state of the project, what needs a hand, and the way to the other pages."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from mystocks_dagster.api.pages import task_table
from mystocks_dagster.api.pages.site import Site, project_of
from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.project.project import Project
from mystocks_dagster.tags import State

#: Rows of each list.
_ROWS = 6


def register(router: APIRouter, site: Site) -> None:
    """Add the start page to the router."""

    @router.get("/")
    def home(request: Request) -> Response:
        project = project_of(request)
        return site.render(request, "home.html", **_task_values(project), **_market_values(project))


def _task_values(project: Project) -> dict[str, Any]:
    rows = task_table.table_rows(project)
    failed = [row for row in rows if row.statistics and row.statistics.last_status == State.FAILED]
    coming = sorted((row for row in rows if row.next_run), key=_next_time)
    return {
        "broken": [row for row in rows if row.kind == "broken"],
        "failed": failed[:_ROWS],
        "running": [row for row in rows if row.running][:_ROWS],
        "coming": coming[:_ROWS],
        "count": sum(row.kind not in ("group", "broken") for row in rows),
    }


def _market_values(project: Project) -> dict[str, Any]:
    """Return the newest day of the lake; a lake that cannot be read is said on the page, which shows the rest."""
    try:
        return {"market": project.market.day(), "market_trouble": ""}
    except MyStocksError as error:
        return {"market": None, "market_trouble": str(error)}


def _next_time(row: task_table.TableRow) -> datetime:
    assert row.next_run is not None
    return row.next_run.time
