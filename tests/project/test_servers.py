"""Where the UI is: on a port of its own, and known to the others while it lives."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.instance import ADDRESS_FILE, ui_address
from mystocks_dagster.project.servers import free_port


def test_another_port_is_taken_when_the_first_is_in_use() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert free_port("127.0.0.1", taken) > taken


@pytest.mark.slow
def test_a_foreign_address_is_refused_with_the_remedy() -> None:
    with pytest.raises(InstanceError, match=r"127\.0\.0\.1"):
        free_port("203.0.113.7", 3000)


def test_the_note_of_a_ui_that_was_killed_is_not_believed(tmp_path: Path) -> None:
    assert ui_address(tmp_path) is None
    note = tmp_path / ADDRESS_FILE
    note.write_text(json.dumps({"address": "http://127.0.0.1:3000", "pid": os.getpid()}), encoding="utf-8")
    assert ui_address(tmp_path) == "http://127.0.0.1:3000"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    note.write_text(json.dumps({"address": "http://127.0.0.1:3000", "pid": ended.pid}), encoding="utf-8")
    assert ui_address(tmp_path) is None
    note.write_text(json.dumps({"address": "http://127.0.0.1:3000", "pid": os.getpid()}), encoding="utf-8")
    os.utime(note, (0, 0))
    assert ui_address(tmp_path) is None, "its number is another process's now"
