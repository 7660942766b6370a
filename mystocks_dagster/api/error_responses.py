"""Errors as answers: one shape for all, a status that says who can mend it, a message that says how."""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from mystocks_dagster import disk_errors, errors
from mystocks_dagster.api.responses import JsonResponse
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.problems import TaskFileError, path_text

logger = logging.getLogger(__name__)


class ProblemBody(BaseModel):
    """One thing wrong in a task file or request, as `mystocks check --json` prints it."""

    file: str = Field(description="The task file, or the part of the request: body, query, path.")
    line: int
    column: int
    path: str = Field(description="The place in the tree, such as tasks[3].schedule.cron_expression.")
    message: str
    hint: str


class ErrorBody(BaseModel):
    """What every call answers when it cannot do what it was asked; nothing was changed."""

    success: bool = Field(description="false.")
    error: str = Field(description="The kind of error, such as UnknownName.")
    message: str = Field(description="What is wrong and what to do.")
    problems: list[ProblemBody] = Field(description="Each thing wrong, with its place.")
    names: list[str] = Field(
        description="Ids that stand in the way: of tasks that depend on it, of executions under way."
    )
    task_id: str | None = None
    execution_id: str | None = Field(description="The execution under way, when the task runs already.")


def _documented(what: str) -> dict[str, Any]:
    return {"model": ErrorBody, "description": what}


RESPONSES: dict[int | str, dict[str, Any]] = {
    400: _documented("The body is no JSON."),
    401: _documented("A token is wanted."),
    403: _documented("Not allowed from where it came."),
    404: _documented("There is none of that id."),
    409: _documented("It cannot be done now: it runs already, does not run, or others depend on it."),
    413: _documented("The body is too large."),
    422: _documented("What was sent is wrong."),
    503: _documented("The project cannot do it now: no daemon is alive, or its files cannot be used."),
}


body = errors.error_json


def register(app: FastAPI) -> None:
    """Answer every error of the application in this shape."""
    app.add_exception_handler(errors.MyStocksError, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _expected(request: Request, error: Exception) -> JsonResponse:
    assert isinstance(error, errors.MyStocksError)
    task_id = request.path_params.get("task_id") or request.path_params.get("group_id")
    return JsonResponse(error.to_json() | {"task_id": task_id}, status_of(error, request.method))


def status_of(error: errors.MyStocksError, method: str) -> int:
    """Return the HTTP status of an error for REST and the pages: its own, or 503 when the request has no part in it."""
    unread = isinstance(error, TaskFileError) and not any(problem.owner for problem in error.problems)
    return 503 if unread and method == "GET" else error.status


async def _invalid(_request: Request, error: Exception) -> JsonResponse:
    assert isinstance(error, RequestValidationError)
    problems = [_problem(item) for item in error.errors()]
    message = "; ".join(f"{one['file']} {one['path']}: {one['message']}".replace(" :", ":") for one in problems[:10])
    return JsonResponse(body("InvalidRequest", message, problems=problems), 422)


def _problem(item: Mapping[str, Any]) -> dict[str, Any]:
    place, *path = item["loc"] or ("body",)
    if item["type"] == "json_invalid":
        path = []
    message = item["msg"].removeprefix("Value error, ")
    hint = "" if item["type"] == "value_error" else "See /docs for what is taken."
    return {
        "file": str(place),
        "line": 1,
        "column": 1,
        "path": path_text(tuple(path)),
        "message": message,
        "hint": hint,
    }


async def _http(request: Request, error: Exception) -> JsonResponse:
    assert isinstance(error, HTTPException)
    message = error.detail
    if error.status_code == 404:
        message = f"There is no {request.url.path}. The calls are listed at /docs."
    elif error.status_code == 405:
        message = f"{request.url.path} knows no {request.method}. The calls are listed at /docs."
    return JsonResponse(body("HttpError", message), error.status_code, headers=dict(error.headers or {}))


async def _unexpected(request: Request, error: Exception) -> JsonResponse:
    if known := disk_errors.explain(error, Settings.from_env().dagster_home):
        return JsonResponse(known.to_json(), 503)
    logger.error("%s %s failed", request.method, request.url.path)
    message = "This is a fault of the server; its log has the details. Nothing is known of what was done."
    return JsonResponse(body("InternalError", message), 500)
