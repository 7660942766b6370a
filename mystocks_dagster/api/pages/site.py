"""Shared by all pages: the project, the templates, the language and the display of errors."""

import re
from collections.abc import Callable, Coroutine
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from mystocks_dagster.api import languages
from mystocks_dagster.api.auth import USER
from mystocks_dagster.api.error_responses import status_of
from mystocks_dagster.api.origins import Source, source_of
from mystocks_dagster.api.pages import number_format, translations
from mystocks_dagster.api.pages.task_table import Links
from mystocks_dagster.api.security_headers import PAGES_POLICY
from mystocks_dagster.days import read_day
from mystocks_dagster.errors import Forbidden, MyStocksError, NoDatabase
from mystocks_dagster.instance import dagster_address
from mystocks_dagster.lake.location import is_unfilled
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.project import reload_state
from mystocks_dagster.project.access import PAGES
from mystocks_dagster.project.project import Project
from mystocks_dagster.project.users import caller_of
from mystocks_dagster.shared import outage
from mystocks_dagster.sources.registry import is_simulated
from mystocks_dagster.taskfile import last_good
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.yaml.dump import text_of
from mystocks_dagster.texts import catalogue, declarations

_HEADERS = {"Content-Security-Policy": PAGES_POLICY, "Vary": "Accept-Language, Cookie"}
#: Entries of the navigation besides the start page and Dagster: path and key of its text.
ROOMS = ("market", "tasks", "data", "backtests")
#: Values of `?done=` after a redirect.
OUTCOMES = (
    *("created", "saved", "deleted", "same", "unloaded", "imported", "restored"),
    *("started", "stopped", "on", "off", "reset", "batch"),
)
#: Limit on the fields of a form; the largest form has fewer.
_MAX_FIELDS = 300
_TICKS = re.compile("`([^`]+)`")
_YEAR_SECONDS = 365 * 24 * 3600


def project_of(request: Request) -> Project:
    """Return the project with the current task file."""
    return request.app.state.projects.project(caller_of(PAGES, request.scope.get(USER)))


class Site:
    """The templates and the values that all of them use."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("mystocks_dagster.api.pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["yaml"] = text_of
        self._templates.filters["ticked"] = _ticked
        self._templates.filters["shanghai"] = lambda time: time.astimezone(SHANGHAI)

    def render(
        self, request: Request, template: str, error: MyStocksError | None = None, /, **values: Any
    ) -> HTMLResponse:
        """Return a page in the user's language; with the error of a failed action, also its message and status."""
        language = language_of(request)
        text = self._templates.get_template(template).render(_shared_values(request, language, error) | values)
        status = status_of(error, request.method) if error else 200
        response = HTMLResponse(text, status, _HEADERS)
        if request.query_params.get("lang") in languages.LANGUAGES:
            response.set_cookie("lang", language, max_age=_YEAR_SECONDS, httponly=True, samesite="lax", path="/")
        return response

    def error_page(self, request: Request, error: MyStocksError) -> HTMLResponse:
        """Return the page of an error; that of a database which does not answer needs no project."""
        if isinstance(error, NoDatabase):
            language = language_of(request)
            text = self._templates.get_template("away.html").render(
                language=language, message=catalogue.translate(str(error), language)
            )
            return HTMLResponse(text, error.status, _HEADERS)
        return self.render(request, "error.html", error, **error_values(error))


