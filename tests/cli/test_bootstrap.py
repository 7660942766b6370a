"""mystocks bootstrap: one command that fills an empty lake."""

import json
from pathlib import Path

import pytest
from support.commands import Commands
from support.project import ROOT, Folder
from support.tdx_archive import day_file, record, write_zip

from mystocks_dagster.market.calendar import shanghai


@pytest.fixture
def shipped(folder: Folder) -> Folder:
    """A project with the shipped task file, on a fixed day."""
    folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    folder.env["MYSTOCKS_NOW"] = "2026-11-24T18:00:00+08:00"
    return folder


def archive(path: Path) -> Path:
    """Make an archive of two stocks over two months."""
    from datetime import date

    days = [int(f"{day:%Y%m%d}") for day in shanghai().sessions(date(2026, 10, 9), date(2026, 11, 24))]
    files = {
        f"{name}.day": day_file(record(day, 1000 + n % 5) for n, day in enumerate(days))
        for name in ("sh600000", "sz000001")
    }
    return write_zip(path, files)


def test_a_zip_fills_the_lake_and_a_second_run_has_nothing_to_do(shipped: Folder) -> None:
    path = archive(shipped.root / "hsjday.zip")
    (first,) = json.loads(shipped.mystocks("bootstrap", "--from", str(path), "--json"))
    # The archive comes without corporate actions, which is said and is not called a success.
    assert (first["task_id"], first["status"]) == ("bootstrap_market", "partial_success")
    assert "corporate actions" in first["result"]["message"]
    assert first["result"]["rows"]["daily_bars"] == 2 * 33
    printed = shipped.mystocks("bootstrap", "--from", str(path))
    assert "all 33 trading days" in printed
    assert "mystocks run daily_job" in printed


@pytest.mark.parametrize("arguments", [["--from", "nowhere"], ["--years", "0"], ["--years", "many"]])
def test_wrong_usage_starts_nothing(cli: Commands, arguments: list[str]) -> None:
    cli.folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    cli("bootstrap", *arguments, code=2)
    assert not (cli.folder.root / "data").exists()


def test_a_file_that_is_no_archive_is_refused(shipped: Folder) -> None:
    path = shipped.write("notes.txt", "not an archive")
    printed = " ".join(shipped.mystocks("bootstrap", "--from", str(path), code=1).split())
    assert "is not a zip of .day files" in printed
    assert "Traceback" not in printed


def test_a_task_file_without_the_task_says_how_to_add_it(cli: Commands) -> None:
    cli.folder.write("tasks.yaml", "tasks: []\n")
    printed = " ".join(cli("bootstrap", code=1).split())
    assert "has no task whose task_function is bootstrap_market" in printed
