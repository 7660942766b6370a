"""The first commands that a reader types: those of both READMEs, of a new project, and of its own comments."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.blocks import Block, Reader, block, blocks
from support.commands import Commands, commands_in
from support.project import ROOT, Folder, make_folder

from mystocks_dagster.project.new_project import files

#: Many commands, one after the other, on a machine that runs other tests.
_LONG = pytest.mark.timeout(400)
_NEEDS_MAKE = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
pytestmark = [pytest.mark.slow, _NEEDS_MAKE, _LONG]

_OF_OTHERS = ("COLUMNS", "MAKEFLAGS", "MAKELEVEL")
READMES = ("README.md", "README.zh-CN.md")
MARKET = {"MYSTOCKS_SIMULATED": "symbols=12,start=2026-10-08", "MYSTOCKS_NOW": "2026-11-27T20:00:00+08:00"}


def of(name: str, language: str) -> list[Block]:
    return [one for one in blocks(ROOT / name) if one.language == language]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A clone in which the packages are installed; `make demo` was typed in it."""
    folder = make_folder(tmp_path_factory.mktemp("clone") / "project")
    for name in ("Makefile", "pyproject.toml", "tasks.yaml", "requirements.lock", "requirements-build.lock"):
        shutil.copy(ROOT / name, folder.root)
    (folder.root / ".venv").mkdir()
    (folder.root / ".venv" / "bin").symlink_to(Path(sys.prefix) / "bin")
    (folder.root / ".venv" / ".packages").touch()
    folder.env |= MARKET
    return folder


def shell(folder: Folder, lines: str) -> str:
    """Type lines into one shell, and return what it printed."""
    done = subprocess.run(
        ["bash", "-e", "-c", lines],
        cwd=folder.root,
        # Without what another test set, and what a surrounding `make` tells those that it starts.
        env={name: value for name, value in folder.environment.items() if name not in _OF_OTHERS},
        capture_output=True,
        text=True,
        timeout=390,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def without_figures(text: str) -> list[str]:
    """Return the sorted lines without what differs from run to run: the order of tasks, numbers, and how much of a
    remark fits."""
    lines = [re.sub(r"[\d.,]+", "N", line).split() for line in text.splitlines()]
    return sorted(" ".join(line[:4]) for line in lines if line)


def test_the_first_two_commands_of_both_readmes_fill_the_demo_and_print_what_is_shown(clone: Folder) -> None:
    english, chinese = (of(name, "console")[0].lines for name in READMES)
    demo, ui = english
    assert chinese == english
    for page in ("index.md", "zh/index.md"):
        assert block(page, "console").lines == english
    told = shell(clone, demo)
    shown, chinese_shown = (of(name, "text")[0].text for name in READMES)
    assert chinese_shown == shown
    assert shown.startswith("task ")
    table = told[told.index("\ntask ") :]
    assert without_figures(table) == without_figures(shown)
    assert "/mystocks ui" in shell(clone, ui.replace("make", "make -n"))


def test_the_demo_is_then_inspected_as_the_readme_says(clone: Folder) -> None:
    lines = of("README.md", "console")[1].lines
    assert of("README.zh-CN.md", "console")[1].lines == lines
    told = shell(clone, "\n".join(lines))
    assert re.search(r"^daily_bars +\d+", told, re.MULTILINE)
    assert re.search(r"^ma_crossover +buy +\d+", told, re.MULTILINE)
    assert len(re.findall(r"^20\d\d.* success ", told, re.MULTILINE)) == 5


def test_the_real_market_is_filled_as_the_readme_says(
    clone: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the simulated source in place of the real ones, which are out of reach."""
    lines = of("README.md", "console")[3].lines
    assert of("README.zh-CN.md", "console")[3].lines == lines
    for name, value in {**MARKET, "MYSTOCKS_SOURCE": "simulated"}.items():
        monkeypatch.setenv(name, value)
    reader = Reader(commands_in(clone, monkeypatch, capsys), codes={lines[0]: 1})  # no daemon runs
    told = reader.type(lines[0])
    assert [line.split()[1] for line in told.splitlines() if line.startswith("failed")] == ["daemon"]
    for line in lines[1:]:
        assert "success" in reader.type(line)
    (bars,) = reader.cli.json("data", "query", "SELECT count(*) AS n FROM daily_bars")
    assert bars["n"] > 100


def test_the_commands_for_contributors_are_targets_of_make() -> None:
    lines = of("CONTRIBUTING.md", "console")[0].lines
    assert lines == ["make quick", "make check", "make bench"]
    for line in lines:
        done = subprocess.run(line.replace("make", "make -n").split(), cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert {"make quick": "--quick", "make check": "ruff check", "make bench": "bench/"}[line] in done.stdout


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    cli = commands_in(Folder(tmp_path), monkeypatch, capsys)
    for name in ("DAGSTER_HOME", "MYSTOCKS_ROOT"):
        monkeypatch.delenv(name)
    return cli


def commands_of(text: str) -> set[str]:
    """Return the commands in the comments of a file."""
    return {match.strip() for match in re.findall(r"mystocks (?:[a-z_]+ ?)+(?=$|  |[.。])", text, re.MULTILINE)}


@pytest.mark.timeout(400)  # a demo and five more runs
def test_a_project_of_ones_own_is_made_tried_and_does_what_its_comments_say(
    outside: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in MARKET.items():
        monkeypatch.setenv(name, value)
    install, init, enter, demo, ui = [line for line in block("own-project.md", "console").lines if line]
    assert install == "pip install mystocks-dagster"
    assert ui == "mystocks ui"
    reader = Reader(outside)
    reader.type(init)
    made = outside.folder.root / enter.removeprefix("cd ")
    monkeypatch.chdir(made)
    assert "daily_data_sync" in reader.type(demo)
    head = (made / "tasks.yaml").read_text(encoding="utf-8").partition("\nversion")[0]
    commented = commands_of(head) | commands_of((made / "datasets" / "watchlist.yaml").read_text(encoding="utf-8"))
    elsewhere = {"mystocks demo", "mystocks ui", "mystocks bootstrap", "mystocks run daily_job"}
    assert commented > elsewhere
    for line in sorted(commented - elsewhere, key=lambda line: "head" in line):  # what is looked at is loaded before
        assert reader.type(line)
    assert "600519.SH" in reader.printed["mystocks data head watchlist"]
    assert re.search(r"market_breadth +success", reader.type("mystocks --demo run market_breadth"))


@pytest.mark.parametrize("name", ["tasks.yaml", "datasets/watchlist.yaml", "my_tasks.py"])
def test_the_comments_of_a_new_project_name_the_same_commands_in_both_languages(name: str) -> None:
    english, chinese = (commands_of(files(language)[name].partition("\nversion")[0]) for language in ("en", "zh"))
    assert english == chinese
    assert english
