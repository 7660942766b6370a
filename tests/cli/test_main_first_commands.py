"""The first commands of a new project, also several at once, and what programs get of wrong usage."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import Commands
from support.project import Folder

TASKS = """
    tasks:
      - {task_id: tidy, task_type: manual, task_module: app.tasks.maintenance, task_function: cleanup_cache_data,
         params: {}}
"""


def test_commands_that_come_first_and_together_leave_a_storage_that_opens(folder: Folder) -> None:
    folder.write("tasks.yaml", TASKS)
    shutil.rmtree(folder.root / ".dagster")
    command = [sys.executable, "-m", "mystocks_dagster.cli.main"]
    together = [
        subprocess.Popen(
            [*command, words],
            cwd=folder.root,
            env=folder.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for words in ("history", "stats", "history", "stats")
    ]
    said = [process.communicate(timeout=150)[0] for process in together]
    assert [process.returncode for process in together] == [0] * 4, said
    folder.mystocks("history")


@pytest.mark.parametrize(
    "words", [("history", "--limit", "0"), ("next", "--count", "99999999999"), ("show",), ("list", "--nonsense")]
)
def test_wrong_usage_under_json_is_json_and_still_two(cli: Commands, words: tuple[str, ...]) -> None:
    cli.folder.write("tasks.yaml", TASKS)
    told = cli._run((*words, "--json"), 2, "")
    assert json.loads(told.out)["error"] == "UsageError"
    assert "Usage:" in told.err


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [("list", "--json"), ("list",)])
def test_output_that_cannot_be_written_is_said(folder: Folder, words: tuple[str, ...], unbuffered: str) -> None:
    folder.write("tasks.yaml", TASKS)
    environment = {**folder.environment, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mystocks_dagster.cli.main", *words],
            cwd=folder.root, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.strip() == "Error: The output cannot be written: No space left on device."


def test_copies_of_a_private_task_file_are_private(cli: Commands) -> None:
    path = cli.folder.write("tasks.yaml", TASKS)
    path.chmod(0o600)
    cli("edit", "tidy", "timeout=78")
    cli("export", "copy.yaml")
    cli("show", "tidy")
    root = cli.folder.root
    copies = [root / "tasks.yaml.bak", root / "copy.yaml", *(root / ".dagster" / "taskfiles").glob("[0-9a-f]*.json")]
    assert len(copies) >= 3
    assert {one.stat().st_mode & 0o777 for one in copies} == {0o600}


def test_a_token_that_no_header_can_carry_is_refused(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_API_TOKEN", "s3cret-令牌")
    refused = cli("list", code=1)
    assert "MYSTOCKS_API_TOKEN" in refused
    assert "s3cret" not in refused
