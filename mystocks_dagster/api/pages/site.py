"""What all pages share: the project, the templates, the language, and how an error is shown."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined

from mystocks_dagster.api.pages import translations
from mystocks_dagster.api.pages.task_table import Links
from mystocks_dagster.errors import Forbidden, InvalidParams, MyStocksError, UnknownName
from mystocks_dagster.instance import dagster_address
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.project.project import Project
from mystocks_dagster.runs.launch import daemon_alive
from mystocks_dagster.sources.registry import is_simulated
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.yaml.dump import text_of

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Vary": "Accept-Language, Cookie",
}
#: What may stand in `?said=` after a redirect.
SAID = ("created", "saved", "deleted", "same", "started", "stopped", "on", "off", "reset", "unloaded")
_YEAR = 365 * 24 * 3600


def project_of(request: Request) -> Project:
    """Return the project with the task file as it is now."""
    return request.app.state.manager.project


class Site:
    """The templates, and what all of them show."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("mystocks_dagster.api.pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["yaml"] = text_of
        self._templates.filters["shanghai"] = lambda time: time.astimezone(SHANGHAI)

    def render(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Return a page in the visitor's language."""
        language = language_of(request)
        said = request.query_params.get("said")
        project = project_of(request)
        settings = project.settings
        # Within `mystocks ui` a path, which leads there under whatever name a proxy gives it.
        dagster = getattr(request.app.state, "dagster_path", None) or dagster_address(settings.dagster_home)
        shared = {
            "t": translations.translator(language),
            "language": language,
            "links": Links(address=dagster),
            "daemon": daemon_alive(project.instance),
            "settings": settings,
            "simulated": is_simulated(settings.source),
            "file_notice": _file_notice(request),
            "said": said if said in SAID else None,
            "said_run": request.query_params.get("run", "") if said == "started" else "",
            "speak": lambda wanted: _in_language(request, wanted),
        }
        text = self._templates.get_template(template).render(shared | values)
        response = HTMLResponse(text, status, _HEADERS)
        if request.query_params.get("lang") in translations.LANGUAGES:
            response.set_cookie("lang", language, max_age=_YEAR, httponly=True, samesite="lax", path="/tasks")
        return response

    def sorry(self, request: Request, error: MyStocksError) -> HTMLResponse:
        """Return the page that says why something was not done."""
        return self.render(request, "error.html", status_of(error), **told(error))


def _file_notice(request: Request) -> str | None:
    """Return what is wrong with the task file when its last good version is shown; a page about a file without one says so itself."""
    try:
        return project_of(request).notice
    except TaskFileError:
        return None


def status_of(error: MyStocksError) -> int:
    """Return the HTTP status of an error."""
    match error:
        case UnknownName():
            return 404
        case Forbidden():
            return 403
        case TaskFileError() | InvalidParams():
            return 422
    return 409


def told(error: MyStocksError) -> dict[str, Any]:
    """Return what a page shows of an error: the located problems of a task file are shown with their lines."""
    return {"message": str(error), "located": isinstance(error, TaskFileError)}


def language_of(request: Request) -> translations.Language:
    """Return the visitor's language: `?lang=`, else the cookie's, else the browser's."""
    return translations.choose(
        request.query_params.get("lang"), request.cookies.get("lang"), request.headers.get("accept-language", "")
    )


def _in_language(request: Request, language: translations.Language) -> str:
    """Return where the same page is in that language; what was done is not said again."""
    # What a button sent was answered at the button's address, where there is no page.
    path = request.url.path.removesuffix("/stop").removesuffix("/switch")
    return f"{path}?{urlencode({**request.query_params, 'lang': language, 'said': ''})}"


def see(path: str, **query: str) -> RedirectResponse:
    """Send the browser on after a form, so that reloading does not send it again."""
    return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, status_code=303)


Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def route_class(site: Site) -> type[APIRoute]:
    """Return the routes of the pages: an error on purpose becomes a page."""

    class PageRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            handle = super().get_route_handler()

            async def guarded(request: Request) -> Response:
                try:
                    return await handle(request)
                except MyStocksError as error:
                    return site.sorry(request, error)

            return guarded

    return PageRoute
