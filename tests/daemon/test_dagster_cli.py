"""Dagster's own commands work on the project as they are, and share one history with ours."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import dagster as dg
import pytest
from support.blocks import block
from support.daemon import instance_of
from support.dagster_cli import dagster_command as command
from support.project import ROOT, Folder, free_port, make_folder, wait_for

TASKS = """
    task_packages: [quick]
    tasks:
      - {task_id: load, task_type: data_sync, task_module: quick, task_function: work}
      - {task_id: report, task_type: manual, task_module: quick, task_function: work, dependencies: [load]}
"""


@pytest.fixture
def project(folder: Folder) -> Folder:
    folder.write("tasks.yaml", TASKS)
    folder.write("quick.py", "def work(params):\n    pass\n")
    return folder


def test_dagster_lists_and_executes_and_we_see_it(project: Folder) -> None:
    listed = command("dagster", "job", "list", "-w", "workspace.yaml", cwd=project.root, env=project.environment)
    assert "Job: report" in listed
    command(
        "dagster",
        "job",
        "execute",
        "-m",
        "mystocks_dagster.definitions",
        "-j",
        "report",
        cwd=project.root,
        env=project.environment,
    )
    below = project.root / "some" / "folder"
    below.mkdir(parents=True)
    # From any folder below, ours finds the same instance.
    assert [one["task_id"] for one in project.json("history")] == ["report", "load"]
    assert "report" in project.mystocks("history", cwd=below)


BARS = """
    tasks:
      - task_id: daily_data_sync
        task_type: cron
        task_module: mystocks_dagster.tasks.data_sync
        task_function: sync_daily_stock_data
        schedule: {schedule_type: cron, cron_expression: "0 16 * * 1-5"}
      - task_id: monthly_cache_cleanup
        task_type: manual
        task_module: mystocks_dagster.tasks.maintenance
        task_function: cleanup_cache_data
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A checkout of its own, with its package, in which people write definitions by hand."""
    folder = make_folder(tmp_path_factory.mktemp("checkout") / "project")
    shutil.copy(ROOT / "pyproject.toml", folder.root)
    package = folder.root / "mystocks_dagster"
    shutil.copytree(ROOT / "mystocks_dagster", package)  # with the bytecode, which is valid there too
    assert {path.name for path in (package / "defs").iterdir()} - {"__pycache__"} == {"__init__.py"}
    folder.write("tasks.yaml", BARS)
    folder.env |= {"HOME": str(folder.root), "VIRTUAL_ENV": str(ROOT / ".venv")}
    folder.env |= {"MYSTOCKS_SOURCE": "simulated", "MYSTOCKS_SIMULATED": "symbols=5,start=2026-11-25"}
    folder.env |= {"MYSTOCKS_NOW": "2026-11-27T20:00:00+08:00", "DAGSTER_HOME": str(folder.root / ".dagster")}
    folder.mystocks("doctor", code=None)
    return folder


def in_checkout(checkout: Folder, name: str, *arguments: str, code: int = 0) -> str:
    return command(name, *arguments, cwd=checkout.root, env=checkout.environment, code=code)


def test_what_dg_scaffolds_lands_in_defs_and_is_loaded_beside_tasks_yaml(checkout: Folder) -> None:
    scaffold, listing = block("dagster.md", "console").lines
    in_checkout(checkout, *scaffold.split())
    hello = checkout.root / "mystocks_dagster" / "defs" / "assets" / "hello.py"
    assert "def hello" in hello.read_text()
    listed = in_checkout(checkout, *listing.split(), "--json")
    for name in ("hello", "daily_bars", "monthly_cache_cleanup", "daily_data_sync__schedule", "lake"):
        assert f'"{name}"' in listed
    in_checkout(checkout, "dg", "scaffold", "defs", "mystocks_dagster.TaskFileComponent", "hongkong")
    assert '"hongkong_daily_bars"' in in_checkout(checkout, "dg", "list", "defs", "--json")


#: What a line of docs/dagster.md prints.
PRINTS = {
    "dagster run list": "",
    "dagster schedule list": "Schedule: daily_data_sync__schedule",
    "dagster job execute": "RUN_SUCCESS",
    "dagster asset materialize": "RUN_SUCCESS",
    "dagster definitions validate": "All code locations passed validation",
    "dg list defs": "hello",
    "dg check defs": "All definitions loaded successfully",
    "dg launch --assets": "Materialized value hello",
    "dg launch --job": "RUN_SUCCESS",
}


@pytest.mark.timeout(400)  # a dozen processes that import Dagster
def test_the_commands_of_dagsters_manual_work_from_the_root(checkout: Folder) -> None:
    """The lines of docs/dagster.md, one after the other on one instance; the last one serves."""
    checkout.write("mystocks_dagster/defs/assets/hello.py", block("dagster.md", "python").text)
    home, *lines, _ = block("dagster.md", "console", 2).lines
    assert home == 'export DAGSTER_HOME="$PWD/.dagster"'
    assert checkout.env["DAGSTER_HOME"] == str(checkout.root / ".dagster")
    for line in lines:
        (expected,) = (text for start, text in PRINTS.items() if line.startswith(start))
        assert expected in in_checkout(checkout, *line.split()), line
    listed = in_checkout(checkout, "dagster", "run", "list")
    assert listed.count("Job: monthly_cache_cleanup") == 2
    assert listed.count("Job: __ASSET_JOB") == 3
    assert [run["task_id"] for run in checkout.json("history", "--limit", "10")].count("hello") == 2


def test_the_command_that_serves_answers_on_its_port_until_it_is_stopped(checkout: Folder) -> None:
    line = block("dagster.md", "console", 2).lines[-1]
    assert line == "dg dev"
    port, program = free_port(), str(Path(sys.executable).parent / "dg")
    with (checkout.root / "dev.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *line.split()[1:], "--port", str(port)],
            cwd=checkout.root,
            env=checkout.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def answers() -> bool:
        assert process.poll() is None, (checkout.root / "dev.log").read_text(encoding="utf-8")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=20) as answer:
                return "dagster_version" in json.load(answer)
        except OSError:
            return False

    try:
        wait_for(answers, 120, "Dagster's own UI")
        os.kill(process.pid, signal.SIGINT)
        process.wait(60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_a_validation_names_the_line_of_a_broken_task(checkout: Folder) -> None:
    broken = checkout.write("tasks.yaml", BARS.replace("0 16", "0 99"))
    for name, *arguments in (("dagster", "definitions", "validate"), ("dg", "check", "defs")):
        assert f"{broken}:7:" in in_checkout(checkout, name, *arguments, code=1)
    checkout.write("tasks.yaml", BARS)


def test_dg_lists_and_checks_the_shipped_definitions(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MYSTOCKS_", "DAGSTER_"))}
    # An instance and a home elsewhere: the checkout's own are not touched.
    env |= {"DAGSTER_HOME": str(tmp_path), "HOME": str(tmp_path), "VIRTUAL_ENV": str(ROOT / ".venv")}
    assert "daily_bars" in command("dg", "list", "defs", cwd=ROOT, env=env)
    assert "All definitions loaded successfully" in command("dg", "check", "defs", cwd=ROOT, env=env)


def test_a_second_writer_and_the_owner_both_show_in_the_tables_history(folder: Folder) -> None:
    folder.write("tasks.yaml", SECOND)
    folder.env |= {"MYSTOCKS_SOURCE": "simulated", "MYSTOCKS_SIMULATED": "symbols=20,start=2026-11-16"}
    folder.mystocks("run", "daily_data_sync")
    folder.mystocks("run", "test_task", "-p", "force=true")
    with instance_of(folder) as instance:
        records = instance.fetch_materializations(dg.AssetKey("daily_bars"), limit=100).records
    metadata = [record.asset_materialization.metadata for record in records]
    assert {one["mystocks/task_id"].value for one in metadata} == {"daily_data_sync", "test_task"}
    assert {"dagster/row_count", "mystocks/rows", "mystocks/seconds", "mystocks/preview", "mystocks/world"} <= set(
        metadata[0]
    )


SECOND = """
    tasks:
      - task_id: daily_data_sync
        task_type: cron
        task_module: app.tasks.data_sync
        task_function: sync_daily_stock_data
      - {task_id: test_task, task_type: manual, task_module: app.tasks.data_sync, task_function: sync_daily_stock_data}
"""


def test_history_switches_and_output_survive_a_restart(project: Folder) -> None:
    project.mystocks("run", "report")
    before = project.json("history")
    assert before == project.json("history")
    assert Path(before[0]["log_path"]).exists()
    assert (project.root / ".dagster" / "history" / "runs" / f"{before[0]['run_id']}.db").exists()
