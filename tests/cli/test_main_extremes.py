"""Numbers, dates and characters that nobody means, and terminals that take little: one message, never a traceback."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence

import pytest
from support.commands import Commands
from support.project import Folder

pytestmark = pytest.mark.slow

TASKS = """
    task_packages: [quick]
    tasks:
      - task_id: tiny
        task_name: 小任务
        task_type: cron
        task_module: quick
        task_function: nothing
        params: {text: a}
        schedule: {schedule_type: cron, cron_expression: "0 16 * * *"}
      - {task_id: daily, task_type: data_sync, task_module: app.tasks.data_sync, task_function: sync_daily_stock_data}
"""
QUICK = """
    def nothing(params):
        return None
"""
#: Each option that takes a number, with what else its command needs.
NUMBERS = [
    ["history", "--limit"],
    ["alerts", "history", "--limit"],
    ["cleanup", "--days"],
    ["cleanup", "--dry-run", "--days"],
    ["next", "--count"],
    ["logs", "tiny", "--lines"],
    ["data", "head", "daily_bars", "--rows"],
    ["ui", "--port"],
    ["api", "--port"],
]
HUGE = ["1e21", "1e12", str(10**21), str(-(10**21)), str(2**63), "nan", "inf", "٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣", ""]
EDGES = [
    "0001-01-01",
    "9999-12-31",
    "9999-12-31T23:59:59",
    "0001-01-01T00:00:00+14:00",
    "9999999w",
    "99999d",
    "1900-01-01",
    "٣d",
]
TEXTS = [
    ["show"],
    ["run"],
    ["history"],
    ["stats"],
    ["logs"],
    ["next"],
    ["enable"],
    ["disable"],
    ["stop"],
    ["export"],
    ["data", "head"],
]


@pytest.fixture
def project(cli: Commands) -> Commands:
    cli.folder.write("tasks.yaml", TASKS)
    cli.folder.write("quick.py", QUICK)
    return cli


def lines(told: str) -> Sequence[str]:
    """Return what was printed, which is no traceback and says something."""
    assert "Traceback" not in told
    assert told.strip()
    return told.splitlines()


@pytest.mark.parametrize("command", NUMBERS, ids=" ".join)
def test_a_number_that_nobody_means_is_wrong_usage(project: Commands, command: list[str]) -> None:
    for number in HUGE:
        assert "Invalid value" in " ".join(lines(project(*command, f"{number}", code=2)))


@pytest.mark.parametrize(
    "command",
    [["history", "--since"], ["history", "--until"], ["stats", "--since"], ["stats", "--until"]],
    ids=" ".join,
)
def test_a_time_at_the_edge_is_told(project: Commands, command: list[str]) -> None:
    for text in EDGES:
        assert text in " ".join(lines(project(*command, text, code=1)))


@pytest.mark.slow
def test_a_day_at_the_edge_cannot_be_loaded(project: Commands) -> None:
    for day in ("0001-01-01", "9999-12-31"):
        lines(project("backfill", "daily", "--from", day, "--dry-run", code=1))


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+08:00", "0001-01-01T00:00:00+14:00"]
)
@pytest.mark.parametrize(
    "command", [["next"], ["history"], ["list"], ["cleanup", "--days", "1"], ["data", "tables"]], ids=" ".join
)
def test_a_clock_at_the_edge_is_told(
    project: Commands, monkeypatch: pytest.MonkeyPatch, command: list[str], moment: str
) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", moment)
    told = project(*command, code=1)
    assert "MYSTOCKS_NOW" in told
    assert "out of range (1990-2100)" in told


@pytest.mark.parametrize("command", TEXTS, ids=" ".join)
def test_bytes_that_are_no_text_are_told(project: Commands, command: list[str]) -> None:
    assert "UTF-8" in " ".join(lines(project(*command, "\udcff", code=1)))


def test_half_a_character_in_a_parameter_is_told(project: Commands) -> None:
    assert "UTF-8" in " ".join(lines(project("run", "tiny", "-p", "text=\udcff", code=1)))


@pytest.mark.parametrize(
    "command", [["list"], ["next"], ["show", "tiny"], ["history"], ["stats"], ["check"], ["--help"]], ids=" ".join
)
def test_a_terminal_that_takes_ascii_only_gets_escapes(
    project: Commands, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="ascii") for _ in range(2))
    monkeypatch.setattr(sys, "argv", ["mystocks", *command])
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    from mystocks_dagster.cli.main import main

    with pytest.raises(SystemExit) as ended:
        main()
    out.flush()
    told = out.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    assert not ended.value.code
    assert told
    assert "小" not in told


def test_json_for_ascii_is_json(project: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    project.folder.write("tasks.yaml", TASKS.replace("小任务", "小任务😀"))
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "argv", ["mystocks", "list", "--json"])
    monkeypatch.setattr(sys, "stdout", out)
    from mystocks_dagster.cli.main import main

    with pytest.raises(SystemExit):
        main()
    out.flush()
    assert "小任务😀" in json.dumps(json.loads(out.buffer.getvalue()), ensure_ascii=False)  # type: ignore[attr-defined]


def test_a_reader_that_has_read_enough_ends_it_quietly(folder: Folder) -> None:
    folder.write("tasks.yaml", TASKS)
    folder.write("quick.py", QUICK)
    for command in (["next", "--count", "1000"], ["list", "--json"]):
        read, write = os.pipe()
        os.close(read)
        command_line = [sys.executable, "-m", "mystocks_dagster.cli.main", *command]
        done = subprocess.run(
            command_line, cwd=folder.root, env=folder.environment, stdout=write, stderr=subprocess.PIPE, timeout=120
        )
        os.close(write)
        assert (done.returncode, done.stderr) == (141, b"")
