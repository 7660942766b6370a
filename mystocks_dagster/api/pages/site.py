"""What all pages share: the project, the templates, the language, and how an error is shown."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined

from mystocks_dagster.api.error_responses import status_of
from mystocks_dagster.api.origins import Source, source_of
from mystocks_dagster.api.pages import translations
from mystocks_dagster.api.pages.task_table import Links
from mystocks_dagster.api.security_headers import PAGES_POLICY
from mystocks_dagster.errors import Forbidden, MyStocksError
from mystocks_dagster.instance import dagster_address
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.project import reload_state
from mystocks_dagster.project.access import PAGES
from mystocks_dagster.project.project import Project
from mystocks_dagster.sources.registry import is_simulated
from mystocks_dagster.taskfile import last_good
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.yaml.dump import text_of

_HEADERS = {"Content-Security-Policy": PAGES_POLICY, "Vary": "Accept-Language, Cookie"}
#: What may stand in `?said=` after a redirect.
SAID = ("created", "saved", "deleted", "same", "started", "stopped", "on", "off", "reset", "unloaded")
#: Fields of the largest form, and some more.
_MOST_FIELDS = 300
_YEAR = 365 * 24 * 3600


def project_of(request: Request) -> Project:
    """Return the project with the task file as it is now."""
    return request.app.state.projects.project(PAGES)


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

    def render(
        self, request: Request, template: str, failure: MyStocksError | None = None, **values: Any
    ) -> HTMLResponse:
        """Return a page in the visitor's language, with the failure of what was just asked for and its status."""
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
            "daemon": project.daemon_alive,
            "settings": settings,
            "simulated": is_simulated(settings.source),
            "file_notice": _file_notice(project),
            "reload_trouble": reload_state.trouble(settings),
            "reloading": reload_state.under_way(settings),
            "error": told(failure) if failure else None,
            "said": said if said in SAID else None,
            "said_run": request.query_params.get("run", "") if said == "started" else "",
            "speak": lambda wanted: _in_language(request, wanted),
        }
        text = self._templates.get_template(template).render(shared | values)
        status = status_of(failure, request.method) if failure else 200
        response = HTMLResponse(text, status, _HEADERS)
        if request.query_params.get("lang") in translations.LANGUAGES:
            response.set_cookie("lang", language, max_age=_YEAR, httponly=True, samesite="lax", path="/tasks")
        return response

    def sorry(self, request: Request, error: MyStocksError) -> HTMLResponse:
        """Return the page that says why something was not done."""
        return self.render(request, "error.html", error, **told(error))


def _file_notice(project: Project) -> str | None:
    """Return what is wrong with the task file when its last good version is shown.

    A page about a file without one says so itself.
    """
    try:
        return last_good.notice(project.version)
    except TaskFileError:
        return None


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


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form that one of these pages sent.

    Raises:
        Forbidden: No browser says that a page of this server sent it; every browser says it of a form.
    """
    if source_of(request.headers) is not Source.OWN:
        raise Forbidden("This form was not sent by this page. Open the page itself and send it again.")
    async with request.form(max_files=0, max_fields=_MOST_FIELDS) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


#: The fields of a form, as a parameter of a page.
Form = Annotated[dict[str, str], Depends(form_of)]
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
