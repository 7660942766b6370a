"""The pages about the lake: coverage by trading day, tables, agreement of sources, SQL and downloads."""

import io
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Query, Request, Response

from mystocks_dagster.api.pages.coverage_map import coverage_map, month_map
from mystocks_dagster.api.pages.site import Form, Site, day_of, project_of, redirect
from mystocks_dagster.errors import Forbidden, InvalidParams, MyStocksError, UnknownName
from mystocks_dagster.project.project import Project

if TYPE_CHECKING:
    import polars as pl

#: Numbers of trading days that the heat map can show.
SPANS = (60, 120, 250)
_FORMATS = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
#: How a text begins that a spreadsheet may run as a formula, also in full width.
_FORMULA = r"^[=+\-@＝＋－＠\t\r\n]"
_EXAMPLE = """SELECT symbol, close, amount
FROM daily_bars
WHERE date = (SELECT max(date) FROM daily_bars)
ORDER BY amount DESC"""


def register(router: APIRouter, site: Site) -> None:
    """Add the pages below /data to the router."""
    _register_overview(router, site)
    _register_sql(router, site)
    _register_table(router, site)


def _register_overview(router: APIRouter, site: Site) -> None:
    @router.get("")
    def overview(request: Request, days: int = SPANS[0]) -> Response:
        project = project_of(request)
        shown = days if days in SPANS else SPANS[0]
        report, truth = project.coverage.report(), project.tables.truth()
        return site.render(
            request,
            "data.html",
            tables=project.tables.tables(),
            map=coverage_map(report.to_json(), shown),
            gaps=[gap for gap in report.gaps if gap.status != "not_published"][-12:][::-1],
            never=report.never_loaded,
            truth=truth,
            alone=[item.table for item in truth if not (item.witnesses or item.day)],
            spans=SPANS,
            shown=shown,
        )


def _register_sql(router: APIRouter, site: Site) -> None:
    @router.get("/-/sql")
    def ask(request: Request) -> Response:
        return site.render(request, "sql.html", sql=_EXAMPLE, answer=None)

    @router.post("/-/sql")
    def answer(request: Request, form: Form) -> Response:
        sql = form.get("sql", "")
        try:
            frame = project_of(request).tables.query(sql)
        except MyStocksError as error:
            return site.render(request, "sql.html", error, sql=sql, answer=None)
        return site.render(request, "sql.html", sql=sql, answer=_cells(frame))


def _register_table(router: APIRouter, site: Site) -> None:
    @router.get("/{name}")
    def table(request: Request, name: str, day: str = "") -> Response:
        return _table_page(site, request, name, day_of(day))

    @router.get("/{name}/download")
    def download(
        request: Request,
        name: str,
        form: str = Query("csv", alias="format"),
        start: str = "",
        end: str = "",
    ) -> Response:
        if form not in _FORMATS:
            raise InvalidParams(f"{form!r} is not a format of a download; choose {' or '.join(_FORMATS)}.")
        frame = project_of(request).tables.download(name, day_of(start), day_of(end), None)
        buffer = io.BytesIO()
        if form == "csv":
            buffer.write("\ufeff".encode())  # so that Excel reads Chinese names
            _harmless(frame).write_csv(buffer)
        else:
            frame.write_parquet(buffer)
        disposition = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
        return Response(buffer.getvalue(), media_type=_FORMATS[form], headers=disposition)

    @router.post("/{name}/fill")
    def fill(request: Request, name: str, form: Form) -> Response:
        project = project_of(request)
        first, last = day_of(form.get("first", "")), day_of(form.get("last", ""))
        try:
            plan = project.coverage.plan([name], start=first, end=last)
            run_ids = project.runs.fill(plan.fills)
        except (UnknownName, Forbidden):
            raise
        except MyStocksError as error:
            return _table_page(site, request, name, first, error)
        if not run_ids:
            return redirect(f"/data/{name}", done="same")
        return redirect(f"/data/{name}", done="started", run=run_ids[0])


def _table_page(
    site: Site, request: Request, name: str, day: date | None, error: MyStocksError | None = None
) -> Response:
    project = project_of(request)
    stored = project.tables.table(name)
    preview = project.tables.preview(name) if stored.rows and not stored.trouble else None
    return site.render(
        request,
        "data_table.html",
        error,
        stored=stored,
        table=stored.table,
        preview=None if preview is None else _cells(preview),
        **_coverage_values(project, name, day),
    )


def _coverage_values(project: Project, name: str, day: date | None) -> dict[str, Any]:
    try:
        report = project.coverage.report([name])
    except UnknownName:  # it is not loaded by trading day
        return {"map": None, "gaps": (), "plan": None, "day": None, "state": None}
    rows = {row["date"]: row for row in report.frame.iter_rows(named=True)}
    gaps = [gap for gap in report.gaps if gap.status != "not_published"]
    first, last = (day, day) if day else (gaps[0].first, gaps[-1].last) if gaps else (None, None)
    return {
        "map": month_map(report.to_json(), name),
        "gaps": gaps[::-1][:20],
        "plan": project.coverage.plan([name], start=first, end=last) if first and (not day or day in rows) else None,
        "day": day,
        "state": rows.get(day) if day else None,
    }


def _harmless(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Return a frame in which an apostrophe stands before each text that a spreadsheet may run."""
    import polars as pl

    texts = pl.col(pl.String)
    return frame.with_columns(pl.when(texts.str.contains(_FORMULA)).then("'" + texts).otherwise(texts).name.keep())


def _cells(frame: Any) -> Mapping[str, Any]:
    """Return the columns and rows of a frame as text; numbers are aligned to the right."""
    numeric = [dtype.is_numeric() for dtype in frame.dtypes]
    return {
        "columns": list(zip(frame.columns, numeric, strict=True)),
        "rows": [_texts(row) for row in frame.iter_rows()],
    }


def _texts(row: Sequence[Any]) -> list[str]:
    return [_text(value) for value in row]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"
    return f"{value}".lower() if isinstance(value, bool) else f"{value}"
