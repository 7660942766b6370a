"""A new project from the command line, in a folder with an odd name."""

import importlib.util
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from support.commands import Commands, commands_in
from support.project import Folder

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.market import DAILY_BARS

DAY = date(2025, 1, 3)


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    """The commands in a folder that holds no project."""
    cli = commands_in(Folder(tmp_path), monkeypatch, capsys)
    for name in ("DAGSTER_HOME", "MYSTOCKS_ROOT", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    return cli


def test_a_new_project_is_valid_and_is_not_written_twice(outside: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cd '我的 项目'" in outside("init", "我的 项目")
    assert "holds tasks.yaml, dagster.yaml" in outside("init", "我的 项目", code=1)
    monkeypatch.chdir(outside.folder.root / "我的 项目")
    assert "ok" in outside("check")
    assert {"market_breadth", "sync_watchlist"} <= {task["task_id"] for task in outside.json("list")}
    assert "data     none yet" in outside()


@pytest.mark.parametrize("folder", ["a file", "a file/project"])
def test_a_project_where_a_file_is_is_refused_in_one_line(outside: Commands, folder: str) -> None:
    outside.folder.write("a file", "kept")
    told = outside("init", folder, code=1)
    assert "cannot be written" in told
    assert "Traceback" not in told
    assert (outside.folder.root / "a file").read_text(encoding="utf-8") == "kept"


def test_a_project_in_this_folder_needs_no_other_folder(outside: Commands) -> None:
    told = outside("init", ".")
    assert "cd " not in told
    assert "mystocks demo" in told


@pytest.mark.parametrize(
    ("locale", "options", "chinese"),
    [
        ("zh_CN.UTF-8", (), True),
        ("en_GB.UTF-8", (), False),
        ("", ("--lang", "zh"), True),
        ("zh", ("--lang", "en"), False),
    ],
)
def test_comments_are_in_the_language_of_the_terminal(
    outside: Commands, monkeypatch: pytest.MonkeyPatch, locale: str, options: tuple[str, ...], chinese: bool
) -> None:
    monkeypatch.setenv("LANG", locale)
    assert ("新项目" in outside("init", "p", *options)) is chinese
    assert ("新建任务" in (outside.folder.root / "p" / "tasks.yaml").read_text(encoding="utf-8")) is chinese


@pytest.mark.parametrize(
    ("lang", "line"), [("en", "2025-01-03: 1 up, 1 down, 0 unchanged"), ("zh", "上涨 1 家，下跌 1 家")]
)
def test_the_first_own_task_counts_what_rose_and_fell(
    outside: Commands, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lang: str, line: str
) -> None:
    outside("init", "p", "--lang", lang)
    root = outside.folder.root / "p"
    monkeypatch.chdir(root)
    spec = importlib.util.spec_from_file_location("own_tasks", root / "my_tasks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    empty = module.market_breadth({"leaders": 1})
    assert (empty["status"], empty["error"].endswith("mystocks bootstrap")) == ("failed", True)
    rows = [
        {"symbol": "600000.SH", "close": 11.0, "prev_close": 10.0, "suspended": False},
        {"symbol": "600001.SH", "close": 9.0, "prev_close": 10.0, "suspended": False},
        {"symbol": "600004.SH", "close": 9.0, "prev_close": 9.0, "suspended": True},
    ]
    common = {"date": DAY, "open": 10.0, "high": 11.0, "low": 9.0, "volume": 100, "amount": 1000.0, "is_st": False}
    frame = pl.DataFrame([row | common for row in rows], schema=DAILY_BARS.dtypes)
    Lake(str(root / "data"), "real").replace_days("daily_bars", frame, [DAY])
    assert module.market_breadth({"leaders": 1}) == {"status": "success", "day": "2025-01-03", "up": 1, "down": 1}
    printed = capsys.readouterr().out
    assert line in printed
    assert "600000.SH      11.00  +10.00%" in printed
    assert "600001.SH" not in printed
