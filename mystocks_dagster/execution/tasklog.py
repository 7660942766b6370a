"""The log file of a task: `<task_id>.log`, rotated by size, written by several processes at once.

A line is `2026-11-24T16:00:03.120+08:00 INFO     daily_data_sync attempt=1 run=<run id> | text`. Output of the task
and its children has the level STDOUT or STDERR. A text of several lines becomes several such lines.
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
#: Between a line's fields and its text.
_SEPARATOR = " | "
_LINE = re.compile(
    r"(?P<time>\S+) (?P<level>\w+) +(?P<task_id>\S+) attempt=(?P<attempt>\d+) run=(?P<run_id>\S+) \| (?P<text>.*)"
)


class TaskLog:
    """Writes one attempt's lines into its task's file.

    Args:
        folder: The folder of all tasks' log files.
        largest: Bytes after which the file is rotated.
        files: How many files are kept, the current one included.
    """

    def __init__(self, folder: Path, task_id: str, run_id: str, attempt: int, *, largest: int, files: int) -> None:
        self._path = path_of(folder, task_id)
        self._task_id, self._run_id, self._attempt = task_id, run_id, attempt
        self._largest, self._files = largest, files

    def write(self, level: str, text: str, at: datetime | None = None) -> str | None:
        """Append a text; return an error message instead of raising, since a full disk must not fail the task."""
        at = at or datetime.fromtimestamp(time.time(), SHANGHAI)
        lines = line(at, level, self._task_id, self._run_id, self._attempt, text)
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
        """Append output that was printed to `stdout` or `stderr`."""
        return self.write(stream.upper(), raw.decode("utf-8", "backslashreplace"))

    def _rotate(self, file: IO[bytes]) -> None:
        """Copy a full file to `.log.1` and truncate it, so that `tail -f` and the lock keep the same file."""
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
    """Return the paths of the rotated files when `files` are kept: `.log.1` (the newest), `.log.2` and so on."""
    return [path.with_name(f"{path.name}.{number}") for number in range(1, files)]


def line(at: datetime, level: str, task_id: str, run_id: str, attempt: int, text: str) -> str:
    """Format a text for the file: one line of the file for each line of the text."""
    moment = at.astimezone(SHANGHAI).isoformat(timespec="milliseconds")
    head = f"{moment} {level:<8} {task_id} attempt={attempt} run={run_id}{_SEPARATOR}"
    return "".join(f"{head}{part}\n" for part in text.splitlines() or [""])


def fields(written: str) -> dict[str, Any]:
    """Return time, level, task_id, attempt, run_id and text of a line; only `text` when it has another format."""
    match = _LINE.fullmatch(written.rstrip("\n"))
    if match is None:
        return {"text": written.rstrip("\n")}
    return {**match.groupdict(), "attempt": int(match["attempt"])}


def of_run(lines: Iterable[str], run_id: str) -> Iterator[str]:
    """Yield the lines of a run."""
    field = f" run={run_id}{_SEPARATOR}"
    return (line for line in lines if field in line)
