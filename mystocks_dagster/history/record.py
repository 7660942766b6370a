"""An execution as the roll-up stores it, independent of the current task file and folders."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from mystocks_dagster.dagster_tables import DagsterTables
from mystocks_dagster.history.models import Execution
from mystocks_dagster.market.clock import SHANGHAI


class Record(NamedTuple):
    """One task within a run. Times are in seconds since 1970.

    Attributes:
        task: The task's id if its events have it, else its name in Dagster.
        log_key: Key of the captured output within the run.
    """

    run_id: str
    step: str
    job: str
    task: str
    status: str
    start: float | None
    end: float | None
    retries: int
    params: Mapping[str, Any] | None
    result: Mapping[str, Any] | None
    error: str | None
    log_key: str | None

    @property
    def duration(self) -> float | None:
        """Seconds from its first attempt's start to its end."""
        return round(self.end - self.start, 3) if self.start is not None and self.end is not None else None

    def to_execution(self, tables: DagsterTables, task_ids: Mapping[str, str]) -> Execution:
        """Return the public execution; `task_ids` maps names in Dagster to task ids."""
        return Execution(
            execution_id=f"{self.run_id}:{self.step}",
            task_id=task_ids.get(self.task, self.task),
            status=self.status,
            start_time=moment(self.start),
            end_time=moment(self.end),
            duration=self.duration,
            result=self.result,
            error_message=self.error,
            log_path=tables.log_path(self.run_id, self.log_key) if self.log_key else None,
            retry_count=self.retries,
            run_id=self.run_id,
            job=self.job,
            params=self.params,
        )


def moment(timestamp: float | None) -> datetime | None:
    """Return the Shanghai time of seconds since 1970."""
    return None if timestamp is None else datetime.fromtimestamp(timestamp, SHANGHAI)
