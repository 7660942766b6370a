"""The lake's commands as an operator uses them after something went wrong, or after an upgrade."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from support.commands import Commands, commands_in
from support.project import ROOT, Folder, make_folder

from mystocks_dagster.lake import formats
from mystocks_dagster.lake.formats import Migration
from mystocks_dagster.lake.loads import complete_days, record_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.tables.market import DAILY_BARS

pytestmark = pytest.mark.slow

JAN2, JAN3 = date(2025, 1, 2), date(2025, 1, 3)
TASKS = (
    "tasks:\n  - {task_id: daily, task_type: manual, task_module: app.tasks.data_sync, task_function:"
    " sync_daily_stock_data}\n"
)


@pytest.fixture
def mystocks(folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    """The commands in a project with two days of bars."""
    folder.write("tasks.yaml", TASKS)
    lake = Lake(str(folder.root / "data"), "real")
    values = {
        "symbol": "600000.SH",
        "open": 9.0,
        "high": 9.0,
        "low": 9.0,
        "close": 9.0,
        "prev_close": 9.0,
        "volume": 1,
        "amount": 9.0,
    }
    for day in (JAN2, JAN3):
        frame = pl.DataFrame(
            [values | {"date": day, "turnover": 1.0, "is_st": False, "suspended": False}], schema=DAILY_BARS.dtypes
        )
        lake.replace_days("daily_bars", frame, [day])
        record_days(lake, "daily_bars", {day: 1}, source="test")
    return commands_in(folder, monkeypatch, capsys)


def bars(mystocks: Commands) -> Path:
    return mystocks.folder.root / "data" / "daily_bars"


def lose_the_last_file(mystocks: Commands) -> Path:
    file = max((bars(mystocks) / "year=2025").glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    file.unlink()
    return file


@pytest.mark.slow
def test_a_lost_file_is_told_by_every_command_and_the_commands_that_they_name_mend_it(mystocks: Commands) -> None:
    file = lose_the_last_file(mystocks)
    for command in (("data", "head", "daily_bars"), ("data", "query", "SELECT * FROM daily_bars")):
        told = mystocks(*command, code=1)
        assert f"{file} is missing" in told
        assert "mystocks data restore daily_bars" in told
    assert f"{file} is missing" in mystocks("data", "tables")
    assert [one["trouble"] != "" for one in mystocks.json("data", "tables")] == [True, False]
    doctor = mystocks("doctor", code=1)
    assert f"{file} is missing" in doctor
    assert "→ mystocks data restore daily_bars" in doctor

    listed = mystocks("data", "restore", "daily_bars")
    assert "mystocks data restore daily_bars --to 1" in listed
    versions = mystocks.json("data", "restore", "daily_bars")
    assert [(one["number"], one["damage"] == "") for one in versions] == [
        (2, False),
        (1, True),
        (0, True),
    ]
    told = mystocks("data", "restore", "daily_bars", "--to", "1")
    assert "daily_bars is restored to version 1: 1 rows" in told
    assert """mystocks run daily -p 'start_date="2025-01-03"' -p 'end_date="2025-01-03"'""" in told
    assert [row["date"] for row in mystocks.json("data", "head", "daily_bars")] == ["2025-01-02"]
    assert "failed  lake" not in mystocks("doctor", code=1)


def test_a_table_of_which_nothing_is_left_is_moved_away_and_can_be_loaded_again(mystocks: Commands) -> None:
    shutil.rmtree(bars(mystocks) / "_delta_log")
    assert "mystocks data restore daily_bars --to nothing" in mystocks("data", "restore", "daily_bars")
    told = mystocks("data", "restore", "daily_bars", "--to", "nothing")
    assert f"daily_bars was moved to {bars(mystocks).parent / 'damaged'}" in told
    # The days count as not loaded, and the command that loads them again is accepted as it stands.
    assert """mystocks run daily -p 'start_date="2025-01-02"' -p 'end_date="2025-01-03"'""" in told
    assert not bars(mystocks).exists()
    assert complete_days(Lake(str(bars(mystocks).parent)), "daily_bars") == {}


@pytest.mark.parametrize("to", ["yesterday", "-1", "12345678901", "2026-13-01", "99", "1999-01-01"])
def test_a_version_that_cannot_be_meant_is_refused_and_changes_nothing(mystocks: Commands, to: str) -> None:
    told = mystocks("data", "restore", "daily_bars", f"--to={to}", code=1)
    assert "Traceback" not in told
    assert len(mystocks.json("data", "head", "daily_bars")) == 2
    assert "no table 'bars'. Did you mean 'etf_bars'" in mystocks("data", "restore", "bars", code=1)


def test_a_lake_that_must_be_migrated_is_told_by_doctor_and_the_command_does_it(
    mystocks: Commands, monkeypatch
) -> None:
    assert "there is nothing to do" in mystocks("data", "migrate")
    about = "closes become cents"
    change = Migration(
        number=2, table="daily_bars", about=about, change=lambda rows: rows.with_columns(pl.col("close") * 100)
    )
    monkeypatch.setattr(formats, "MIGRATIONS", (change,))
    doctor = mystocks("doctor", code=1)
    assert about in doctor
    assert "→ mystocks data migrate" in doctor
    assert "mystocks data migrate" in mystocks("data", "head", "daily_bars", code=1)
    steps = [{"table": "daily_bars", "number": 2, "about": about}]
    dry = mystocks.json("data", "migrate", "--dry-run")
    assert (dry["dry_run"], dry["steps"][:1]) == (True, steps)
    assert "mystocks data migrate" in mystocks("data", "head", "daily_bars", code=1)
    assert f"daily_bars, to format 2: {about}" in mystocks("data", "migrate")
    assert {row["close"] for row in mystocks.json("data", "head", "daily_bars")} == {900.0}
    assert mystocks.json("data", "migrate") == {"dry_run": False, "steps": []}
    monkeypatch.setattr(formats, "MIGRATIONS", ())
    told = mystocks("data", "head", "daily_bars", code=1)
    assert (
        "was written by a newer version of MyStocks (it has format 2, and this version supports formats up to 1)"
        in told
    )


def test_i_see_in_the_audit_log_who_restored_migrated_or_decided_what(mystocks: Commands, monkeypatch) -> None:
    mystocks("list")
    mystocks("history")
    mystocks("data", "restore", "daily_bars")
    assert mystocks.json("audit") == []
    mystocks("data", "restore", "daily_bars", "--to", "0")
    close = Migration(number=2, table="daily_bars", about="cents", change=lambda rows: rows)
    monkeypatch.setattr(formats, "MIGRATIONS", (close,))
    mystocks("data", "migrate", "--dry-run")
    mystocks("data", "migrate")
    mystocks("data", "migrate")
    monkeypatch.setattr(formats, "MIGRATIONS", ())
    told = [(entry["via"], entry["action"], entry["target"], entry["detail"]) for entry in mystocks.json("audit")]
    assert told == [
        ("cli", "migrate the lake", "", "daily_bars, loaded_days"),
        ("cli", "restore a table", "daily_bars", "version 0"),
    ]


@pytest.mark.parametrize("name", ["[x]", "c%20d", "a*b", "a?b"])
def test_a_project_in_a_folder_whose_name_cannot_work_is_refused_at_once(
    tmp_path: Path, monkeypatch, capsys, name: str
) -> None:
    folder = make_folder(tmp_path / name)
    folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    mystocks = commands_in(folder, monkeypatch, capsys)
    told = mystocks("demo", code=1)
    assert "Traceback" not in told
    assert ("cannot hold a lake" in told) or ("Dagster cannot use a folder" in told)
    assert "ename" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def test_the_lake_is_read_as_it_was_at_a_moment(mystocks: Commands) -> None:
    lake = Lake(str(bars(mystocks).parent))
    before = now()
    while now() - before < timedelta(milliseconds=2):
        pass  # commits are stamped by the millisecond
    lake.replace_days("daily_bars", lake.read("daily_bars", start=JAN3).with_columns(close=19.0), [JAN3])
    at = ("--at", before.isoformat())
    assert {row["close"] for row in mystocks.json("data", "head", "daily_bars")} == {9.0, 19.0}
    assert {row["close"] for row in mystocks.json("data", "head", "daily_bars", *at)} == {9.0}
    query = ("data", "query", "SELECT max(close) AS high FROM daily_bars")
    assert mystocks.json(*query) == [{"high": 19.0}]
    assert mystocks.json(*query, *at) == [{"high": 9.0}]
    assert "--at is 'yesterday'" in mystocks("data", "head", "daily_bars", "--at", "yesterday", code=1)
    assert "daily_bars did not exist at 2020-01-01" in mystocks(
        "data", "head", "daily_bars", "--at", "2020-01-01", code=1
    )


# ---- what was known, who was listed, and which codes belong to one stock


def test_rows_and_queries_are_shown_as_of_a_day(mystocks: Commands) -> None:
    assert [row["date"] for row in mystocks.json("data", "head", "daily_bars", "--as-of", "2025-01-02")] == [
        "2025-01-02"
    ]
    sql = "SELECT max(date) AS newest FROM daily_bars"
    assert mystocks.json("data", "query", sql, "--as-of", "2025-01-02") == [{"newest": "2025-01-02"}]


def test_the_universe_of_a_day_is_listed_and_a_day_to_come_is_refused(mystocks: Commands) -> None:
    expected = {"symbol": "600000.SH", "code": "600000.SH", "board": "main", "is_st": False, "suspended": False}
    unknown = dict.fromkeys(("name", "list_date", "delist_date"))
    assert mystocks.json("data", "universe", "--day", "2025-01-02") == [expected | unknown]
    assert mystocks.json("data", "universe") == [expected | unknown]
    assert "has not come" in mystocks("data", "universe", "--day", "2190-01-02", code=1)


def test_a_person_states_a_change_of_code_and_takes_it_back(mystocks: Commands) -> None:
    assert mystocks.json("data", "codes") == []
    change = ("data", "codes", "600000", "600999", "--from", "2025-01-03")
    stated = {"old_symbol": "600000.SH", "new_symbol": "600999.SH", "from_day": "2025-01-03", "source": "stated"}
    assert mystocks.json(*change) == [stated]
    assert mystocks.json("data", "universe", "--day", "2025-01-02")[0]["symbol"] == "600999.SH"
    assert mystocks.json("data", "codes", "600000", "--from", "2025-01-03") == [stated | {"new_symbol": None}]
    assert mystocks.json("data", "universe", "--day", "2025-01-02")[0]["symbol"] == "600000.SH"
    assert "--from" in mystocks("data", "codes", "600000", "600999", code=1)
    assert "not a stock code" in mystocks("data", "codes", "6000", "600999", "--from", "2025-01-03", code=1)


def test_a_table_is_exported_once_and_replaced_only_with_force(mystocks: Commands) -> None:
    out = mystocks.folder.root / "bars.csv"
    assert f"wrote {out}: 2 rows" in mystocks("data", "export", "daily_bars", str(out))
    assert "exists already" in mystocks("data", "export", "daily_bars", str(out), code=1)
    one = ("data", "export", "daily_bars", str(out), "--start", "2025-01-03", "--symbols", "600000.SH", "--force")
    assert mystocks.json(*one) == {"table": "daily_bars", "rows": 1, "out": str(out)}
    assert out.read_text(encoding="utf-8-sig").splitlines()[1].startswith("600000.SH,2025-01-03,9.0")
    assert "is after the last one" in mystocks(*one, "--end", "2025-01-01", code=1)
    assert "has no such rows" in mystocks(*one, "--start", "2025-06-02", "--end", "2025-06-03", code=1)
    assert "no table 'bars'" in mystocks("data", "export", "bars", str(out), "--force", code=1)


def test_the_columns_of_a_table_are_explained_in_the_language_of_the_terminal(
    mystocks: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "shares (not lots); 0 when suspended" in mystocks("data", "describe", "daily_bars")
    assert "one symbol on one trading day" in mystocks("data", "describe", "daily_bars")
    monkeypatch.setenv("MYSTOCKS_LANG", "zh")
    told = mystocks("data", "describe", "daily_bars")
    assert "股（不是手）；停牌日为 0" in told
    assert "主键： symbol, date" in told
    assert "融资融券明细" in mystocks("data", "describe")
    columns = {one["column"]: one for one in mystocks.json("data", "describe", "margin")["columns"]}
    assert columns["margin_balance"]["title"] == "融资余额"
    assert columns["margin_balance"]["unit"] == "CNY"
    assert "daily_bars" in mystocks("data", "describe", "daily_bar", code=1)
