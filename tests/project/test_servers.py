"""Where the UI is: on a port of its own, and known to the others while it lives."""

import json
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from support.project import Folder, serve, wait_for

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.instance import ADDRESS_FILE, address_note, open_instance, ui_address
from mystocks_dagster.project.servers import free_port
from mystocks_dagster.settings import Settings


def test_another_port_is_taken_when_the_first_is_in_use() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert free_port("127.0.0.1", taken) > taken


@pytest.mark.slow
@pytest.mark.slow
def test_port_0_is_any_free_one() -> None:
    assert free_port("127.0.0.1", 0) > 1023


@pytest.mark.slow
def test_a_foreign_address_is_refused_with_the_remedy() -> None:
    with pytest.raises(InstanceError, match=r"127\.0\.0\.1"):
        free_port("203.0.113.7", 3000)


def test_the_note_of_a_ui_that_was_killed_is_not_believed(tmp_path: Path) -> None:
    assert ui_address(tmp_path) is None
    note = tmp_path / ADDRESS_FILE
    note.write_text(address_note("http://127.0.0.1:3000"), encoding="utf-8")
    assert ui_address(tmp_path) == "http://127.0.0.1:3000"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    own = json.loads(note.read_text(encoding="utf-8"))
    note.write_text(json.dumps({**own, "pid": ended.pid}), encoding="utf-8")
    assert ui_address(tmp_path) is None
    note.write_text(json.dumps({**own, "start_time": own["start_time"] - 1}), encoding="utf-8")
    assert ui_address(tmp_path) is None, "its number is another process's now"
    note.write_text('{"address": "http://127.0.0.1:3000", "pid": 1}', encoding="utf-8")
    assert ui_address(tmp_path) is None, "written by an older version, whose servers have ended"


def test_the_ui_is_still_found_after_the_clock_was_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ADDRESS_FILE).write_text(address_note("http://127.0.0.1:3000"), encoding="utf-8")
    # Linux tells the time of the boot by the clock, so processes seem to have started an hour later.
    create_time = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: create_time(process) + 3600)
    assert ui_address(tmp_path) == "http://127.0.0.1:3000"


@pytest.mark.slow
def test_ctrl_c_pressed_three_times_stops_all_in_order_and_says_so_once(folder: Folder) -> None:
    folder.write("tasks.yaml", "tasks: []\n")
    with serve(folder) as server:
        log = folder.root / "ui.log"
        server.process.send_signal(signal.SIGINT)
        wait_for(lambda: "stopping the servers" in log.read_text(encoding="utf-8"), 30, "the answer to Ctrl-C")
        server.process.send_signal(signal.SIGINT)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
    said = log.read_text(encoding="utf-8")
    assert said.count("stopping the servers") == 1
    assert "Traceback" not in said
    home = replace(Settings.from_env(folder.root), dagster_home=folder.root / ".dagster")
    with open_instance(home) as instance:
        assert instance.get_daemon_heartbeats() == {}
