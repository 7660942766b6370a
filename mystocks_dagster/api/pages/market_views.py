"""The market's pages: a day's overview, a security with its chart, and the search."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from mystocks_dagster.api.error_responses import status_of
from mystocks_dagster.api.pages import heat_map
from mystocks_dagster.api.pages.compression import compressed, compressed_file
from mystocks_dagster.api.pages.site import Form, Site, day_of, language_of, project_of, redirect
from mystocks_dagster.errors import InvalidParams, MyStocksError
from mystocks_dagster.market.catalogue.registry import CATALOGUE
from mystocks_dagster.market.formulas.bars import BARS
from mystocks_dagster.market.formulas.functions import FUNCTIONS
from mystocks_dagster.market.symbols import normalise
from mystocks_dagster.project.market_view.options import ADJUSTMENTS, PERIODS, USUAL, Adjustment, Period
from mystocks_dagster.project.screening import WAITING_SECONDS
from mystocks_dagster.texts import catalogue
from mystocks_dagster.texts.declarations import strategy_name

if TYPE_CHECKING:  # polars takes 0.4 s to import
    from mystocks_dagster.project.market_view.securities import Security

#: Symbols that the page of a screen lists.
_MOST_PASSED = 300
_EXAMPLE = "CROSS(MA(C,5),MA(C,20)) AND V>2*MA(V,5)"
#: What the page of a screen says besides its result; functions that look ahead are refused there.
_REFERENCE = {
    "periods": PERIODS,
    "bars": tuple(BARS.values()),
    "functions": tuple(function for function in FUNCTIONS.values() if not function.looks_ahead),
    "catalogue": tuple(CATALOGUE.values()),
}
#: Matches of a search that the page lists.
_MATCHES = 50
#: Tables whose rows the page of a stock lists besides its bars.
_RECORDS = ("income_statements", "corporate_actions", "longhubang", "capital_flow_stock")
_SYMBOL = re.compile(r"[0-9]{6}\.(SH|SZ|BJ)")


def register(router: APIRouter, site: Site) -> None:
    """Add the pages below /market to the router."""
    _register_overview(router, site)
    _register_screen(router, site)
    _register_security(router, site)


def _register_overview(router: APIRouter, site: Site) -> None:

    @router.get("")
    def overview(request: Request, day: str = "") -> Response:
        project = project_of(request)
        market = project.market.day(day_of(day))
        maps = heat_map.drawings(market.industries) if market else []
        return site.render(request, "market.html", market=market, maps=maps, tasks=project.version.owners)

    @router.get("/find")
    def find(request: Request, q: str = Query("", max_length=40)) -> Response:
        matches = project_of(request).market.search(q, _MATCHES)
        if len(matches) == 1 or (matches and _is_exact(matches[0], q)):
            return redirect(f"/market/{matches[0].symbol}")
        return site.render(request, "find.html", text=q, matches=matches)

    @router.get("/suggest.json")
    def suggest(request: Request, q: str = Query("", max_length=40)) -> Response:
        matches = project_of(request).market.search(q, 8)
        return JSONResponse([{"symbol": match.symbol, "name": match.name} for match in matches])

    @router.get("/-/lightweight-charts.js")
    def chart_library(request: Request) -> Response:
        return compressed_file(request, _library(), "text/javascript", {"Cache-Control": "max-age=86400"})


def _register_screen(router: APIRouter, site: Site) -> None:
    @router.get("/-/screen")
    def ask_screen(request: Request) -> Response:
        return site.render(request, "screen.html", formula=_EXAMPLE, day="", period="daily", result=None, **_REFERENCE)

    @router.post("/-/screen")
    def screen(request: Request, form: Form) -> Response:
        text, day, period = form.get("formula", ""), form.get("day", ""), form.get("period", "daily")
        shown = {"formula": text, "day": day, "period": period, **_REFERENCE}
        try:
            result = project_of(request).screening.run(
                text, day=day_of(day), period=cast("Any", period), limit=_MOST_PASSED, seconds=WAITING_SECONDS
            )
        except MyStocksError as error:
            return site.render(request, "screen.html", error, **shown, result=None)
        return site.render(request, "screen.html", **shown, result=result)


def _register_security(router: APIRouter, site: Site) -> None:
    @router.get("/{symbol}")
    def security(request: Request, symbol: str) -> Response:
        if not _SYMBOL.fullmatch(symbol):
            return redirect(f"/market/{normalise(symbol)}")
        return site.render(request, "security.html", **_security_values(request, symbol))

    @router.get("/{symbol}/chart.json")
    def chart(
        request: Request,
        symbol: str,
        period: Period = "daily",
        adjustment: Adjustment = "qfq",
        indicators: str = Query(",".join(USUAL), max_length=300),
        formula: str = Query("", max_length=5000),
        backtest: str = "",
    ) -> Response:
        market = project_of(request).market
        names = [name.strip().upper() for name in indicators.split(",") if name.strip()]
        try:
            drawn = market.chart(
                symbol,
                period=period,
                adjustment=adjustment,
                indicators=names,
                formula=formula,
                backtest=backtest or None,
            )
        except MyStocksError as error:
            return JSONResponse(
                {"message": catalogue.translate(str(error), language_of(request))}, status_of(error, request.method)
            )
        chart = drawn.to_json()
        for mark in chart["marks"]:
            mark["text"] = strategy_name(mark["text"], language_of(request))
        return compressed(request, bytes(JSONResponse(chart).body), "application/json")


def _is_exact(security: "Security", text: str) -> bool:
    wanted = text.strip().lower()
    return wanted in (security.symbol.lower(), security.symbol[:6], security.name.lower())


def _security_values(request: Request, symbol: str) -> dict[str, Any]:
    project = project_of(request)
    market = project.market
    security = market.security(symbol)
    bars, bars_table = market.last_bars(security), market.bars_table(security)
    return {
        "tasks": project.version.owners,
        "stored": market.stored([bars_table, *_RECORDS]),
        "bars_table": bars_table,
        "security": security,
        "bars": bars,
        "records": market.records(symbol) if security.kind == "stock" else {},
        "indicators": CATALOGUE,
        "usual": ("MA", "MACD", "KDJ", "RSI", "BOLL", "VOL"),
        "periods": PERIODS,
        "adjustments": ADJUSTMENTS,
        "backtest": request.query_params.get("backtest", ""),
    }


@cache
def _library() -> Path:
    """Return the script of the chart library, which its package ships; the package itself is not imported."""
    spec = find_spec("lightweight_charts")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        if (script := Path(folder) / "js" / "lightweight-charts.js").is_file():
            return script
    raise InvalidParams("The package lightweight-charts is not installed as it should be; install it again with pip.")
