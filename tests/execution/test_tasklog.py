"""The log file of a task: its form, its rotation, and many processes that write at once."""

import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from support.project import wait_for

from mystocks_dagster.execution.tasklog import TaskLog, of_run

RUN = "5e0a6f1c-0000-4000-8000-000000000001"
#: A process that writes `count` lines, each in a call of its own.
WRITER = """
import sys
from pathlib import Path
from mystocks_dagster.execution.tasklog import TaskLog
folder, name, count, largest, files = sys.argv[1:]
log = TaskLog(Path(folder), "busy", name, 1, largest=int(largest), files=int(files))
for number in range(int(count)):
    assert log.write("INFO", f"line {number} " + "x" * 50) is None
"""


def written(folder: Path) -> list[str]:
    """Return the lines of all files of the task `busy`, the oldest first."""
    older = sorted(folder.glob("busy.log.*"), key=lambda path: -int(path.suffix[1:]))
    return [line for path in (*older, folder / "busy.log") for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_line_of_a_text_has_time_level_task_attempt_and_run(tmp_path: Path) -> None:
    log = TaskLog(tmp_path, "daily", RUN, 2, largest=10_000, files=3)
    moment = datetime(2026, 3, 2, 8, 0, 5, 120_000, ZoneInfo("UTC"))
    assert log.write("WARNING", "招商银行\n  at line 3", moment) is None
    assert log.output("stderr", b"bad byte \xff\n") is None
    first, second, third = (tmp_path / "daily.log").read_text(encoding="utf-8").splitlines()
    assert first == f"2026-03-02T16:00:05.120+08:00 WARNING  daily attempt=2 run={RUN} | 招商银行"
    assert second == f"2026-03-02T16:00:05.120+08:00 WARNING  daily attempt=2 run={RUN} |   at line 3"
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\dT\S+\+08:00 STDERR   daily attempt=2 run={RUN} \| bad byte \\xff", third)


def test_lines_of_a_run_are_told_apart_by_their_head_and_not_by_their_text(tmp_path: Path) -> None:
    TaskLog(tmp_path, "busy", "other", 1, largest=10_000, files=1).write("INFO", f"I saw run={RUN}")
    TaskLog(tmp_path, "busy", RUN, 1, largest=10_000, files=1).write("INFO", "mine")
    assert [line[-4:] for line in of_run(written(tmp_path), RUN)] == ["mine"]


@pytest.mark.parametrize("files", [1, 3])
def test_a_full_file_is_rotated_and_only_so_many_are_kept(tmp_path: Path, files: int) -> None:
    log = TaskLog(tmp_path, "busy", RUN, 1, largest=1_000, files=files)
    for number in range(100):
        log.write("INFO", f"number {number}")
    assert len(list(tmp_path.iterdir())) == files
    numbers = [int(line.rpartition(" ")[2]) for line in written(tmp_path)]
    assert numbers == list(range(numbers[0], 100))
    assert all(path.stat().st_size < 1_200 for path in tmp_path.iterdir())


def test_processes_that_write_at_once_lose_nothing_and_tear_no_line_across_rotations(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), f"run-{name}", "300", "20000", "20"], stderr=subprocess.PIPE
        )
        for name in "abcd"
    ]
    for writer in writers:
        assert writer.wait(60) == 0, writer.stderr and writer.stderr.read().decode()
    lines = written(tmp_path)
    assert len(list(tmp_path.iterdir())) > 5
    for name in "abcd":
        mine = [
            int(match[1]) for line in lines if (match := re.search(rf" run=run-{name} \| line (\d+) x{{50}}$", line))
        ]
        assert mine == list(range(300))
    assert len(lines) == 1200


def test_tail_f_goes_on_across_a_rotation(tmp_path: Path) -> None:
    log = TaskLog(tmp_path, "busy", RUN, 1, largest=1_000, files=2)
    log.write("INFO", "the first")
    seen = tmp_path / "seen.txt"
    with seen.open("wb") as output:
        tail = subprocess.Popen(
            ["tail", "-f", "-s", "0.1", str(tmp_path / "busy.log")], stdout=output, stderr=subprocess.DEVNULL
        )
    try:
        wait_for(lambda: "the first" in seen.read_text(encoding="utf-8"), 20, "the first line")
        for number in range(12):
            log.write("INFO", f"before {number} {'x' * 60}")
        wait_for(
            lambda: (tmp_path / "busy.log.1").exists() and "before 11" in seen.read_text(encoding="utf-8"),
            20,
            "lines before",
        )
        log.write("INFO", "the last")
        wait_for(lambda: "the last" in seen.read_text(encoding="utf-8"), 20, "the line after the rotation")
    finally:
        tail.kill()
        tail.wait()


def test_what_cannot_be_written_is_told_and_raises_nothing(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be", encoding="utf-8")
    told = TaskLog(tmp_path / "logs", "busy", RUN, 1, largest=1_000, files=2).write("INFO", "lost")
    assert told is not None
    assert "busy.log cannot be written" in told
