"""The log file of a task: `<task_id>.log`, one format, rotated by size, written by several processes at once.

A line is `2026-11-24T16:00:03.120+08:00 INFO     daily_data_sync attempt=1 run=<run id> | text`. What the task and its
children print has STDOUT or STDERR for its level. A text of several lines becomes several such lines.
"""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from mystocks_dagster.market.clock import SHANGHAI

SUFFIX = ".log"
#: Between what a line is about and its text.
_BAR = " | "
_LINE = re.compile(
    r"(?P<time>\S+) (?P<level>\w+) +(?P<task_id>\S+) attempt=(?P<attempt>\d+) run=(?P<run_id>\S+) \| (?P<text>.*)"
)


class TaskLog:
    """Writes one attempt's lines into its task's file.

    Args:
        folder: Where the files of all tasks are.
        largest: Bytes after which the file is rotated.
        files: How many files are kept, the present one included.
    """

    def __init__(self, folder: Path, task_id: str, run_id: str, attempt: int, *, largest: int, files: int) -> None:
        self._path = path_of(folder, task_id)
        self._task_id, self._run_id, self._attempt = task_id, run_id, attempt
        self._largest, self._files = largest, files

    def write(self, level: str, text: str, at: datetime | None = None) -> str | None:
        """Add a text; return why it could not be written (a full disk must not fail the task), None when it was."""
        lines = line(
            at or datetime.fromtimestamp(time.time(), SHANGHAI), level, self._task_id, self._run_id, self._attempt, text
        )
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                self._rotate(file)
                file.write(lines.encode("utf-8", "backslashreplace"))
        except OSError as error:
            return f"{self._path} cannot be written ({error.strerror})"
        return None

    def output(self, stream: str, raw: bytes) -> str | None:
        """Add what was printed to `stdout` or `stderr`."""
        return self.write(stream.upper(), raw.decode("utf-8", "backslashreplace"))

    def _rotate(self, file: IO[bytes]) -> None:
        """Copy the full file away and empty it.

        It stays the same file, so that `tail -f` and the lock hold on to it.
        """
        if os.fstat(file.fileno()).st_size < self._largest:
            return
        kept = older(self._path, self._files)
        for newer, old in zip(reversed(kept[:-1]), reversed(kept[1:]), strict=True):
            if newer.exists():
                newer.replace(old)
        if kept:
            scratch = kept[0].with_name(kept[0].name + ".tmp")
            shutil.copyfile(self._path, scratch)
            scratch.replace(kept[0])
        file.truncate(0)


def path_of(folder: Path, task_id: str) -> Path:
    """Return the log file of a task."""
    return folder / f"{task_id}{SUFFIX}"


def older(path: Path, files: int) -> list[Path]:
    """Return where the older files of `path` are when `files` are kept, `.log.1` (the newest), `.log.2` and so on."""
    return [path.with_name(f"{path.name}.{number}") for number in range(1, files)]


def line(at: datetime, level: str, task_id: str, run_id: str, attempt: int, text: str) -> str:
    """Return a text in the form of the file: one line of the file for each of its own."""
    moment = at.astimezone(SHANGHAI).isoformat(timespec="milliseconds")
    head = f"{moment} {level:<8} {task_id} attempt={attempt} run={run_id}{_BAR}"
    return "".join(f"{head}{part}\n" for part in text.splitlines() or [""])


def fields(written: str) -> dict[str, Any]:
    """Return time, level, task_id, attempt, run_id and text of a line; only a text when it is not of this form."""
    found = _LINE.fullmatch(written.rstrip("\n"))
    if found is None:
        return {"text": written.rstrip("\n")}
    return {**found.groupdict(), "attempt": int(found["attempt"])}


def of_run(lines: Iterable[str], run_id: str) -> Iterator[str]:
    """Yield the lines of a run."""
    wanted = f" run={run_id}{_BAR}"
    return (one for one in lines if wanted in one)
