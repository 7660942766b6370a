"""An execution, the statistics of a task, and what a clean-up removed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One task's part in one Dagster run: a group's run holds several. Times are in Shanghai; `duration` is in seconds.

    Attributes:
        execution_id: `<run id>:<step>`.
        status: pending, running, success, partial_success, failed, skipped, cancelled, or paused: pending while its
            task's switch is off.
        retry_count: Attempts beyond the first.
        params: What was given for this run only.
        result: What the task reported: rows by table, message, failed items.
        log_path: The captured stdout of the task, as a file.
    """

    execution_id: str
    task_id: str
    status: str
    start_time: datetime | None = None
    end_time: datetime | None = None
    duration: float | None = None
    result: Mapping[str, Any] | None = None
    error_message: str | None = None
    log_path: str | None = None
    retry_count: int = 0
    run_id: str = ""
    job: str = ""
    params: Mapping[str, Any] | None = None

    @property
    def remark(self) -> str:
        """Why it failed, else the task's message, else the values that it returned, such as `limit_ups: 12`; may be empty."""
        result = self.result or {}
        return self.error_message or str(result.get("message") or "") or _values(result.get("result"))

    def to_json(self) -> dict[str, Any]:
        """Return it as the REST interface and `--json` show it: the contract's `TaskExecution`."""
        return _json(self)


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """How often a task ran and how it went: the contract's `TaskStatistics`; `success_rate` in percent.

    Partial successes count as successes; skipped, cancelled and unfinished executions count in the total only.
    """

    task_id: str
    task_name: str
    total_executions: int = 0
    success_count: int = 0
    failed_count: int = 0
    avg_duration: float | None = None
    p95_duration: float | None = None
    last_execution_time: datetime | None = None
    last_status: str | None = None
    success_rate: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as the REST interface and `--json` show it."""
        return _json(self)


@dataclass(frozen=True, kw_only=True)
class CleanupResult:
    """What a clean-up removed, or would remove (`dry_run`).

    Attributes:
        runs: Dagster runs, with their events and logs.
        executions: Of tasks, in those runs.
        ticks: Of schedules and sensors.
        task_files: Stored versions of the task file.
        bytes_freed: On the disk. In a dry run: of logs and of runs' own files only, without what databases shrink.
        kept: Old runs that stay because something still stands on them.
        notes: What could not be done, for people.
    """

    days: int
    dry_run: bool
    runs: int = 0
    executions: int = 0
    ticks: int = 0
    task_files: int = 0
    kept: int = 0
    bytes_freed: int = 0
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many executions were removed."""
        return self.executions

    def to_json(self) -> dict[str, Any]:
        """Return it as the REST interface and `--json` show it."""
        return {**vars(self), "notes": list(self.notes), "count": self.count}


def _values(returned: Any) -> str:
    """Return the values beside the status of what a function returned, in one line."""
    if not isinstance(returned, Mapping):
        return "" if returned is None else str(returned)
    shown = (
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)}"
        for name, value in returned.items()
    )
    return ", ".join(shown)


def _json(value: Execution | Statistics) -> dict[str, Any]:
    return {name: item.isoformat() if isinstance(item, datetime) else item for name, item in vars(value).items()}
