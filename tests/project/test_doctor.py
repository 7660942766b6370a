"""`mystocks doctor` and `mystocks health` name what is wrong, each with its remedy; nothing of it needs a server."""

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections import namedtuple
from datetime import datetime, timedelta
from email.message import Message
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster._daemon.types import DaemonHeartbeat
from support.commands import Commands
from support.load import in_time
from support.postgres import use_postgres

from mystocks_dagster.execution.heartbeat import boot_id
from mystocks_dagster.project import health, reload, server_checks
from mystocks_dagster.project.project import Project
from mystocks_dagster.project.run_history import RunHistory
from mystocks_dagster.runs.launch import QUEUE_DAEMON
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import State

pytestmark = pytest.mark.slow

TASKS = """
    tasks:
      - task_id: daily
        task_type: cron
        task_module: mystocks_dagster.tasks.data_sync
        task_function: sync_daily_stock_data
        params: {data_source: simulated}
        schedule: {schedule_type: cron, cron_expression: "0 16 * * *"}
"""
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture(autouse=True)
def _project(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.folder.write("tasks.yaml", TASKS)
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-06-01T12:00:00+08:00")


def told(cli: Commands, command: str) -> dict[str, Any]:
    """Return the checks of `doctor` or `health` by name; ends with 1, since no daemon is alive in these tests."""
    told = cli(command, "--json", code=1)
    tree = json.loads(told)
    checks = {check["name"]: check for check in (tree["checks"] if command == "health" else tree)}
    assert all(bool(check["remedy"]) is (not check["ok"] or check["warning"]) for check in checks.values()), checks
    return checks


def wrong(cli: Commands, command: str = "doctor") -> dict[str, str]:
    """Return what is wrong beside the daemon (and the web UI with it), with what was found."""
    found = told(cli, command)
    return {
        name: check["detail"] for name, check in found.items() if not check["ok"] and name not in ("daemon", "web_ui")
    }


def heartbeat(cli: Commands, moment: float) -> None:
    """Let the daemon have said at that moment that it lives."""
    instance = Project(Settings.from_env()).instance
    instance.add_daemon_heartbeat(DaemonHeartbeat(moment, QUEUE_DAEMON, "its id", []))


def test_on_a_good_machine_only_the_daemon_is_missing(cli: Commands) -> None:
    found = told(cli, "doctor")
    assert [name for name, check in found.items() if not check["ok"]] == ["daemon"]
    assert found["daemon"]["remedy"] == "mystocks ui"
    assert {
        "python",
        "time_zone",
        "clock",
        "calendar",
        "instance",
        "simulated",
        "disk",
        "lake_folder",
        "instance_folder",
    } <= set(found)
    shown = cli("doctor", code=1)
    assert "→ mystocks ui" in shown
    assert "1 of " in shown


def test_a_daemon_that_was_killed_is_not_taken_for_alive(cli: Commands) -> None:
    heartbeat(cli, time.time() - 10)
    assert cli.json("doctor")
    heartbeat(cli, time.time() - 300)
    assert told(cli, "doctor")["daemon"]["detail"].startswith("last heartbeat 30")
    assert "no daemon is alive" in cli("run", "daily", "--detach", code=1)
    assert cli.json("history") == []


def test_a_daemon_whose_process_is_gone_is_not_waited_for(cli: Commands) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    left = {"pid": ended.pid, "start_time": 1, "boot_id": boot_id(), "host": platform.node(), "parent": 1}
    cli.folder.write(".dagster/daemon.lock", json.dumps(left))
    heartbeat(cli, time.time() - 10)
    ended.wait()
    healthy = {check["name"]: check["ok"] for check in cli.json("doctor")}
    assert healthy["daemon"], "another machine's may have said it"
    heartbeat(cli, time.time() - 60)
    assert f"its process {ended.pid} is gone" in told(cli, "doctor")["daemon"]["detail"]
    assert "no daemon is alive" in cli("run", "daily", "--detach", code=1)


def test_detached_runs_are_refused_with_the_remedy_when_no_daemon_is_alive(cli: Commands) -> None:
    assert "mystocks ui" in cli("run", "daily", "--detach", code=1)
    assert "Did you mean daily" in cli("run", "dayly", "--detach", code=1)
    assert cli.json("history") == []


def test_a_clock_that_was_put_back_is_noticed(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MYSTOCKS_NOW")
    heartbeat(cli, time.time() + 3600)
    checks = json.loads(cli("doctor", "--json", code=1))
    [clock] = [check for check in checks if check["name"] == "clock"]
    assert not clock["ok"]
    assert "in the future" in clock["detail"]


@pytest.mark.parametrize(
    ("source", "detail"), [("recorded", "MYSTOCKS_RECORDED"), ("baostock", "reached"), ("akshare", "reached")]
)
def test_a_source_that_is_not_there_is_named(
    cli: Commands, monkeypatch: pytest.MonkeyPatch, source: str, detail: str
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = probe.getsockname()[1]
    monkeypatch.setenv("MYSTOCKS_UPSTREAM", f"http://127.0.0.1:{nobody}")
    cli("edit", "daily", f"params.data_source={source}")
    assert detail in wrong(cli)[source]


def test_sources_that_are_there_are_found(cli: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        monkeypatch.setenv("MYSTOCKS_UPSTREAM", f"http://127.0.0.1:{upstream.getsockname()[1]}")
        monkeypatch.setenv("MYSTOCKS_SOURCE", "akshare")
        assert "accepts connections" in told(cli, "doctor")["akshare"]["detail"]
    monkeypatch.setenv("MYSTOCKS_SOURCE", "recorded")
    monkeypatch.setenv("MYSTOCKS_RECORDED", str(tmp_path))
    assert told(cli, "doctor")["recorded"]["ok"]


def test_a_host_that_has_thrown_us_out_is_told_with_the_time(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_SOURCE", "akshare")
    state = {
        "last": 0.0,
        "day": "",
        "requests": 9,
        "closed_until": time.time() + 3600,
        "reason": "it closed the connection.",
    }
    cli.folder.write(".dagster/hosts/eastmoney-push2delay.json", json.dumps(state))
    assert "No requests to push2delay.eastmoney.com until" in wrong(cli)["akshare"]


@pytest.mark.slow
def test_a_database_that_writes_local_times_is_told_with_the_remedy(
    cli: Commands, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    use_postgres(cli.folder, request.getfixturevalue("postgres"), monkeypatch)
    address = os.environ["MYSTOCKS_POSTGRES_URL"]
    joint = "&" if "?" in address else "?"
    monkeypatch.setenv("MYSTOCKS_POSTGRES_URL", f"{address}{joint}options=-c%20timezone%3DAsia/Shanghai")
    assert "Asia/Shanghai" in wrong(cli)["instance"]
    monkeypatch.setenv("MYSTOCKS_POSTGRES_URL", f"{address}{joint}options=-c%20timezone%3DUTC")
    assert wrong(cli) == {}


@pytest.mark.parametrize("silent", [False, True])
def test_my_postgres_is_away_and_the_doctor_says_where_it_should_be_within_seconds(
    cli: Commands, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    there = cli.folder.root / "dagster.yaml"
    postgres = "  postgres:\n    postgres_url: {env: MYSTOCKS_POSTGRES_URL}\n"
    there.write_text(there.read_text().replace("  sqlite:\n    base_dir: .dagster\n", postgres))
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if silent:  # it takes the connection, and never says a word
            server.listen()
        place = f"127.0.0.1:{server.getsockname()[1]}/market"
        monkeypatch.setenv("MYSTOCKS_POSTGRES_URL", f"postgresql+psycopg2://me:s3cret@{place}")
        begun = time.monotonic()
        found = told(cli, "doctor")
        assert in_time(time.monotonic() - begun, 10)
    assert found["database"]["detail"].startswith(f"{place}: The database that the machines share does not answer: ")
    assert found["database"]["remedy"] == (
        "start the database's server, or correct its address: `storage` in dagster.yaml, or the variable that it names"
    )
    assert [name for name, check in found.items() if not check["ok"]] == ["database"]
    assert "s3cret" not in json.dumps(found)


def test_my_postgres_has_no_such_database_and_the_doctor_says_which(
    cli: Commands, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    use_postgres(cli.folder, request.getfixturevalue("postgres"), monkeypatch)
    name = urlsplit(os.environ["MYSTOCKS_POSTGRES_URL"]).path.removeprefix("/")
    assert told(cli, "doctor")["database"]["detail"].endswith(f"/{name} answers")
    monkeypatch.setenv("MYSTOCKS_POSTGRES_URL", os.environ["MYSTOCKS_POSTGRES_URL"].replace(name, "nowhere"))
    assert 'database "nowhere" does not exist' in wrong(cli)["database"]


def test_a_folder_that_may_not_be_entered_is_a_check_and_no_crash(
    cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = cli.folder.root / "locked" / "lake"
    monkeypatch.setenv("MYSTOCKS_LAKE", str(lake))
    exists = Path.exists

    def refused(path: Path) -> bool:  # root, as whom tests may run, may enter everywhere
        if path == lake:
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path)

    monkeypatch.setattr(Path, "exists", refused)
    found = wrong(cli)
    assert set(found) == {"disk", "lake_folder"}
    assert all("Permission denied" in detail and str(lake) in detail for detail in found.values())


def test_folders_that_cannot_be_written_are_named(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = cli.folder.write("lake", "a file where the lake should be")
    monkeypatch.setenv("MYSTOCKS_LAKE", str(lake))
    assert str(lake) in wrong(cli)["lake_folder"]


def test_a_storage_that_cannot_be_opened_is_told_without_a_traceback(cli: Commands) -> None:
    cli.folder.write("dagster.yaml", "storage:\n  postgres:\n    postgres_url: postgresql://nobody@127.0.0.1:1/none\n")
    found = wrong(cli)["database"]
    assert found.startswith("127.0.0.1:1/none: The database that the machines share does not answer: ")
    assert ".." not in found
    assert "does not answer: " in told(cli, "health")["database"]["detail"]


@pytest.mark.parametrize("command", ["doctor", "health"])
def test_what_is_wrong_with_file_calendar_and_disk_is_told_by_both(
    cli: Commands, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    cli.folder.write("tasks.yaml", TASKS.replace("sync_daily_stock_data", "sync_daily_stok_data"))
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-12-31T12:00:00+08:00")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12 - 10**8, 10**8))
    found = wrong(cli, command)
    assert "1 not loaded: daily" in found["task_file"]
    assert "until 2026-12-31 (0 days" in found["calendar"]
    assert "0.10 GB" in found["disk"]
    assert told(cli, command)["disk"]["remedy"].startswith("free space: mystocks cleanup --days 30")


def test_no_check_of_doctor_sends_one_to_doctor(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MYSTOCKS_NOW")
    cli.folder.write("dagster.yaml", "storage:\n  postgres:\n    postgres_url: postgresql://nobody@127.0.0.1:1/none\n")
    cli.folder.write("trading_calendar.csv", "no days\n")
    failed = {name: check["remedy"] for name, check in told(cli, "doctor").items() if not check["ok"]}
    assert {"database", "calendar"} <= set(failed)
    assert "mystocks doctor" not in failed.values()


def test_a_web_ui_that_asks_for_a_token_need_not_be_started_again(
    cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise HTTPError("http://localhost:3000", 401, "Unauthorized", Message(), None)

    monkeypatch.setattr(server_checks, "ui_address", lambda _: "http://localhost:3000")
    monkeypatch.setattr(reload.opener, "open", refused)
    check = told(cli, "health")["web_ui"]
    assert "set MYSTOCKS_API_TOKEN" in check["detail"]
    assert check["remedy"] == "set MYSTOCKS_API_TOKEN"


def test_of_hundreds_of_late_failed_or_broken_tasks_a_check_names_the_first_ones(
    cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"task_{number}" for number in range(300)]
    many = [f"  - {{task_id: {name}, task_module: market_data, task_function: no_function}}\n" for name in names]
    cli.folder.write("tasks.yaml", f"tasks:\n{''.join(many)}")
    due = datetime(2026, 5, 29, 9, tzinfo=SHANGHAI)
    missed = [SimpleNamespace(name=name, due=due) for name in names]
    monkeypatch.setattr(health, "missed_schedules", lambda *_: missed)
    monkeypatch.setattr(health, "_scheduled", lambda *_: names)
    monkeypatch.setattr(RunHistory, "last_outcomes", lambda _: dict.fromkeys(names, State.FAILED))
    found = wrong(cli, "health")
    for name in ("task_file", "schedules", "last_runs"):
        assert "task_2" in found[name]
        assert "task_3" not in found[name]
        assert "297 more" in found[name]
        assert len(found[name]) < 300


@pytest.mark.parametrize("text", ["tasks: [", "- 3", None])
def test_a_file_that_cannot_be_read_is_a_check_and_no_crash(cli: Commands, text: str | None) -> None:
    (cli.folder.root / "tasks.yaml").unlink()
    if text is not None:
        cli.folder.write("tasks.yaml", text)
    assert "task_file" in wrong(cli)
    assert "task_file" in wrong(cli, "health")


@pytest.mark.slow
def test_a_schedule_that_should_have_fired_is_late_until_a_tick_shows_that_it_was_looked_at(
    cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(Settings.from_env())
    project.schedules.switch("daily", False)
    switch = project.schedules.switch("daily", True)  # from now on the daemon would look at it
    assert "schedules" not in wrong(cli, "health")
    began = datetime.fromtimestamp(time.time(), SHANGHAI)
    due = began.replace(hour=16, minute=0, second=0, microsecond=0)
    due += timedelta(days=1) if due <= began else timedelta()
    monkeypatch.setenv("MYSTOCKS_NOW", (due + timedelta(minutes=4)).isoformat())
    assert "schedules" not in wrong(cli, "health")
    monkeypatch.setenv("MYSTOCKS_NOW", (due + timedelta(minutes=6)).isoformat())
    assert wrong(cli, "health")["schedules"] == f"daily was due at {due:%Y-%m-%d %H:%M} and did not fire"
    tick = TickData(
        "its origin",
        "daily__schedule",
        InstigatorType.SCHEDULE,
        TickStatus.SKIPPED,
        due.timestamp(),
        selector_id=switch.selector,
    )
    project.instance.create_tick(tick)
    assert "schedules" not in wrong(cli, "health")
    monkeypatch.setenv("MYSTOCKS_NOW", (due + timedelta(days=1, minutes=6)).isoformat())
    assert f"{due + timedelta(days=1):%Y-%m-%d %H:%M}" in wrong(cli, "health")["schedules"]
    project.schedules.switch("daily", False)
    assert "schedules" not in wrong(cli, "health")


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("MYSTOCKS_LOG_MEGABYTES", "much", "write a number"),
        ("MYSTOCKS_LOG_FILES", "0", "write a number"),
        ("MYSTOCKS_LOG_FILES", "nan", "write a number"),
        ("MYSTOCKS_LOG_FORMAT", "yaml", "write text or json"),
        ("MYSTOCKS_ENGINE", "10.0.0.5:8786", "write the address that dask scheduler prints, like tcp://10.0.0.5:8786"),
    ],
)
def test_a_setting_of_the_logs_that_cannot_be_meant_is_refused(
    cli: Commands, monkeypatch: pytest.MonkeyPatch, name: str, value: str, remedy: str
) -> None:
    monkeypatch.setenv(name, value)
    told = cli("list", code=1)
    assert f"{name} is {value!r}; {remedy}" in told


def test_a_lake_without_bars_is_named_with_the_command_that_fills_it(cli: Commands) -> None:
    check = told(cli, "doctor")["lake"]
    assert (check["ok"], check["warning"], check["remedy"]) == (True, True, "mystocks bootstrap")
    assert "has no bars yet" in check["detail"]
