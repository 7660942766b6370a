"""Documentation that nobody executes goes stale: every path exists, the README's task runs, every command has help and an example."""

import re
from pathlib import Path

import pytest
from support.project import ROOT, Folder
from typer.main import get_command

from mystocks_dagster.cli.main import app, register_all

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_paths_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`((?:mystocks_dagster|tests|docs|bench)/[\w/.-]+)`", text)
    linked = [link for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text) if "://" not in link]
    assert not [path for path in named if not (ROOT / path).exists()]
    assert not [link for link in linked if not (page.parent / link).exists()]


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_task_of_the_readme_runs(folder: Folder, name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    python = re.search(r"```python\n(.*?)```", text, re.S)
    head, entry = re.findall(r"```yaml\n(.*?)```", text, re.S)[:2]
    assert python is not None
    folder.write("my_tasks.py", python.group(1))
    shipped = (ROOT / "tasks.yaml").read_text(encoding="utf-8")
    shipped = shipped.replace("task_groups:", f"{entry}\ntask_groups:", 1)
    folder.write("tasks.yaml", f"{head}\n{shipped}")
    folder.env["MYSTOCKS_SIMULATED"] = "symbols=30,start=2026-11-02"
    folder.mystocks("check")
    told = folder.mystocks("--demo", "run", "count_limit_ups", "-p", "threshold=1.05")
    assert re.search(r"count_limit_ups\s+success", told)


def commands() -> dict[str, object]:
    """Return every command by its words."""
    register_all()
    found = {}

    def walk(command: object, words: tuple[str, ...]) -> None:
        inner = getattr(command, "commands", None)
        if inner is None:
            found[" ".join(words)] = command
        for name, one in (inner or {}).items():
            walk(one, (*words, name))

    walk(get_command(app), ())
    return found


def test_every_command_has_help_and_an_example() -> None:
    for words, command in commands().items():
        told = getattr(command, "help", None) or ""
        assert f"Example: mystocks {words}" in told, words
