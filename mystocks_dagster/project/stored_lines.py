"""The lines of an execution in Dagster's storage: for lines that were rotated away, and for runs of other machines."""

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import dagster as dg

from mystocks_dagster.execution import tasklog
from mystocks_dagster.history import Execution
from mystocks_dagster.market.clock import SHANGHAI

_LEVELS = {number: name for name, number in logging.getLevelNamesMapping().items()}
_STARTS = (dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_RESTARTED)
#: Folder of the captured output within a run's key.
_CAPTURED = "compute_logs"


class StoredLines:
    """Reads an execution's lines in the order in which they were stored, each once."""

    def __init__(self, instance: dg.DagsterInstance, execution: Execution) -> None:
        self._instance, self._execution = instance, execution
        self._step = execution.execution_id.partition(":")[2]
        self._cursor: str | None = None
        self._attempt = 0
        #: Key of the captured output within the run.
        self._key: str | None = None

    def new(self) -> Iterator[str]:
        """Yield the log lines that were stored since the last call."""
        while True:
            page = self._instance.get_records_for_run(self._execution.run_id, cursor=self._cursor)
            for record in page.records:
                yield from self._line(record.event_log_entry)
            self._cursor = page.cursor
            if not page.has_more:
                return

    def end(self, execution: Execution) -> str:
        """Return the error of the ended execution and its captured output, whose lines have no times."""
        lines = []
        if execution.error_message and execution.end_time:
            lines.append(self._format(execution.end_time, "ERROR", execution.error_message))
        if self._key:
            captured = self._instance.compute_log_manager.get_log_data([execution.run_id, _CAPTURED, self._key])
            streams = (captured.stdout, captured.stderr)
            lines += [stream.decode("utf-8", "replace") for stream in streams if stream]
        return "".join(lines)

    def _line(self, entry: Any) -> Iterator[str]:
        event = entry.dagster_event
        if event is not None and event.event_type == dg.DagsterEventType.LOGS_CAPTURED:
            captured = event.event_specific_data
            if self._step in (captured.step_keys or ()):
                self._key = captured.file_key
        if entry.step_key != self._step:
            return
        if event is None:
            moment = datetime.fromtimestamp(entry.timestamp, SHANGHAI)
            yield self._format(moment, _LEVELS.get(entry.level, "INFO"), entry.user_message)
        elif event.event_type in _STARTS:
            self._attempt += 1

    def _format(self, moment: datetime, level: str, text: str) -> str:
        execution = self._execution
        return tasklog.line(moment, level, execution.task_id, execution.run_id, max(self._attempt, 1), text)


def read(instance: dg.DagsterInstance, execution: Execution) -> str:
    """Return all lines of an execution, its error, and its captured output."""
    lines = StoredLines(instance, execution)
    return "".join((*lines.new(), lines.end(execution)))
