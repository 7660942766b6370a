"""`mystocks screen`: a table for people, JSON for programs, and one line for what is wrong."""

import json
from datetime import date

import polars as pl
import pytest
from support.commands import Commands, commands_in
from support.project import Folder

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.market import DAILY_BARS

pytestmark = pytest.mark.slow

DAYS = [date(2026, 11, day) for day in (25, 26, 27)]


@pytest.fixture
def mystocks(folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    folder.write("tasks.yaml", "tasks: []\n")
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-27T18:00:00+08:00")
    return commands_in(folder, monkeypatch, capsys)


@pytest.fixture
def loaded(mystocks: Commands) -> None:
    prices = dict.fromkeys(("open", "high", "low", "prev_close", "amount"), 9.0)
    bar = {**prices, "volume": 1, "is_st": False, "suspended": False}
    rows = [
        {**bar, "symbol": symbol, "date": day, "close": close}
        for symbol, close in (("600000.SH", 9.0), ("000001.SZ", 8.0))
        for day in DAYS
    ]
    lake = Lake(str(mystocks.folder.root / "data"), "real")
    lake.replace_days("daily_bars", pl.DataFrame(rows, schema=DAILY_BARS.dtypes), DAYS)


@pytest.mark.usefixtures("loaded")
def test_the_day_is_written_as_people_write_it(mystocks: Commands) -> None:
    days = [mystocks.json("screen", "C>0", "--day", day)["day"] for day in ("20261126", "2026/11/26")]
    assert days == ["2026-11-26"] * 2
    assert "'26.11.2026' is not a day" in mystocks("screen", "C>0", "--day", "26.11.2026", code=2)


@pytest.mark.usefixtures("loaded")
def test_the_symbols_are_listed_with_their_values(mystocks: Commands) -> None:
    text = mystocks("screen", "C>MA(C,3)-0.5 AND C>8.5")
    assert "600000.SH" in text
    assert "000001.SZ" not in text
    assert "MA(CLOSE,3)" in text
    assert "2026-11-27: 1 of 2 symbols pass" in text


@pytest.mark.usefixtures("loaded")
def test_those_that_lack_a_value_are_counted_among_all_and_not_among_those_that_pass(mystocks: Commands) -> None:
    text = mystocks("screen", "C>0 AND (C>8.5 OR MA(C,9)>0)")
    assert "1 of 2 symbols pass; 2 of 2 lack a value; " in text
    assert "2 of 2 symbols pass (the table shows 1); " in mystocks("screen", "C>0", "--limit", "1")


@pytest.mark.usefixtures("loaded")
def test_json_has_what_rest_has(mystocks: Commands) -> None:
    result = json.loads(mystocks("screen", "C>0", "--day", "2026-11-26", "--limit", "1", "--json"))
    assert (result["day"], result["passed"], len(result["symbols"])) == ("2026-11-26", 2, 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["C>0"], "mystocks bootstrap"),
        (["C>0", "--period", "hourly"], "daily, weekly, monthly"),
        (["CROS(C,O)"], "CROSS"),
    ],
)
def test_what_is_wrong_is_one_message(mystocks: Commands, arguments: list[str], words: str) -> None:
    assert words in mystocks("screen", *arguments, code=1)
