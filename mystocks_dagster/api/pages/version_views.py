"""The page of an entry's versions, and the roll-back to one of them."""

from fastapi import APIRouter, Request, Response

from mystocks_dagster.api.pages.site import Form, Site, project_of, redirect
from mystocks_dagster.errors import MyStocksError, UnknownName


def register(router: APIRouter, site: Site) -> None:
    """Add the page to the router."""

    @router.get("/{name}/versions")
    def versions(request: Request, name: str) -> Response:
        return _page(site, request, name)

    @router.post("/{name}/versions")
    def restore(request: Request, name: str, form: Form) -> Response:
        try:
            result = project_of(request).entry_versions.restore(name, form.get("version", ""))
        except UnknownName:
            raise
        except MyStocksError as error:
            return _page(site, request, name, error)
        done = "unloaded" if result.unused else "restored" if result.diff else "same"
        return redirect(f"/tasks/{name}", done=done)


def _page(site: Site, request: Request, name: str, error: MyStocksError | None = None) -> Response:
    project = project_of(request)
    states = project.entry_versions.of(name)
    if not states:
        project.find(name)
    return site.render(request, "versions.html", error, name=name, states=states)
