"""The maps of the package are those of the contract and the docstrings, and what CONTRIBUTING.md names exists."""

import re

import pytest
from support.maps import MAPS, PACKAGE, description, label, packages, parts
from support.project import ROOT


@pytest.mark.parametrize("name", MAPS)
def test_a_map_is_made_from_the_contract_and_the_docstrings(name: str) -> None:
    assert parts(name)[1] == MAPS[name](), "write it again: .venv/bin/python tests/support/maps.py"


def test_the_chinese_map_has_the_same_packages_each_with_its_words() -> None:
    rows = re.findall(r"^\| (`.+?`) \| (.+) \|$", parts("README.zh-CN.md")[1], re.MULTILINE)
    assert [path for path, _ in rows] == ["`tasks.yaml`", *map(label, packages()), "`docs/`"]
    assert all(re.search(r"[\u4e00-\u9fff]", words) for _, words in rows)


def test_each_package_says_in_a_line_what_it_is() -> None:
    folders = sorted(file.parent for file in (ROOT / PACKAGE).rglob("__init__.py"))
    lines = [description(folder) for folder in folders]
    assert len(lines) > 20
    assert len(set(lines)) == len(lines)


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "CONTRIBUTING.md"])
def test_each_path_that_is_named_exists(name: str) -> None:
    paths = re.findall(r"`((?:mystocks_dagster|tests|docs)/[\w./-]*)`", (ROOT / name).read_text(encoding="utf-8"))
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
