"""A run keeps the version of the file that it was queued with: through a changed, a broken and a shortened file."""

import subprocess
import sys

import pytest
from support.project import Folder

TASKS = """
    task_packages: [quick]
    tasks:
      - {task_id: first, task_type: manual, task_module: quick, task_function: note, params: {text: old}}
      - {task_id: second, task_type: manual, task_module: quick, task_function: note, params: {text: old},
         dependencies: [first]}
      - {task_id: spoiler, task_type: manual, task_module: quick, task_function: spoil, params: {text: old}}
      - {task_id: after, task_type: manual, task_module: quick, task_function: note, params: {text: old},
         dependencies: [spoiler]}
    task_groups:
      - {group_id: ordered, tasks: [spoiler, second]}
      - {group_id: together, tasks: [after, second], execution_mode: parallel}
"""
QUICK = """
    from pathlib import Path

    HERE = Path(__file__).parent

    def note(params):
        with (HERE / "notes.txt").open("a") as notes:
            notes.write(params["text"] + chr(10))

    def spoil(params):
        (HERE / "tasks.yaml").write_text((HERE / "next.yaml").read_text())
        note(params)
"""
CHANGED = TASKS.replace("text: old", "text: new")
BROKEN = "tasks: [\n"
SHORTENED = """
    task_packages: [quick]
    tasks:
      - {task_id: unrelated, task_type: manual, task_module: quick, task_function: note, params: {text: new}}
"""
AFTERWARDS = {"changed": CHANGED, "broken": BROKEN, "shortened": SHORTENED}
CREATE = """
from mystocks_dagster.project.project import Project
from mystocks_dagster.settings import Settings
print(Project(Settings.from_env()).runs.create({name!r}, {{}}))
"""
START = """
import sys
from mystocks_dagster.runs import launch
from mystocks_dagster.instance import open_instance
from mystocks_dagster.settings import Settings
instance = open_instance(Settings.from_env())
launch.start(instance, {run_id!r}, queued=False)
for entry in launch.follow(instance, {run_id!r}):
    print(entry.user_message)
sys.exit(0 if instance.get_run_by_id({run_id!r}).is_success else 1)
"""


def python(folder: Folder, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder.root,
        env=folder.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture
def project(folder: Folder) -> Folder:
    folder.write("tasks.yaml", TASKS)
    folder.write("quick.py", QUICK)
    return folder


def notes(folder: Folder) -> list[str]:
    return (folder.root / "notes.txt").read_text(encoding="utf-8").split()


@pytest.mark.parametrize("afterwards", AFTERWARDS)
def test_a_file_saved_between_queueing_and_start_changes_nothing(project: Folder, afterwards: str) -> None:
    run_id = python(project, CREATE.format(name="second"))
    project.write("tasks.yaml", AFTERWARDS[afterwards])
    python(project, START.format(run_id=run_id))
    assert notes(project) == ["old", "old"]


@pytest.mark.parametrize("group", ["ordered", "together"], ids=["one process", "a process a step"])
@pytest.mark.parametrize("afterwards", AFTERWARDS)
def test_a_file_saved_between_two_steps_changes_nothing(project: Folder, afterwards: str, group: str) -> None:
    project.write("next.yaml", AFTERWARDS[afterwards])
    run_id = python(project, CREATE.format(name=group))
    python(project, START.format(run_id=run_id))
    assert (project.root / "tasks.yaml").read_text(encoding="utf-8") == (project.root / "next.yaml").read_text(
        encoding="utf-8"
    )
    assert set(notes(project)) == {"old"}
    assert len(notes(project)) == (3 if group == "ordered" else 4)
