"""`mystocks backtest`: the list, a comparison, and the report as one file."""

import re
from pathlib import Path

import pytest
from support.commands import Commands
from support.project import Folder
from support.stored_backtest import DAYS, SYMBOL, store_two_backtests

pytestmark = pytest.mark.slow


@pytest.fixture
def stored(folder: Folder, cli: Commands, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    folder.write("tasks.yaml", "tasks: []\n")
    monkeypatch.setenv("MYSTOCKS_LAKE", str(folder.root / "data"))
    return store_two_backtests(folder.root)


def test_without_a_backtest_the_command_that_runs_one_is_named(folder: Folder, cli: Commands):
    folder.write("tasks.yaml", "tasks: []\n")
    assert "mystocks run run_strategy_backtest" in cli("backtest", "list")
    assert "There is no backtest 'latest'; none is stored." in cli("backtest", "report", "latest", code=1)


def test_backtests_are_listed_and_compared_by_what_differs(stored: list[str], cli: Commands):
    assert {row["backtest_id"] for row in cli.json("backtest", "list")} == {*stored}
    text = cli("backtest", "compare", stored[0], stored[1][:6])
    assert re.search(r"params: max_positions +10 +2", text)
    assert re.search(r"params: slippage_ticks +0 +1", text)
    assert "params: commission_rate" not in text
    assert re.search(r"total_return +-?\d", text)


def test_the_report_is_one_file_that_asks_for_nothing_outside(stored: list[str], cli: Commands, tmp_path: Path):
    out = tmp_path / "report.html"
    assert f"wrote {out}" in cli("backtest", "report", stored[0], "--out", str(out))
    page = out.read_text(encoding="utf-8")
    assert page.count("<svg") == page.count("</svg>") == 4  # equity, drawdown, exposure, one symbol's prices
    assert not re.search(r"<script|<link|<img|@import|url\(|src=|href=", page)
    assert f"{SYMBOL}: " in page
    assert "<td>2025</td>" in page
    assert f"{DAYS[0]} – {DAYS[-1]}" in page
    (summary,) = (row for row in cli.json("backtest", "list") if row["backtest_id"] == stored[0])
    assert f"{summary['total_return']:+.2%}" in page
    buys = len(re.findall(r"<title>\d{4}-\d\d-\d\d buy", page))
    sells = len(re.findall(r"<title>\d{4}-\d\d-\d\d sell", page))
    assert buys + sells == summary["trades"] > 4


def test_a_report_does_not_replace_a_file_unless_it_is_told_to(stored: list[str], cli: Commands, tmp_path: Path):
    out = tmp_path / "report.html"
    out.write_text("mine", encoding="utf-8")
    assert "exists; replace it with --force" in cli("backtest", "report", "latest", "--out", str(out), code=1)
    assert out.read_text(encoding="utf-8") == "mine"
    written = cli.json("backtest", "report", stored[1], "--out", str(out), "--force")
    assert written == {"backtest_id": stored[1], "out": str(out), "bytes": out.stat().st_size}
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [path.name for path in tmp_path.glob("*report*")] == ["report.html"]


def test_a_report_into_a_folder_that_does_not_exist_is_refused_with_its_name(
    stored: list[str], cli: Commands, tmp_path: Path
):
    out = tmp_path / "no such folder" / "report.html"
    said = " ".join(cli("backtest", "report", "latest", "--out", str(out), code=1).split())
    assert "report.html cannot be written: No such file or directory. Choose another file." in said


def test_an_unknown_or_short_id_is_explained(stored: list[str], cli: Commands):
    assert "has the 2 stored" in cli("backtest", "report", "zzz", code=1)
    assert "Give the ids of at least two backtests" in cli("backtest", "compare", stored[0], code=1)


def test_no_grid_is_said_and_no_error(folder: Folder, cli: Commands):
    folder.write("tasks.yaml", "tasks: []\n")
    assert "No grid is stored" in cli("backtest", "grids")
    assert cli.json("backtest", "grids") == []
