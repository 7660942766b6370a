"""The lines of an execution in Dagster's storage: for lines that were rotated away, and for runs of other machines."""

import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg

from mystocks_dagster.execution import tasklog
from mystocks_dagster.history import Execution
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.tags import Tag

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
            streams = [stream for stream in (captured.stdout, captured.stderr) if stream]
            lines += [stream.decode("utf-8", "replace") for stream in streams]
            if not streams and execution.end_time and (machine := self._output_elsewhere()):
                text = f"What this task printed is on {machine}. Read it there with: mystocks logs {execution.run_id}"
                lines.append(self._format(execution.end_time, "INFO", text))
        return "".join(lines)

    def _output_elsewhere(self) -> str:
        """Return the machine whose disk has the captured output; empty if it is here, or in a shared store."""
        is_local = hasattr(self._instance.compute_log_manager, "get_captured_local_path")
        return executed_elsewhere(self._instance, self._execution.run_id) if is_local else ""

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


def executed_elsewhere(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return the other machine that executes a run, or has; empty if it is this one, or none yet."""
    run = instance.get_run_by_id(run_id)
    own = Path(instance.storage_directory()) / run_id
    return "" if run is None or own.exists() else run.tags.get(Tag.MACHINE, "")


def read(instance: dg.DagsterInstance, execution: Execution) -> str:
    """Return all lines of an execution, its error, and its captured output."""
    lines = StoredLines(instance, execution)
    return "".join((*lines.new(), lines.end(execution)))
