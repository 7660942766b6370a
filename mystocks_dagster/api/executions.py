"""The calls about what ran: list, one, its logs, stop, clean up."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import anyio
from anyio import to_thread
from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.exceptions import HTTPException

from mystocks_dagster.api.request_models import ExecutionId, Manager, OptionalId, Since, Until
from mystocks_dagster.api.response_models import Cleaned, TaskExecution, TaskResponse, described
from mystocks_dagster.tags import Status

router = APIRouter(prefix="/api/tasks/executions", tags=["executions"])
#: Each follower takes a thread while it waits for a line; the calls have threads of their own.
MAX_FOLLOWERS = 32
_followers = anyio.CapacityLimiter(MAX_FOLLOWERS)
_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}, "description": "Lines of text"}}


@router.get("", include_in_schema=False)
@router.get("/", responses=described(list[TaskExecution]))
def list_executions(
    manager: Manager,
    task_id: OptionalId = None,
    limit: Annotated[int, Query(ge=1, le=100_000, description="At most this many, the newest first.")] = 100,
    status: Annotated[Status | None, Query(description="Only executions of this status.")] = None,
    since: Since = None,
    until: Until = None,
) -> Any:
    """List what ran, the newest first."""
    found = manager.get_executions(task_id, limit, status=status, since=since, until=until)
    return [one.to_json() for one in found]


@router.delete("/cleanup", responses=described(Cleaned))
def cleanup(
    manager: Manager,
    days: Annotated[int, Query(ge=1, le=36_500, description="Executions older than so many days go.")] = 7,
) -> Any:
    """Remove old executions from the history; tables and statistics stay."""
    done = manager.cleanup_executions(days)
    return {"success": True, "count": done.executions, **done.to_json()}


@router.get("/{execution_id}", responses=described(TaskExecution))
def get_execution(manager: Manager, execution_id: ExecutionId) -> Any:
    """Show one execution."""
    return manager.get_execution(execution_id).to_json()


@router.post("/{execution_id}/stop", responses=described(TaskResponse))
def stop_execution(manager: Manager, execution_id: ExecutionId) -> Any:
    """Stop an execution, and with it the run that it is part of; answered when it has ended."""
    return manager.stop_task(execution_id).to_json()


@router.get("/{execution_id}/logs", responses=_TEXT)
def get_logs(
    manager: Manager,
    execution_id: ExecutionId,
    follow: Annotated[bool, Query(description="Go on sending what comes until the execution has ended.")] = False,
) -> Any:
    """Show what an execution logged and printed, as text."""
    if not follow:
        return PlainTextResponse(manager.get_logs(execution_id))
    manager.get_execution(execution_id)
    if not _followers.available_tokens:
        raise HTTPException(
            503, f"{MAX_FOLLOWERS} logs are being followed already; try again when one of them has ended."
        )
    return StreamingResponse(
        _streamed(manager.follow_logs(execution_id, beat=True)), media_type="text/plain; charset=utf-8"
    )


async def _streamed(lines: Iterator[str]) -> AsyncIterator[str]:
    # A beat comes twice a second also while nothing is logged: only then does a caller who has gone away free the
    # thread.
    while (line := await to_thread.run_sync(_next, lines, limiter=_followers)) is not None:
        yield line


def _next(lines: Iterator[str]) -> str | None:
    return next(lines, None)
