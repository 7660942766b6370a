"""The files of a new project are the shipped ones, in either language."""

import errno
import os
import re
from pathlib import Path

import pytest
import yaml
from support.project import ROOT

from mystocks_dagster.errors import MyStocksError, SettingsError
from mystocks_dagster.project import new_project
from mystocks_dagster.project.new_project import create, files, untranslated

SAME = ("tasks.yaml", "dagster.yaml", "workspace.yaml")
OWN = {"market_breadth", "sync_watchlist"}


@pytest.mark.parametrize("name", SAME)
def test_the_package_has_the_files_of_the_clone(name: str) -> None:
    packaged = ROOT / "mystocks_dagster" / "project" / "templates" / name
    assert packaged.read_bytes() == (ROOT / name).read_bytes(), f"cp {name} {packaged.relative_to(ROOT)}"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_new_project_has_the_shipped_tasks_and_two_of_its_own(language: new_project.Language) -> None:
    made, shipped = yaml.safe_load(files(language)["tasks.yaml"]), yaml.safe_load((ROOT / "tasks.yaml").read_text())
    own = [task for task in made["tasks"] if task["task_id"] in OWN]
    assert {task["task_id"] for task in own} == OWN
    assert [task for task in made["tasks"] if task not in own] == shipped["tasks"]
    assert made["task_groups"] == shipped["task_groups"]
    assert made["task_packages"] == ["my_tasks"]


def test_both_languages_say_the_same_in_their_own_words() -> None:
    english, chinese = files("en"), files("zh")
    assert list(english) == list(chinese)
    for name in ("tasks.yaml", "dagster.yaml", "datasets/watchlist.yaml"):
        assert yaml.safe_load(english[name]) == yaml.safe_load(chinese[name])
        assert english[name] != chinese[name]


@pytest.mark.parametrize("name", ["tasks.yaml", "dagster.yaml"])
def test_every_comment_has_its_chinese_words(name: str) -> None:
    assert untranslated(name) == [], "add them to project/templates/comments_zh.json"
    comments = re.findall(r"(?:^|\s)# (?!yaml-language-server)(.+)", files("zh")[name])
    lines = [text for text in comments if not re.search(r"[一-鿿]", text)]
    assert [text for text in lines if "postgres" not in text] == []


def test_a_file_that_is_there_is_kept_and_nothing_else_is_written(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text("mine")
    with pytest.raises(SettingsError, match=r"holds dagster\.yaml already, and nothing was changed"):
        create(tmp_path, "en")
    assert [path.name for path in tmp_path.iterdir()] == ["dagster.yaml"]
    assert (tmp_path / "dagster.yaml").read_text() == "mine"


def test_a_disk_that_becomes_full_leaves_no_half_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = new_project._write

    def full(path: Path, text: str) -> None:
        write(path, text)
        if path.name == "my_tasks.py":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(new_project, "_write", full)
    with pytest.raises(MyStocksError, match=str(tmp_path)):
        create(tmp_path, "en")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
