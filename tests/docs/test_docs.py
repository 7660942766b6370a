"""The documentation is executed: every path exists, the README's task runs, every command has help and an example."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
from support.project import ROOT, Folder

import mystocks_dagster
from mystocks_dagster.cli.reference import commands

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_paths_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`((?:mystocks_dagster|tests|docs|bench)/[\w/.-]+)`", text)
    linked = [link for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text) if "://" not in link]
    assert not [path for path in named if not (ROOT / path).exists()]
    assert not [link for link in linked if not (page.parent / link).exists()]


def test_both_readmes_have_the_same_task() -> None:
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md")]
    ours, theirs = (
        [re.sub(r"# .*", "", block) for block in re.findall(r"```(?:python|yaml)\n(.*?)```", text, re.S)]
        for text in texts
    )
    assert ours[1:] == theirs[1:]
    trees = [ast.parse(re.sub(r'print\(f"{ups.height}[^"]*"\)', "print()", block)) for block in (ours[0], theirs[0])]
    assert ast.dump(trees[0]) == ast.dump(trees[1])


def test_the_task_of_the_readme_runs(folder: Folder) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
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


#: Pictures with English or Chinese words, to the one README that shows them.
IN_ONE_LANGUAGE = {"market-day-en.png": "README.md", "market-day.png": "README.zh-CN.md"}
#: Shown by the pages of the site alone.
OF_THE_SITE = {"architecture.svg", "architecture.zh.svg"}


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_every_picture_is_shown_with_its_caption(name: str) -> None:
    shown = re.findall(r"!\[([^]]+)\]\(docs/images/([^)]+)\)", (ROOT / name).read_text(encoding="utf-8"))
    pictures = {path.name for path in (ROOT / "docs" / "images").iterdir()} - OF_THE_SITE
    assert {picture for _, picture in shown} == {
        picture for picture in pictures if IN_ONE_LANGUAGE.get(picture, name) == name
    }


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_first_screen_is_a_picture_two_commands_and_a_sentence(name: str) -> None:
    first = (ROOT / name).read_text(encoding="utf-8").partition("\n\n")[2].partition("\n* **")[0]
    assert re.match(r"!\[[^]]+\]\(docs/images/market-day(-en)?\.png\)\n", first)
    assert re.findall(r"^\$ (make \w+)", first, re.M) == ["make demo", "make ui"]


def test_no_picture_weighs_more_than_200_kilobytes() -> None:
    heavy = {path.name: path.stat().st_size for path in (ROOT / "docs" / "images").iterdir()}
    assert {name: size for name, size in heavy.items() if size > 200_000} == {}


def test_type_checkers_of_others_find_our_types() -> None:
    marker = Path(mystocks_dagster.__file__).parent / "py.typed"
    assert marker.is_file()
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert marker.name in setup["package-data"]["mystocks_dagster"]


def test_every_command_has_help_and_an_example() -> None:
    for words, command in commands():
        assert f"Example: mystocks {words}" in (command.help or ""), words
