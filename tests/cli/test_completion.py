"""What the Tab key offers, as bash asks for it: ids, commands and choices, and nothing over a broken file."""

import re
import subprocess
import sys

import pytest
from support.project import Folder


def completed(folder: Folder, line: str) -> set[str]:
    """Return what the Tab key offers at the end of a line, as bash asks; check that Dagster was not imported."""
    words = line.split(" ")
    environment = {
        **folder.environment,
        "_MYSTOCKS_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "PYTHONPROFILEIMPORTTIME": "1",
    }
    program = "import sys; sys.argv[0] = 'mystocks'; from mystocks_dagster.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder.root, env=environment, capture_output=True, text=True, check=False
    )
    assert not re.search(r"\| +(dagster|polars)$", done.stderr, re.M)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "command", ["run", "show", "stop", "enable", "disable", "resume", "pause", "reset", "next", "edit", "remove"]
)
def test_ids_of_tasks_and_groups_are_completed(shipped: Folder, command: str) -> None:
    assert completed(shipped, f"mystocks {command} daily_") == {"daily_data_sync", "daily_job"}


@pytest.mark.parametrize("command", ["logs", "stats", "backfill"])
def test_where_only_tasks_can_stand_only_tasks_are_completed(shipped: Folder, command: str) -> None:
    assert completed(shipped, f"mystocks {command} daily_") == {"daily_data_sync"}


def test_commands_and_choices_are_completed_too(shipped: Folder) -> None:
    assert completed(shipped, "mystocks history --status p") == {"partial_success", "pending", "paused"}
    assert completed(shipped, "mystocks list --type m") == {"manual", "market_fetch"}
    assert completed(shipped, "mystocks export --format ") == {"yaml", "json"}
    assert completed(shipped, "mystocks dis") == {"disable"}


@pytest.mark.parametrize("text", ["tasks: [", "- 3", "tasks: 5", "", None])
def test_completion_says_nothing_over_a_broken_file(folder: Folder, text: str | None) -> None:
    if text is not None:
        folder.write("tasks.yaml", text)
    assert completed(folder, "mystocks run x") == set()


def test_completion_can_be_installed(folder: Folder) -> None:
    home = folder.root / "home"
    home.mkdir()
    environment = {
        **folder.environment,
        "HOME": str(home),
        "SHELL": "/bin/bash",
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    command = [sys.executable, "-m", "mystocks_dagster.cli.main", "--install-completion", "bash"]
    done = subprocess.run(command, cwd=folder.root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert any("COMPLETE" in path.read_text(encoding="utf-8") for path in home.rglob("*") if path.is_file()), list(
        home.rglob("*")
    )
