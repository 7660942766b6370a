"""The page that imports and exports the task file and cleans up the history."""

from typing import Any

from fastapi import APIRouter, Request, Response

from mystocks_dagster.api.pages.site import Form, Site, project_of, redirect
from mystocks_dagster.errors import InvalidParams, MyStocksError

#: Days of history that the form of the clean-up keeps at first.
_KEEP_DAYS = "90"


def register(router: APIRouter, site: Site) -> None:
    """Add the page and its actions to the router."""

    @router.get("/-/manage")
    def manage(request: Request) -> Response:
        return _page(site, request)

    @router.post("/-/manage/import")
    def import_text(request: Request, form: Form) -> Response:
        text, check = form.get("text", ""), form.get("do") != "import"
        try:
            result = project_of(request).edits.import_text(text, "import", dry_run=check)
        except MyStocksError as error:
            return _page(site, request, error, text=text)
        if check:
            return _page(site, request, text=text, diff=result.diff, checked=True)
        return redirect("/tasks", done="unloaded" if result.unused else "imported" if result.diff else "same")

    @router.post("/-/manage/export")
    def export(request: Request, form: Form) -> Response:
        name = form.get("name", "").strip()
        try:
            path = project_of(request).edits.export(name)
        except MyStocksError as error:
            return _page(site, request, error, file_name=name)
        return _page(site, request, file_name=name, exported=path)

    @router.post("/-/manage/cleanup")
    def clean_up(request: Request, form: Form) -> Response:
        text = form.get("days", "").strip()
        try:
            dry_run = form.get("do") != "clean"
            result = project_of(request).history.clean_up(_days(text), dry_run=dry_run)
        except MyStocksError as error:
            return _page(site, request, error, keep_days=text)
        return _page(site, request, keep_days=text, cleaned=result)


def _page(site: Site, request: Request, error: MyStocksError | None = None, **values: Any) -> Response:
    empty = {
        "text": "",
        "diff": "",
        "checked": False,
        "file_name": "tasks.yaml",
        "exported": None,
        "keep_days": _KEEP_DAYS,
        "cleaned": None,
    }
    return site.render(request, "manage.html", error, **(empty | values))


def _days(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 7):
        raise InvalidParams(f"{text!r} is not a number of days; write it like 90.")
    return int(text)
