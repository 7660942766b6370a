"""`mystocks backfill`: what is missing is loaded, what is there is left out, and nothing is guessed."""

import exchange_calendars
import pytest
from support.project import ROOT, Folder


@pytest.fixture
def project(folder: Folder) -> Folder:
    folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    folder.env["MYSTOCKS_SIMULATED"] = "symbols=20,start=2026-08-03"
    folder.env["MYSTOCKS_NOW"] = "2026-11-24T18:00:00+08:00"
    return folder


def stored(project: Folder) -> list[str]:
    rows = project.json("--demo", "data", "query", "SELECT DISTINCT date FROM daily_bars ORDER BY date")
    return [row["date"] for row in rows]


def test_a_range_is_loaded_and_a_wider_one_adds_what_is_missing(project: Folder) -> None:
    project.mystocks("--demo", "backfill", "daily_data_sync", "--from", "2026-10-12", "--to", "2026-10-13", timeout=170)
    assert stored(project) == ["2026-10-12", "2026-10-13"]
    wider = ["--demo", "backfill", "daily_data_sync", "--from", "2026-09-28", "--to", "2026-10-15"]
    plan = project.json(*wider, "--dry-run")
    # 1 to 8 October is the National Day's holiday.
    assert plan["spans"] == [["2026-09-28", "2026-10-09"], ["2026-10-14", "2026-10-15"]]
    done = project.json(*wider)
    assert {one["status"] for one in done["executions"]} == {"success"}
    sessions = exchange_calendars.get_calendar("XSHG").sessions_in_range("2026-09-28", "2026-10-15")
    assert stored(project) == [f"{session:%Y-%m-%d}" for session in sessions]
    assert project.json(*wider, "--dry-run")["days"] == 0
    assert len(project.json("history", "daily_data_sync")) == 3
    elsewhere = project.json(*wider[1:], "--dry-run")
    assert (elsewhere["days"], elsewhere["present"]) == (len(sessions), 0), "the project's own lake is empty"


def test_what_is_missing_is_loaded_in_one_run_for_each_stretch(project: Folder) -> None:
    project.mystocks("--demo", "backfill", "daily_data_sync", "--from", "2026-11-20", "--to", "2026-11-20", timeout=170)
    done = project.json("--demo", "backfill", "--missing", "daily_bars")
    # 21 and 22 November are a weekend.
    assert [(fill["first"], fill["last"], fill["source"]) for fill in done["fills"]] == [
        ("2026-11-23", "2026-11-24", "simulated")
    ]
    assert [one["status"] for one in done["executions"]] == ["success"]
    assert project.json("--demo", "data", "gaps", "daily_bars")["gaps"] == []