def _shared_values(request: Request, language: languages.Language, error: MyStocksError | None) -> dict[str, Any]:
    done = request.query_params.get("done")
    project = project_of(request)
    settings = project.settings
    # A path within `mystocks ui`, so that it also works behind a proxy.
    dagster = getattr(request.app.state, "dagster_path", None) or dagster_address(settings.dagster_home)
    return {
        "t": translations.translator(language),
        "translate": lambda text: catalogue.translate(str(text), language),
        "declared": lambda text: declarations.declared(text, language),
        "column_name": lambda table, column: declarations.column_name(table, column.name, column.label, language),
        "task_title": lambda name: _task_title(project, name),
        "strategy_name": lambda name: declarations.strategy_name(name, language),
        "signal_detail": lambda text: declarations.signal_detail(text, language),
        "table_name": lambda name: _table_name(name, language),
        "listed": lambda values: translations.translator(language)("list_mark").join(values),
        "amount": lambda value: number_format.amount(value, language),
        "percent": number_format.percent,
        "price": number_format.price,
        "direction": number_format.direction,
        "room": _room(request.url.path),
        "language": language,
        "links": Links(address=dagster),
        "daemon": project.daemon_alive,
        "settings": settings,
        "unfilled": is_unfilled(settings.lake),
        "simulated": is_simulated(settings.source),
        "file_notice": _file_notice(project),
        "reload_trouble": reload_state.trouble(settings),
        "reloading": reload_state.under_way(settings),
        "error": error_values(error) if error else None,
        "done": done if done in OUTCOMES else None,
        "started_run": request.query_params.get("run", "") if done == "started" else "",
        "address_in": lambda language: _address_in(request, language),
        "page_address": lambda number: f"?{urlencode({**request.query_params, 'done': '', 'page': number})}",
    }


def _ticked(text: str) -> Markup:
    """Return a text in which what stands between backticks is code."""
    return Markup(_TICKS.sub(r"<code>\1</code>", str(escape(text))))


def _task_title(project: Project, name: str) -> str:
    """Return the name of a task or group; of one that is gone from the task file, its id."""
    try:
        return project.title(name)
    except MyStocksError:
        return name


def _table_name(name: str, language: languages.Language) -> str:
    """Return the Chinese name of a table; in English, and of an unknown table, its name."""
    from mystocks_dagster.market.tables import TABLES  # polars takes 0.4 s to import

    return TABLES[name].title if language == "zh" and name in TABLES else name


def _room(path: str) -> str:
    """Return the entry of the navigation that a page belongs to."""
    first = path.strip("/").partition("/")[0]
    return first if first in ROOMS else "home"


def _file_notice(project: Project) -> str | None:
    """Return the fault of the task file if its last good version is shown.

    Without a last good version, the page itself shows the error.
    """
    try:
        return last_good.notice(project.version)
    except TaskFileError:
        return None


def error_values(error: MyStocksError) -> dict[str, Any]:
    """Return the template's values for an error; `located` means that the message has the lines of the file."""
    return {"message": str(error), "located": isinstance(error, TaskFileError)}


def language_of(request: Request) -> languages.Language:
    """Return the user's language: `?lang=`, else the cookie's, else the browser's."""
    return languages.page_language(request)


def _address_in(request: Request, language: languages.Language) -> str:
    """Return the address of the same page in another language, without the message of an action."""
    # The response to a failed stop or switch is at the address of the button, which does not accept GET.
    path = request.url.path.removesuffix("/stop").removesuffix("/switch")
    return f"{path}?{urlencode({**request.query_params, 'lang': language, 'done': ''})}"


def day_of(text: str) -> date | None:
    """Return a day that a page's address or form names; None if it names none.

    Raises:
        InvalidParams: It is not a day.
    """
    return read_day(text) if text else None


def redirect(path: str, **query: str) -> RedirectResponse:
    """Redirect the browser after a form, so that reloading does not send the form again."""
    return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, status_code=303)


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form that was sent by one of these pages.

    Raises:
        Forbidden: The headers do not show that a page of this server sent it, as every browser's do.
    """
    if source_of(request.headers) is not Source.OWN:
        raise Forbidden("This form was not sent by a page of this server. Open the page and send it again.")
    async with request.form(max_files=0, max_fields=_MAX_FIELDS) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


#: The fields of a form, as a parameter of a handler.
Form = Annotated[dict[str, str], Depends(form_of)]
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def route_class(site: Site) -> type[APIRoute]:
    """Return the route class of the pages, which turns a `MyStocksError` into an error page."""

    class PageRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            handle = super().get_route_handler()

            async def handle_errors(request: Request) -> Response:
                try:
                    return await handle(request)
                except MyStocksError as error:
                    return site.error_page(request, error)
                except Exception as error:
                    if (away := outage.explain(error)) is None:
                        raise
                    return site.error_page(request, away)

            return handle_errors

    return PageRoute
