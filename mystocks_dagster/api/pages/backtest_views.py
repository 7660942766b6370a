"""The pages about backtests: a list to compare, and the report of each."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from mystocks_dagster.api.pages.site import Site, language_of, project_of
from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.texts import catalogue


def register(router: APIRouter, site: Site) -> None:
    """Add the pages below /backtests to the router."""

    @router.get("")
    def overview(request: Request) -> Response:
        project = project_of(request)
        task = project.version.owners.get("backtests")
        return site.render(request, "backtests.html", backtests=project.backtests.all(), task=task)

    @router.get("/{backtest_id}")
    def report(request: Request, backtest_id: str) -> Response:
        detail = project_of(request).backtests.detail(backtest_id)
        return site.render(request, "backtest.html", detail=detail, summary=detail.summary)

    @router.get("/{backtest_id}/curve.json")
    def curve(request: Request, backtest_id: str) -> Response:
        try:
            return JSONResponse(project_of(request).backtests.curve(backtest_id))
        except MyStocksError as error:
            return JSONResponse({"message": catalogue.translate(str(error), language_of(request))}, 404)
