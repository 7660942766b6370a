"""The log lines and the output of executions, also while they are running."""

import fcntl
import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mystocks_dagster.errors import InstanceError, UnknownName
from mystocks_dagster.execution import tasklog
from mystocks_dagster.history import Execution
from mystocks_dagster.project import stored_lines
from mystocks_dagster.project.run_history import RunHistory
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.runs import stop
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import UNDER_WAY, WAITING

_POLL_SECONDS = 0.3
#: Executions of a task among which the newest that has started is looked up; at most so many wait at once.
_NEWEST = 20
#: Runs among which a run is looked up by the first characters of its id.
_NEWEST_RUNS = 1000


class ExecutionLogs:
    """Reads the logs of one project's executions."""

    def __init__(self, state: ProjectState, history: RunHistory) -> None:
        self._state, self._history = state, history

    def find(self, name: str, run: str | None = None) -> list[Execution]:
        """Return the executions that an id stands for: of a task, the newest that has started; of a run, all.

        Args:
            name: Id of a task, an execution or a run; the first eight characters of a run's id are enough.
            run: For a task: its execution in this run.

        Raises:
            UnknownName: There is no such task, run or execution.
            InstanceError: The task has not run, or not in that run.
        """
        if stop.is_run_id(name) and name not in self._state.task_ids.values():
            run_id, _, step = name.partition(":")
            ending = f":{step}" if step else ""
            executions = [execution for execution in self._of_run(run_id) if execution.execution_id.endswith(ending)]
            if not executions:
                raise UnknownName(f"There is no run or execution {name!r}. List them with: mystocks history")
            return executions
        if run:
            executions = [execution for execution in self._of_run(run) if execution.task_id == name]
        else:
            executions = list(self._history.executions(name, limit=_NEWEST))
        if not executions:
            self._state.find(name)
            where = f" in {run}" if run else ""
            raise InstanceError(f"{name} has not run{where}. List its executions with: mystocks history {name}")
        started = (execution for execution in executions if execution.status not in WAITING)
        return [next(started, executions[0])]

    def _of_run(self, run_id: str) -> list[Execution]:
        """Return the executions of the newest run whose id starts with `run_id`."""
        instance = self._state.instance
        if not instance.has_run(run_id):
            ids = (run.run_id for run in instance.get_runs(limit=_NEWEST_RUNS))
            run_id = next((full_id for full_id in ids if full_id.startswith(run_id)), run_id)
        return self._history.of_run(run_id)

    def read(self, execution_id: str) -> str:
        """Return the lines of an execution, oldest first; empty if it has not logged anything (yet).

        They are read from the task's log files. If these were rotated away, or are on another machine, they are read
        from Dagster's storage.

        Raises:
            UnknownName: There is no such execution.
        """
        execution = self._history.execution(execution_id)
        text, _ = _all(self._state.settings, execution.task_id)
        return _lines_of_run(text, execution.run_id) or stored_lines.read(self._state.instance, execution)

    def follow(self, execution_id: str, *, beat: bool = False) -> Iterator[str]:
        """Yield the lines that `read` returns, then each new line as it is written, until the execution has ended.

        Args:
            execution_id: The execution.
            beat: Also yield an empty text after each poll without new lines, so that the reader can stop waiting.

        Raises:
            UnknownName: There is no such execution.
        """
        settings = self._state.settings
        execution = self._history.execution(execution_id)
        stored = stored_lines.StoredLines(self._state.instance, execution)
        silent, offset = True, None
        while True:
            # Before reading, so that lines written just before the end are read too.
            ended = self._history.execution(execution_id).status not in UNDER_WAY
            if offset is None:
                text, offset = _all(settings, execution.task_id)
            else:
                text, offset = _since(settings, execution.task_id, offset)
            for line in _lines_of_run(text, execution.run_id).splitlines(keepends=True):
                silent = False
                yield line
            if silent and (ended or stored_lines.executed_elsewhere(self._state.instance, execution.run_id)):
                yield from stored.new()
            if ended:
                if silent:
                    yield from stored.end(self._history.execution(execution_id)).splitlines(keepends=True)
                return
            if beat:
                yield ""
            time.sleep(_POLL_SECONDS)


def _all(settings: Settings, task_id: str) -> tuple[bytes, int]:
    """Return the log files of a task as one text, and the length of the current file."""
    current = tasklog.path_of(settings.logs, task_id)
    with _locked(current) as file:
        older = [path.read_bytes() for path in reversed(tasklog.older(current, settings.log_files)) if path.exists()]
        content = file.read() if file else b""
    return b"".join((*older, content)), len(content)


def _since(settings: Settings, task_id: str, offset: int) -> tuple[bytes, int]:
    """Return what was written since the current file had the length `offset`, and its new length."""
    current = tasklog.path_of(settings.logs, task_id)
    with _locked(current) as file:
        if file is None:
            return b"", 0
        rest = b""
        if file.seek(0, os.SEEK_END) < offset:  # it has been rotated
            rest = b"".join(path.read_bytes()[offset:] for path in tasklog.older(current, 2) if path.exists())
            offset = 0
        file.seek(offset)
        added = file.read()
    return rest + added, offset + len(added)


@contextmanager
def _locked(path: Path) -> Generator[IO[bytes] | None]:
    """Open a file and lock it against writers; None if it does not exist."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield None
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield file


def _lines_of_run(text: bytes, run_id: str) -> str:
    return "".join(tasklog.of_run(text.decode("utf-8", "replace").splitlines(keepends=True), run_id))
