"""Executions, statistics of tasks, and results of clean-ups."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One task within one Dagster run; a group's run has several. Times are in Shanghai, `duration` in seconds.

    Attributes:
        execution_id: `<run id>:<step>`.
        status: pending, running, success, partial_success, failed, skipped, cancelled, or paused (pending while the
            task's switch is off).
        retry_count: Attempts beyond the first.
        params: Parameters given for this run only.
        result: What the task reported: rows by table, message, failed items.
        log_path: The file of the task's captured stdout.
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
        """The error, else the task's message, else its returned values, such as `limit_ups: 12`; may be empty."""
        result = self.result or {}
        return self.error_message or str(result.get("message") or "") or _values(result.get("result"))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of REST and `--json`: the contract's `TaskExecution`."""
        return _json(self)


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Counts and durations of a task's executions: the contract's `TaskStatistics`; `success_rate` in percent.

    Partial successes count as successes; skipped, cancelled and active executions count only in the total.
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
        """Return the JSON of REST and `--json`."""
        return _json(self)


@dataclass(frozen=True, kw_only=True)
class CleanupResult:
    """What a clean-up removed or, in a dry run, would remove.

    Attributes:
        runs: Number of Dagster runs, with their events and logs.
        executions: Number of executions in those runs.
        ticks: Number of ticks of schedules and sensors.
        task_files: Number of stored versions of the task file.
        bytes_freed: Freed disk space; in a dry run without that in shared databases.
        kept: Number of old runs that stay because they are still needed.
        notes: Steps that failed, in words.
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
        """Number of removed executions."""
        return self.executions

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of REST and `--json`."""
        return {**vars(self), "notes": list(self.notes), "count": self.count}


def _values(returned: Any) -> str:
    """Return the values that a function returned, beside the status, in one line."""
    if not isinstance(returned, Mapping):
        return "" if returned is None else str(returned)
    return ", ".join(f"{name}: {_text(value)}" for name, value in returned.items())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _json(value: Execution | Statistics) -> dict[str, Any]:
    return {name: item.isoformat() if isinstance(item, datetime) else item for name, item in vars(value).items()}
