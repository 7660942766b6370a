"""What a partial success could not do: shown as a warning with the command that does only that."""

import shlex

import pytest
from support.project import Folder

TASKS = """
    task_packages: [partial]
    tasks:
      - {task_id: sync-some, task_type: data_sync, task_module: partial, task_function: sync}
"""
#: The first time, two of the four symbols cannot be done.
PARTIAL = """
    from pathlib import Path

    HERE = Path(__file__).parent

    def sync(params):
        asked = params.get("symbols") or ["600000", "600036", "000001", "O'Neill 每日"]
        with (HERE / "asked.txt").open("a") as told:
            told.write("|".join(asked) + chr(10))
        if params.get("symbols"):
            return {"status": "success"}
        failed = asked[2:]
        return {"status": "partial_success", "message": "2 of 4.", "failed_items": failed,
            "retry_params": {"symbols": failed}}
"""


@pytest.fixture
def project(folder: Folder) -> Folder:
    folder.write("tasks.yaml", TASKS)
    folder.write("partial.py", PARTIAL)
    return folder


def test_the_command_that_a_partial_success_shows_runs_only_what_was_not_done(project: Folder) -> None:
    told = project.mystocks("run", "sync-some")
    [line] = [line for line in told.splitlines() if "Run only these again: " in line]
    words = shlex.split(line.partition("Run only these again: ")[2])
    assert words[:3] == ["mystocks", "run", "sync-some"]
    project.mystocks(*words[1:])
    asked = (project.root / "asked.txt").read_text(encoding="utf-8").splitlines()
    assert asked == ["600000|600036|000001|O'Neill 每日", "000001|O'Neill 每日"]
    newest, before = project.json("history", "sync-some")
    assert (newest["status"], before["status"]) == ("success", "partial_success")
    assert before["result"]["again"] == line.partition("Run only these again: ")[2]


def test_failed_only_repeats_what_the_last_execution_could_not_do_with_its_other_parameters(project: Folder) -> None:
    assert "sync-some has not run yet, so nothing was started" in project.mystocks("run", "sync-some", "--failed-only")
    project.mystocks("run", "sync-some", "-p", "note=kept")
    told = project.mystocks("run", "sync-some", "--failed-only")
    assert "Repeating what failed" in told
    asked = (project.root / "asked.txt").read_text(encoding="utf-8").splitlines()
    assert asked == ["600000|600036|000001|O'Neill 每日", "000001|O'Neill 每日"]
    newest, _ = project.json("history", "sync-some")
    assert newest["params"] == {"note": "kept", "symbols": ["000001", "O'Neill 每日"]}
    nothing = project.mystocks("run", "sync-some", "--failed-only")
    assert "Nothing failed in the last execution of sync-some (success, " in nothing
    assert len(project.json("history", "sync-some")) == 2
