"""REST calls about executions: list, get, logs, stop, clean up."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Annotated, Any

import anyio
from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.exceptions import HTTPException

from mystocks_dagster.api.auth import STILL_KNOWN
from mystocks_dagster.api.languages import SpokenRoute
from mystocks_dagster.api.request_models import ExecutionId, Manager, OptionalId, Since, Until
from mystocks_dagster.api.response_models import Cleaned, TaskExecution, TaskResponse, documented
from mystocks_dagster.tags import Status

router = APIRouter(prefix="/api/tasks/executions", tags=["executions"], route_class=SpokenRoute)
#: Each follower takes a thread while it waits for a line; other calls have their own threads.
MAX_FOLLOWERS = 32
_followers = anyio.CapacityLimiter(MAX_FOLLOWERS)
_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}, "description": "Lines of text"}}


@router.get("", include_in_schema=False)
@router.get("/", responses=documented(list[TaskExecution]))
def list_executions(
    manager: Manager,
    task_id: OptionalId = None,
    limit: Annotated[int, Query(ge=1, le=100_000, description="Largest number of executions, the newest first.")] = 100,
    status: Annotated[Status | None, Query(description="Only executions with this status.")] = None,
    since: Since = None,
    until: Until = None,
) -> Any:
    """List executions, the newest first."""
    executions = manager.get_executions(task_id, limit, status=status, since=since, until=until)
    return [execution.to_json() for execution in executions]


@router.delete("/cleanup", responses=documented(Cleaned))
def cleanup(
    manager: Manager,
    days: Annotated[int, Query(ge=1, le=36_500, description="Remove executions older than this many days.")] = 7,
) -> Any:
    """Remove old executions from the history; tables and statistics are kept."""
    result = manager.cleanup_executions(days)
    return {"success": True, "count": result.executions, **result.to_json()}


@router.get("/{execution_id}", responses=documented(TaskExecution))
def get_execution(manager: Manager, execution_id: ExecutionId) -> Any:
    """Get an execution."""
    return manager.get_execution(execution_id).to_json()


@router.post("/{execution_id}/stop", responses=documented(TaskResponse))
def stop_execution(manager: Manager, execution_id: ExecutionId) -> Any:
    """Stop an execution and the run that it is part of; responds when the run has ended."""
    return manager.stop_task(execution_id).to_json()


@router.get("/{execution_id}/logs", responses=_TEXT)
def get_logs(
    request: Request,
    manager: Manager,
    execution_id: ExecutionId,
    follow: Annotated[bool, Query(description="Send new lines until the execution has ended.")] = False,
) -> Any:
    """Get the log and output of an execution as text."""
    if not follow:
        return PlainTextResponse(manager.get_logs(execution_id))
    manager.get_execution(execution_id)
    if not _followers.available_tokens:
        raise HTTPException(
            503, f"{MAX_FOLLOWERS} logs are followed already. Try again when one of these executions has ended."
        )
    return StreamingResponse(
        _stream(manager.follow_logs(execution_id, beat=True), request.scope[STILL_KNOWN]),
        media_type="text/plain; charset=utf-8",
    )


async def _stream(lines: Iterator[str], is_known: Callable[[], Awaitable[bool]]) -> AsyncIterator[str]:
    # An empty line comes twice a second while nothing is logged, so that a closed connection frees its thread.
    while (line := await to_thread.run_sync(_next, lines, limiter=_followers)) is not None and await is_known():
        yield line


def _next(lines: Iterator[str]) -> str | None:
    return next(lines, None)
