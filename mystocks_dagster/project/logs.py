"""What an execution logged and printed: its lines of the task's log file, also while it still writes them."""

import fcntl
import logging
import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

import dagster as dg

from mystocks_dagster.errors import InstanceError, UnknownName
from mystocks_dagster.execution import tasklog
from mystocks_dagster.history import Execution
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.project.run_history import RunHistory
from mystocks_dagster.runs import stop
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import UNDER_WAY, WAITING

_POLL_SECONDS = 0.3
#: More executions of a task than these do not wait at once.
_NEWEST = 20
#: So far back the beginning of a run's id is enough.
_NEWEST_RUNS = 1000
_LEVELS = {number: name for name, number in logging.getLevelNamesMapping().items()}
_STARTS = (dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_RESTARTED)


def find(runs: RunHistory, name: str, run: str | None = None) -> list[Execution]:
    """Return the executions that a person means: of a task the newest that has started, of a run all.

    Args:
        runs: The project's history.
        name: Id of a task, an execution or a run; the first eight characters of a run's id are enough.
        run: Of a task, the execution in this run.

    Raises:
        UnknownName: There is nothing of that name.
        InstanceError: The task has not run, or not in that run.
    """
    if stop.is_run_id(name) and name not in runs.state.task_ids.values():
        run_id, _, step = name.partition(":")
        wanted = [one for one in _of_run(runs, run_id) if not step or one.execution_id.endswith(f":{step}")]
        if not wanted:
            raise UnknownName(f"There is no run or execution {name!r}. What ran: mystocks history")
        return wanted
    newest = (
        [one for one in _of_run(runs, run) if one.task_id == name]
        if run
        else list(runs.executions(name, limit=_NEWEST))
    )
    if not newest:
        runs.state.find(name)
        raise InstanceError(f"{name} has not run{f' in {run}' if run else ''}. What ran: mystocks history {name}")
    return [next((one for one in newest if one.status not in WAITING), newest[0])]


def _of_run(runs: RunHistory, run_id: str) -> list[Execution]:
    return runs.of_run(_full(runs.state.instance, run_id))


def _full(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return the id of the newest run that begins so; what is none stays as it is."""
    if instance.has_run(run_id):
        return run_id
    return next((run.run_id for run in instance.get_runs(limit=_NEWEST_RUNS) if run.run_id.startswith(run_id)), run_id)


def read(runs: RunHistory, execution_id: str) -> str:
    """Return the lines of one execution, the oldest first; empty when it has logged nothing (yet).

    They come from the task's log files; when these have been rotated away, from what Dagster keeps of the run.

    Raises:
        UnknownName: There is no such execution.
    """
    execution = runs.execution(execution_id)
    text, _ = _all(runs.state.settings, execution.task_id)
    return _wanted(text, execution.run_id) or _of_dagster(runs.state.instance, execution)


def follow(runs: RunHistory, execution_id: str, *, beat: bool = False) -> Iterator[str]:
    """Yield the lines that `read` returns, and then each further one as it is written, until the execution has ended.

    Args:
        runs: The project's history.
        execution_id: Which one.
        beat: Also yield empty text each time that nothing new was found, so that who reads can look up and go away.

    Raises:
        UnknownName: There is no such execution.
    """
    execution = runs.execution(execution_id)
    silent, offset = True, None
    while True:
        # Asked before reading, so that what is written at the very end is read too.
        ended = runs.execution(execution_id).status not in UNDER_WAY
        text, offset = (
            _all(runs.state.settings, execution.task_id)
            if offset is None
            else _since(runs.state.settings, execution.task_id, offset)
        )
        for one in _wanted(text, execution.run_id).splitlines(keepends=True):
            silent = False
            yield one
        if ended:
            if silent:
                yield from _of_dagster(runs.state.instance, execution).splitlines(keepends=True)
            return
        if beat:
            yield ""
        time.sleep(_POLL_SECONDS)


def _all(settings: Settings, task_id: str) -> tuple[bytes, int]:
    """Return the log files of a task as one text, and the length of the present one."""
    newest = tasklog.path_of(settings.logs, task_id)
    with _locked(newest) as file:
        older = [path.read_bytes() for path in reversed(tasklog.older(newest, settings.log_files)) if path.exists()]
        present = file.read() if file else b""
    return b"".join((*older, present)), len(present)


def _since(settings: Settings, task_id: str, offset: int) -> tuple[bytes, int]:
    """Return what was added since the present file had that length, and its new length."""
    newest = tasklog.path_of(settings.logs, task_id)
    with _locked(newest) as file:
        if file is None:
            return b"", 0
        rest = b""
        if file.seek(0, os.SEEK_END) < offset:  # it was rotated meanwhile
            rest = b"".join(path.read_bytes()[offset:] for path in tasklog.older(newest, 2) if path.exists())
            offset = 0
        file.seek(offset)
        added = file.read()
    return rest + added, offset + len(added)


@contextmanager
def _locked(path: Path) -> Generator[IO[bytes] | None]:
    """Open a file that nobody writes meanwhile; None when there is none."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield None
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield file


def _wanted(text: bytes, run_id: str) -> str:
    return "".join(tasklog.of_run(text.decode("utf-8", "replace").splitlines(keepends=True), run_id))


def _of_dagster(instance: dg.DagsterInstance, execution: Execution) -> str:
    """Return what Dagster's event log has of an execution, its error, and the captured output, which has no times."""
    step, attempt, told = execution.execution_id.partition(":")[2], 0, []
    for entry in instance.all_logs(execution.run_id):
        if entry.step_key != step:
            continue
        if entry.dagster_event is None:
            at = datetime.fromtimestamp(entry.timestamp, SHANGHAI)
            told.append(
                tasklog.line(
                    at,
                    _LEVELS.get(entry.level, "INFO"),
                    execution.task_id,
                    execution.run_id,
                    max(attempt, 1),
                    entry.user_message,
                )
            )
        elif entry.dagster_event.event_type in _STARTS:
            attempt += 1
    if execution.error_message and execution.end_time:
        told.append(
            tasklog.line(
                execution.end_time, "ERROR", execution.task_id, execution.run_id, attempt, execution.error_message
            )
        )
    if execution.log_path:
        captured = Path(execution.log_path)
        told += [
            path.read_text(encoding="utf-8", errors="replace")
            for path in (captured, captured.with_suffix(".err"))
            if path.exists()
        ]
    return "".join(told)
