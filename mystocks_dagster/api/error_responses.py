"""Error responses of the REST interface: one JSON shape and the status of each error."""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from mystocks_dagster import disk_errors, errors
from mystocks_dagster.api.languages import rest_language, translate_error
from mystocks_dagster.api.responses import JsonResponse
from mystocks_dagster.settings import Settings
from mystocks_dagster.shared import outage
from mystocks_dagster.taskfile.problems import NotEditable, TaskFileError, path_text

logger = logging.getLogger(__name__)


class ProblemBody(BaseModel):
    """One problem in a task file or request, as `mystocks check --json` prints it."""

    file: str = Field(description="The task file, or the part of the request: body, query or path.")
    line: int
    column: int
    path: str = Field(description="Path of the field, such as tasks[3].schedule.cron_expression.")
    message: str
    hint: str


class ErrorBody(BaseModel):
    """Body of every error response; nothing was changed."""

    success: bool = Field(description="false.")
    error: str = Field(description="The kind of error, such as UnknownName.")
    message: str = Field(description="The fault and the remedy.")
    problems: list[ProblemBody] = Field(description="Each problem with its location.")
    names: list[str] = Field(description="Ids of blocking entries: dependent tasks and groups, or active executions.")
    task_id: str | None = None
    execution_id: str | None = Field(description="The active execution if the task is already running.")


def _documented(description: str) -> dict[str, Any]:
    return {"model": ErrorBody, "description": description}


RESPONSES: dict[int | str, dict[str, Any]] = {
    400: _documented("The request body is not valid JSON."),
    401: _documented("The token is missing or wrong."),
    403: _documented("Not allowed for this caller."),
    404: _documented("Unknown id or path."),
    409: _documented("Conflict: already running, not running, or in use by other entries."),
    413: _documented("The request body is too large."),
    422: _documented("The request is invalid."),
    429: _documented("Too many wrong tokens came from this address; Retry-After has the seconds."),
    503: _documented("The project cannot do it now: no daemon is alive, or its files are not usable."),
}


def register(app: FastAPI) -> None:
    """Register the exception handlers of the application."""
    app.add_exception_handler(errors.MyStocksError, _mystocks_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _internal_error)


async def _mystocks_error(request: Request, error: Exception) -> JsonResponse:
    assert isinstance(error, errors.MyStocksError)
    task_id = request.path_params.get("task_id") or request.path_params.get("group_id")
    return _response(request, error.to_json() | {"task_id": task_id}, status_of(error, request.method))


def status_of(error: errors.MyStocksError, method: str) -> int:
    """Return the HTTP status of an error: its own, or 503 if reading failed because of an unusable task file."""
    reading = isinstance(error, TaskFileError) and not isinstance(error, NotEditable)
    unusable = reading and not any(problem.owner for problem in error.problems)
    return 503 if unusable and method == "GET" else error.status


def refusal(request: HTTPConnection, status: int, kind: str, message: str, **headers: str) -> JsonResponse:
    """Return an error that no exception reports, in the language that the request prefers.

    Args:
        request: The request; of what a middleware has, `HTTPConnection(scope)`.
        status: Status of the response.
        kind: The kind of error, such as Forbidden.
        message: The fault and the remedy, in English.
        headers: Further headers of the response.
    """
    return _response(request, errors.error_json(kind, message), status, **headers)


def _response(request: HTTPConnection, content: dict[str, Any], status: int, **headers: str) -> JsonResponse:
    """Return an error in the language that the request prefers."""
    translated = translate_error(content, rest_language(request))
    return JsonResponse(translated, status, headers={"vary": "accept-language", **headers})


async def _invalid_request(request: Request, error: Exception) -> JsonResponse:
    assert isinstance(error, RequestValidationError)
    problems = [_problem(item) for item in error.errors()]
    lines = (f"{item['file']}.{item['path']}: {item['message']}".replace(".:", ":", 1) for item in problems[:10])
    return _response(request, errors.error_json("InvalidRequest", "; ".join(lines), problems=problems), 422)


def _problem(item: Mapping[str, Any]) -> dict[str, Any]:
    part, *path = item["loc"] or ("body",)
    if item["type"] == "json_invalid":
        path = []
    message = item["msg"].removeprefix("Value error, ")
    hint = "" if item["type"] == "value_error" else "See /docs for the valid values."
    place = {"file": str(part), "line": 1, "column": 1, "path": path_text(tuple(path))}
    return {**place, "message": message, "hint": hint}


async def _http_error(request: Request, error: Exception) -> JsonResponse:
    assert isinstance(error, HTTPException)
    message = error.detail
    if error.status_code == 404:
        message = f"{request.url.path} does not exist. See /docs for the calls."
    elif error.status_code == 405:
        message = f"{request.url.path} does not accept {request.method}. See /docs for the calls."
    return refusal(request, error.status_code, "HttpError", message, **(error.headers or {}))


async def _internal_error(request: Request, error: Exception) -> JsonResponse:
    known = disk_errors.explain(error, Settings.from_env().dagster_home) or outage.explain(error)
    if known:
        return _response(request, known.to_json(), 503)
    logger.error("%s %s failed", request.method, request.url.path)
    message = "Internal server error; see the server's log. The request may have been carried out in part."
    return refusal(request, 500, "InternalError", message)
