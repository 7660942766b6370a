"""A queued run wakes the daemon at once."""

import threading
import time
from pathlib import Path

from mystocks_dagster.processes.bell import Bell, ring


def test_a_ring_wakes_the_listener_at_once_and_counts_once(tmp_path: Path) -> None:
    with Bell(tmp_path / "bell") as bell:
        threading.Timer(0.05, ring, [tmp_path / "bell"]).start()
        started = time.monotonic()
        assert bell.wait(60)
        assert time.monotonic() - started < 30
        assert not bell.wait(0)


def test_a_ring_while_the_daemon_works_is_not_lost(tmp_path: Path) -> None:
    with Bell(tmp_path / "bell") as bell:
        for _ in range(3):
            ring(tmp_path / "bell")
        assert bell.wait(0)


def test_a_ring_that_nobody_hears_does_nothing(tmp_path: Path) -> None:
    ring(tmp_path / "bell")
    assert not (tmp_path / "bell").exists()
    with Bell(tmp_path / "bell"):
        pass
    ring(tmp_path / "bell")
    with Bell(tmp_path / "bell") as bell:
        assert not bell.wait(0)


def test_a_file_in_the_place_of_the_bell_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "bell").write_text("mine", encoding="utf-8")
    with Bell(tmp_path / "bell") as bell:
        ring(tmp_path / "bell")
        assert not bell.wait(0)
    assert (tmp_path / "bell").read_text(encoding="utf-8") == "mine"
