"""One daemon an instance: the lock lives as long as the process that took it, and no longer."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.project import wait_for

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.processes import lock
from mystocks_dagster.shared import file_lock

HOLD = """
import os, subprocess, sys, time
from pathlib import Path
from mystocks_dagster.processes import lock
lock.claim(Path(sys.argv[1]), "A daemon")
worker = 0
if sys.argv[2] == "exec":
    worker = subprocess.Popen(["sleep", "60"], start_new_session=True, close_fds=False).pid
if sys.argv[2] == "fork":
    worker = os.fork()
    if worker == 0:
        time.sleep(60)
print(worker, flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(path: Path, starts: str = "nothing") -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that holds the lock, and the number of the worker that it has started."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), starts], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    worker = 0
    try:
        assert process.stdout
        worker = int(process.stdout.readline())
        yield process, worker
    finally:
        process.kill()
        process.wait()
        if worker:
            os.kill(worker, signal.SIGKILL)


def test_a_second_one_is_refused_with_the_number_of_the_first_until_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / lock.DAEMON_LOCK
    with holding(path) as (first, _):
        with pytest.raises(
            lock.LockHeld, match=rf"^A daemon runs already on this instance: process {first.pid}, which holds "
        ) as refused:
            lock.claim(path, "A daemon")
        assert not refused.value.holder.orphaned
        assert lock.holder(path) == refused.value.holder
        first.kill()
        first.wait()
        assert lock.holder(path) is None
        lock.claim(path, "A daemon")
        lock.claim(path, "A daemon")  # it has it already
        lock.release(path)
    assert lock.holder(path) is None


@pytest.mark.parametrize("starts", ["exec", "fork"])
def test_a_worker_that_outlives_the_daemon_does_not_hold_the_lock(tmp_path: Path, starts: str) -> None:
    path = tmp_path / lock.DAEMON_LOCK
    with holding(path, starts) as (daemon, worker):
        daemon.kill()
        daemon.wait()
        os.kill(worker, 0)  # it lives
        # A fork has let go of it as soon as it has begun.
        wait_for(lambda: lock.holder(path) is None, 60, "a lock that nobody holds")


@pytest.mark.parametrize(
    "left",
    [
        "",
        "no JSON",
        "{}",
        json.dumps({"pid": os.getpid(), "start_time": 1, "boot_id": "another boot", "host": "x", "parent": 1}),
    ],
    ids=["empty", "damaged", "without a number", "of another boot whose number is in use again"],
)
def test_what_a_killed_one_left_in_the_file_does_not_count(tmp_path: Path, left: str) -> None:
    path = tmp_path / lock.DAEMON_LOCK
    path.write_text(left, encoding="utf-8")
    assert lock.holder(path) is None
    lock.claim(path, "A daemon")
    assert json.loads(path.read_text(encoding="utf-8"))["pid"] == os.getpid()
    lock.release(path)


def test_a_holder_whose_parent_has_ended_is_known_as_an_orphan(tmp_path: Path) -> None:
    path = tmp_path / lock.DAEMON_LOCK
    hold = HOLD.replace("sys.stdin.read()", "time.sleep(60)")
    # It ends as soon as its child has the lock.
    between = (
        "import subprocess, sys; one = subprocess.Popen(sys.argv[1:], stdout=-1, stderr=-3); "
        "one.stdout.readline(); print(one.pid)"
    )
    command = [sys.executable, "-c", between, sys.executable, "-c", hold, str(path), "nothing"]
    orphan = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    try:
        found = lock.holder(path)
        assert found
        assert (found.pid, found.orphaned) == (orphan, True)
    finally:
        os.kill(orphan, signal.SIGKILL)


def test_where_the_file_system_has_no_locks_the_note_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    def no_locks(_descriptor: int, _kind: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    path = tmp_path / lock.DAEMON_LOCK
    with holding(path) as (first, _):
        monkeypatch.setattr(file_lock.fcntl, "flock", no_locks)
        with pytest.raises(lock.LockHeld, match=f"process {first.pid}"):
            lock.claim(path, "A daemon")
        first.kill()
        first.wait()
        lock.claim(path, "A daemon")
        lock.release(path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InstanceError, match=r"missing/daemon\.lock: cannot be written"):
        lock.claim(tmp_path / "missing" / lock.DAEMON_LOCK, "A daemon")
