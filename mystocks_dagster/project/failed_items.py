"""The parameters that repeat just what failed in a task's last execution."""

import json
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mystocks_dagster.errors import InvalidParams, NothingFailed
from mystocks_dagster.history import Execution
from mystocks_dagster.project.run_history import RunHistory
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.tags import OUTCOMES, State
from mystocks_dagster.taskfile.group import Group

if TYPE_CHECKING:
    import dagster as dg

#: Executions to look through for the last one that did its work or failed.
_MANY = 200


def params_of_failed(state: ProjectState, history: RunHistory, name: str) -> dict[str, Any]:
    """Return the parameters of the last execution that did work, narrowed to the items that failed in it.

    An execution that failed as a whole is repeated with its own parameters. Skipped, cancelled and active executions
    do not count.

    Raises:
        NothingFailed: The task never ran, nothing failed in its last execution, or the task does not say how to repeat
            what failed.
        InvalidParams: `name` is a group, or the last execution was a backfill that failed as a whole.
        UnknownName: There is no such task.
    """
    if isinstance(state.find(name), Group):
        raise InvalidParams(f"{name} is a group; name one task. Its failed tasks: mystocks history {name}")
    last = _last(history, name)
    if last.status == State.SUCCESS:
        raise NothingFailed(f"Nothing failed in the last execution of {name} ({_when(last)}), so nothing was started.")
    run = state.instance.get_run_by_id(last.run_id)
    step = last.execution_id.partition(":")[2]
    ops: Any = run.run_config.get("ops", {}) if run else {}
    given: dict[str, Any] = ops.get(step, {}).get("config") or {}
    if retry := _value(last, "retry_params"):
        return {**given, **retry}
    if last.status == State.PARTIAL_SUCCESS:
        from mystocks_dagster.tasks.findings import abbreviate  # with polars

        failed = abbreviate(list(_value(last, "failed_items"))) or "something"
        raise NothingFailed(
            f"{name} reported that {failed} failed ({_when(last)}), but not the parameters that repeat it. Run the "
            f"whole task: mystocks run {name}"
        )
    if days := _partitions(run):
        options = shlex.join(["--from", days[0], "--to", days[1], "--again"])
        raise InvalidParams(
            f"The last execution of {name} was a backfill. Repeat it: mystocks backfill {name} {options}"
        )
    return dict(given)


def _last(history: RunHistory, name: str) -> Execution:
    for execution in history.executions(name, limit=_MANY):
        if execution.status in OUTCOMES:
            return execution
    raise NothingFailed(f"{name} has not run yet, so nothing was started. Run it: mystocks run {name}")


def _when(execution: Execution) -> str:
    time = execution.start_time
    return f"{execution.status}, {time:%Y-%m-%d %H:%M}" if time else execution.status


def _value(execution: Execution, name: str) -> Any:
    """Return a value of the result; the history stores mappings and lists as JSON."""
    value = (execution.result or {}).get(name) or {}
    return json.loads(value) if isinstance(value, str) else value


def _partitions(run: "dg.DagsterRun | None") -> tuple[str, str] | None:
    """Return first and last day of a run of partitions; None for another run."""
    from mystocks_dagster.dagster_internals import (
        ASSET_PARTITION_RANGE_END_TAG,
        ASSET_PARTITION_RANGE_START_TAG,
        PARTITION_NAME_TAG,
    )

    tags: Mapping[str, str] = run.tags if run else {}
    one = tags.get(PARTITION_NAME_TAG, "")
    first, last = tags.get(ASSET_PARTITION_RANGE_START_TAG, one), tags.get(ASSET_PARTITION_RANGE_END_TAG, one)
    return (first, last) if first else None
