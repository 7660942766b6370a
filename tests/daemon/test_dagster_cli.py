"""Dagster's own commands work on the project as they are, and share one history with ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.project import ROOT, Folder

TASKS = """
    task_packages: [quick]
    tasks:
      - {task_id: load, task_type: data_sync, task_module: quick, task_function: work}
      - {task_id: report, task_type: manual, task_module: quick, task_function: work, dependencies: [load]}
"""


def command(name: str, *arguments: str, cwd: Path, env: dict[str, str]) -> str:
    """Run one of Dagster's commands from this environment; it must succeed."""
    program = Path(sys.executable).parent / name
    done = subprocess.run(
        [str(program), *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


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
    told = subprocess.run(
        [sys.executable, "-c", MATERIALIZED],
        cwd=folder.root,
        env=folder.environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    writers, labels = told.stdout.splitlines()
    assert set(writers.split()) == {"daily_data_sync", "test_task"}
    assert {"dagster/row_count", "mystocks/rows", "mystocks/seconds", "mystocks/preview", "mystocks/world"} <= set(
        labels.split()
    )


SECOND = """
    tasks:
      - {task_id: daily_data_sync, task_type: cron, task_module: app.tasks.data_sync, task_function: sync_daily_stock_data}
      - {task_id: test_task, task_type: manual, task_module: app.tasks.data_sync, task_function: sync_daily_stock_data}
"""
MATERIALIZED = """
import dagster as dg
from mystocks_dagster.instance import open_instance
from mystocks_dagster.settings import Settings
records = open_instance(Settings.from_env()).fetch_materializations(dg.AssetKey("daily_bars"), limit=100).records
print(*{record.asset_materialization.metadata["mystocks/task_id"].value for record in records})
print(*records[0].asset_materialization.metadata)
"""


def test_history_switches_and_output_survive_a_restart(project: Folder) -> None:
    project.mystocks("run", "report")
    before = project.json("history")
    assert before == project.json("history")
    assert Path(before[0]["log_path"]).exists()
    assert (project.root / ".dagster" / "history" / "runs" / f"{before[0]['run_id']}.db").exists()
