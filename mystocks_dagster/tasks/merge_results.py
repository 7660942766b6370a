"""Put the results of a task's parts together."""

from collections.abc import Sequence

from mystocks_dagster.tags import ResultStatus, State
from mystocks_dagster.tasks.run import TaskResult


def merge_results(parts: Sequence[TaskResult]) -> TaskResult:
    """Return one result for all parts: as bad as the worst of them, and skipped only when every part was."""
    statuses = {part.status for part in parts}
    worst: ResultStatus = next(
        (status for status in (State.FAILED, State.PARTIAL_SUCCESS, State.SUCCESS) if status in statuses), State.SKIPPED
    )
    return TaskResult(
        status=worst,
        message=" ".join(part.message for part in parts if part.message),
        rows={table: rows for part in parts for table, rows in part.rows.items()},
        days={table: days for part in parts for table, days in part.days.items()},
        error="; ".join(part.error for part in parts if part.error) or None,
        failed_items=tuple(item for part in parts for item in part.failed_items),
        retry_params={name: value for part in parts for name, value in part.retry_params.items()},
        metadata={name: value for part in parts for name, value in part.metadata.items()},
    )
