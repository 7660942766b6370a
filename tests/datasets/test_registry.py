"""Datasets by name: shipped ones, the project's own, and what the rest of the product sees of them."""

from pathlib import Path

import pytest
from support.commands import Commands

from mystocks_dagster.datasets import registry
from mystocks_dagster.errors import UnknownName
from mystocks_dagster.market.tables import BUILT_IN, TABLES
from mystocks_dagster.taskfile.problems import TaskFileError

NOTES = """\
title: 笔记
about: Notes
about_zh: 笔记
domain: research
key: [symbol, note]
files: {pattern: notes/*.csv}
columns:
  symbol: {source: code, type: stock}
  note: {source: note, type: text, unit: words}
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project's own datasets, with one of them."""
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    folder = tmp_path / "datasets"
    folder.mkdir()
    (folder / "notes.yaml").write_text(NOTES, encoding="utf-8")
    return folder


def test_a_file_of_the_project_is_a_table_of_the_lake(own: Path) -> None:
    assert "notes" in TABLES
    assert list(TABLES)[: len(BUILT_IN)] == list(BUILT_IN)
    assert TABLES["notes"].key == ("symbol", "note")
    assert len(TABLES) == len(list(TABLES))


def test_a_changed_file_is_read_again_and_a_removed_one_is_gone(own: Path) -> None:
    assert TABLES["notes"].title == "笔记"
    path = own / "notes.yaml"
    path.write_text(NOTES.replace("title: 笔记", "title: 新的笔记"), encoding="utf-8")
    assert TABLES["notes"].title == "新的笔记"
    path.unlink()
    assert "notes" not in TABLES


def test_a_faulty_file_is_no_table_and_its_problems_are_told(own: Path) -> None:
    (own / "notes.yaml").write_text(NOTES.replace("type: text", "type: txt"), encoding="utf-8")
    assert "notes" not in TABLES
    assert [problem.line for problem in registry.problems()] == [9]
    with pytest.raises(TaskFileError, match="Did you mean 'text'"):
        registry.find("notes")


def test_a_file_of_the_project_replaces_a_shipped_one(own: Path) -> None:
    shipped = (registry.SHIPPED / "margin.yaml").read_text(encoding="utf-8")
    (own / "margin.yaml").write_text(shipped.replace("融资融券明细", "自己的两融"), encoding="utf-8")
    assert TABLES["margin"].title == "自己的两融"
    assert registry.find("margin").file == own / "margin.yaml"


def test_an_unknown_name_has_similar_ones_and_says_where_to_add_a_file(own: Path) -> None:
    with pytest.raises(UnknownName, match=r"Did you mean 'notes'\?.*Add a file note\.yaml to"):
        registry.find("note")


TASKS = """\
tasks:
  - task_id: sync_notes
    task_name: 笔记
    task_type: manual
    task_module: mystocks_dagster.tasks.datasets
    task_function: sync_dataset
    params: {dataset: notes}
"""


def test_a_task_owns_the_table_of_its_dataset(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    from mystocks_dagster.factory.spec import build_specs
    from mystocks_dagster.taskfile.reader import load_task_file

    monkeypatch.setenv("MYSTOCKS_ROOT", str(cli.folder.root))
    cli.folder.write("datasets/notes.yaml", NOTES)
    version = load_task_file(cli.folder.write("tasks.yaml", TASKS))
    assert version.problems == ()
    assert version.writes == {"sync_notes": ("notes",)}
    assert build_specs(version)["sync_notes"].owned == ("notes",)


def test_a_problem_of_the_file_is_a_problem_of_its_task(cli: Commands) -> None:
    cli.folder.write("datasets/notes.yaml", NOTES)
    cli.folder.write("tasks.yaml", TASKS)
    cli("list")  # the verdict that all is well is stored
    cli.folder.write("datasets/notes.yaml", NOTES.replace("type: text", "type: txt"))
    shown = cli("list")
    assert "Not loaded: sync_notes" in shown
    shown = cli("check", code=1).replace("\n", "")
    assert "notes.yaml:9:30: type cannot be 'txt'" in shown
    assert "the dataset notes has a problem" in shown
