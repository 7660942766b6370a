"""The site of the documentation is built strictly, in two languages, and asks nothing of the network."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.project import ROOT

pytestmark = pytest.mark.slow

#: What a browser loads by itself, as against a link that a reader follows.
_LOADED = re.compile(
    r"""<(?:script|img|iframe|source)[^>]+src=["']?(https?:)?//|<link[^>]+href=["']?(https?:)?//|@import|url\(["']?(https?:)?//"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_of_docs_is_a_page_of_the_site(site: Path) -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").with_suffix("").as_posix().removesuffix("index")
        assert (site / name / "index.html").exists(), name


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    assert {page.name: found[0] for page in pages if (found := _LOADED.search(page.read_text(encoding="utf-8")))} == {}


@pytest.mark.parametrize(("page", "language", "words"), [("", "en", "Tutorial"), ("zh", "zh", "入门教程")])
def test_a_page_is_in_one_language(site: Path, page: str, language: str, words: str) -> None:
    text = (site / page / "index.html").read_text(encoding="utf-8")
    assert re.search(rf'<html lang="?{language}\b', text)
    tabs = re.search(r'<nav class="md-tabs".*?</nav>', text, re.DOTALL)
    assert tabs
    assert words in tabs[0]
    assert bool(re.search(r"[\u4e00-\u9fff]", tabs[0])) == (language == "zh")


#: A term of the glossary that looks like a sentence.
_TERM = "as of a day"
#: Pages of the reference that are written in both languages, in whole or for the most part.
WRITTEN = ("sources", "akshare", "indicators", "formulas", "backtests", "web", "graphql", "python", "glossary")


def article(page: Path) -> str:
    """Return what a page says, without the navigation."""
    found = re.search(r"<article.*?</article>", (page / "index.html").read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[0]


@pytest.mark.parametrize("page", ["tasks-yaml", "lake", "cli", "rest", "errors", *WRITTEN])
def test_the_reference_is_in_chinese_too(site: Path, page: str) -> None:
    prose = re.sub(r"<(code|pre)\b.*?</\1>", "`", article(site / "zh" / page), flags=re.DOTALL)
    sentences = re.findall(r"\b[A-Za-z]+(?: [a-z]+){3,}", re.sub(r"<[^>]+>", "|", prose))
    assert [sentence for sentence in sentences if sentence != _TERM] == []


@pytest.mark.parametrize("page", ["cli", "errors"])
def test_the_chinese_reference_has_the_same_commands_and_errors(site: Path, page: str) -> None:
    def names(folder: Path) -> set[str]:
        text = (folder / page / "index.html").read_text(encoding="utf-8")
        return set(re.findall(r"(?:<h2[^>]*>|<tr>\s*<td><code>)([\w -]+)<", text))

    assert names(site / "zh") == names(site)
    assert len(names(site)) > 20


@pytest.mark.parametrize("page", WRITTEN[:-1])  # rows of the glossary begin with a term; `test_facts.py` compares them
def test_a_chinese_page_has_the_headings_lists_blocks_and_rows_of_the_english_one(site: Path, page: str) -> None:
    def parts(folder: Path) -> list[tuple[str, str]]:
        """Return the parts in their order, with the name in code that a row begins with."""
        return re.findall(r"<(h[1-4]|li|pre|img|tr)\b[^>]*>(?:\s*<td><code>(.*?)</code>)?", article(folder / page))

    assert parts(site / "zh") == parts(site)
    assert len(parts(site)) > 20


def test_each_page_of_the_reference_has_a_chinese_one() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    english = re.findall(r": ([\w-]+\.md)", nav.partition("- Reference:")[2].partition("- Explanation:")[0])
    assert len(english) > 10
    assert [page for page in english if f": zh/{page}" not in nav] == []


def test_the_search_has_both_languages(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    assert index["config"]["lang"] == ["en", "zh"]
    text = {entry["location"]: entry["title"] for entry in index["docs"]}
    assert text["zh/tutorial/"] == "入门教程：从零到告警"
    assert text["tutorial/"] == "Tutorial: from nothing to an alert"


def test_the_chinese_navigation_leads_to_the_reference(site: Path) -> None:
    """Each link of it is a page, from a Chinese page in a folder and from one beside the English ones."""
    for page in ("zh/tutorial", "troubleshooting.zh-CN"):
        text = (site / page / "index.html").read_text(encoding="utf-8")
        found = dict(
            re.findall(
                r'<a href="?([^" >]+)"? class="?md-nav__link"?>\s*<span class="?md-ellipsis"?>\s*(.*?)\s*<', text
            )
        )
        links = {title: address for address, title in found.items()}
        for title in ("命令", "数据湖的表", "错误", "数据源", "网页", "指标与选股", "公式", "回测", "术语"):
            assert (site / page / links[title] / "index.html").exists(), links
