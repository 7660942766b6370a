"""Screens over REST: guarded, bounded, and with located errors."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient
from support.project import Folder

from mystocks_dagster.errors import InvalidParams, MyStocksError, NotNow
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.manager.tasks import TaskManager
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.project import screening

pytestmark = pytest.mark.slow

DAYS = [date(2026, 11, day) for day in (23, 24, 25, 26, 27)]

#: A formula that computes 297 means and their sums.
LONG = "".join(f"S{n}:={'+'.join(f'MA(C,{n + k})' for k in range(99))};" for n in (2, 101, 200)) + "C>S2+S101+S200"


@pytest.fixture
def loaded(desk: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-27T18:00:00+08:00")
    rows = [
        {"symbol": symbol, "date": day, "open": close, "high": close, "low": close, "close": close,
         "prev_close": close - step, "volume": 100, "amount": 100 * close, "is_st": False, "suspended": False}
        for symbol, step in (("600000.SH", 1.0), ("000001.SZ", -1.0))
        for number, day in enumerate(DAYS) for close in [20.0 + step * number]
    ]  # fmt: skip
    Lake(str(desk.root / "data"), "real").replace_days("daily_bars", pl.DataFrame(rows, schema=DAILY_BARS.dtypes), DAYS)


@pytest.mark.usefixtures("loaded")
def test_the_symbols_come_with_their_values(client: TestClient) -> None:
    answer = client.post("/api/screens", json={"formula": "C>REF(C,1)"})
    assert answer.status_code == 200
    result = answer.json()
    assert (result["day"], result["passed"], result["screened"]) == ("2026-11-27", 1, 2)
    values = {"CLOSE": 24.0, "REF(CLOSE,1)": 23.0}
    assert result["symbols"] == [{"symbol": "600000.SH", "name": None, "close": 24.0, "values": values}]


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"formula": "C>RFE(C,1)"}, 422, "REF"),
        ({"formula": "C>REF(C,1)", "day": "2026-11-22"}, 422, "2026-11-22"),
        ({"formula": "C" * 30_000}, 422, "20000"),
        ({"formula": LONG}, 422, "at most 300"),
        ({"formula": "C>0", "day": 1764201600}, 422, "Write it like 2026-11-27"),
        ({"formula": f"A:MA(C,{'9' * 400})"}, 422, "too large"),
        ({"formula": "A:MA(C,N)", "parameters": {"N": 10**400}}, 422, "N"),
        ({"formula": "C>0", "limit": 0}, 422, "limit"),
        ({"formula": "C>0", "period": "hourly"}, 422, "period"),
        ({"formula": "C>0", "formulas": "C"}, 422, "formulas"),
        ({}, 422, "formula"),
    ],
)
def test_what_is_wrong_is_said(client: TestClient, body: dict[str, object], status: int, words: str) -> None:
    answer = client.post("/api/screens", json=body)
    assert answer.status_code == status
    assert words in answer.text


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"day": "2030-01-01"}, "There are no bars of 2030-01-01"),
        ({"day": 20261130}, "There are no bars of 2026-11-30"),
        ({"day": "yesterday"}, "'yesterday' is not a day. Write it like 2026-11-27"),
        ({"period": "hour"}, "There is no period 'hour'; write daily, weekly, monthly."),
        ({"formula": None}, "formula must be text, found nothing."),
        ({"formula": 5}, "formula must be text, found 5."),
        ({"limit": "3"}, "limit must be a whole number, at least 1, found '3'."),
        ({"limit": 0}, "limit must be a whole number, at least 1, found 0."),
        ({"limit": True}, "limit must be a whole number, at least 1, found true."),
        ({"formula": "C>N", "parameters": {"N": "x"}}, "parameter N must be a number, found 'x'."),
        ({"formula": "C>N", "parameters": 5}, "parameters must be a mapping, found 5."),
    ],
)
def test_a_wrong_argument_of_screen_in_python_is_one_sentence(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(MyStocksError) as caught:
        TaskManager().screen(**{"formula": "C>0", **arguments})
    assert words in str(caught.value)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("day", ["", None, "2026-11-27", "20261127", DAYS[-1]])
def test_the_day_of_a_screen_in_python_may_be_text(day: Any) -> None:
    assert TaskManager().screen("C>0", day=day).day == DAYS[-1]


def test_an_empty_lake_is_404_with_the_remedy(client: TestClient) -> None:
    answer = client.post("/api/screens", json={"formula": "C>0"})
    assert answer.status_code == 404
    assert "mystocks bootstrap" in answer.json()["message"]


def test_a_problem_of_the_formula_has_its_place(client: TestClient) -> None:
    problem = client.post("/api/screens", json={"formula": "C>0\nAND O>"}).json()["problems"][0]
    assert (problem["line"], problem["column"]) == (2, 7)


@pytest.mark.usefixtures("loaded")
def test_one_screen_runs_at_a_time(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "_PATIENCE", 0.01)
    with screening._running:
        answer = client.post("/api/screens", json={"formula": "C>0"})
    assert (answer.status_code, answer.json()["error"]) == (409, NotNow.__name__)
    assert client.post("/api/screens", json={"formula": "C>0"}).status_code == 200


@pytest.mark.usefixtures("loaded")
def test_a_screen_that_takes_too_long_is_stopped_and_says_what_it_read(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as impatient:
        impatient.setattr("mystocks_dagster.api.screens.WAITING_SECONDS", 0.0)
        bounded, whole = (client.post("/api/screens", json={"formula": text}) for text in ("C>MA(C,2)", "C>HHV(C,0)"))
    for answer in (bounded, whole):
        assert (answer.status_code, answer.json()["error"]) == (422, InvalidParams.__name__)
        assert "took longer than 0 s" in answer.json()["message"]
    assert "whole history" not in bounded.json()["message"]
    assert "whole history, on which HHV depends" in whole.json()["message"]
    assert client.post("/api/screens", json={"formula": "C>0"}).status_code == 200


@pytest.mark.usefixtures("loaded")
def test_nothing_is_stored(client: TestClient, desk: Folder) -> None:
    client.post("/api/screens", json={"formula": "C>0"})
    assert [folder.name for folder in Path(desk.root / "data").iterdir()] == ["daily_bars"]
