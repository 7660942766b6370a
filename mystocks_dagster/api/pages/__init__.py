"""The HTML pages, which `mystocks ui` and `mystocks api` serve beside the REST interface."""

from fastapi import APIRouter

from mystocks_dagster.api.pages.router import pages


def routers() -> list[APIRouter]:
    """Return the routers of the pages; `request.app.state.manager` is the project's `TaskManager`."""
    return pages()
