"""The lake's coverage over REST: compact for a heat map, and steady whatever days are named."""

from datetime import date

import polars as pl
import pytest
from fastapi.testclient import TestClient
from support.project import Folder

from mystocks_dagster.lake.loads import record_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.market import DAILY_BARS

DAYS = [date(2026, 11, 19), date(2026, 11, 23)]


@pytest.fixture
def loaded(desk: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-24T15:10:00+08:00")
    lake = Lake(str(desk.root / "data"), "real")
    prices = dict.fromkeys(("open", "high", "low", "close", "prev_close", "amount"), 9.0)
    bar = {"symbol": "600000.SH", **prices, "volume": 1, "is_st": False, "suspended": False}
    lake.replace_days(
        "daily_bars", pl.DataFrame([{**bar, "date": day} for day in DAYS], schema=DAILY_BARS.dtypes), DAYS
    )
    record_days(lake, "daily_bars", dict.fromkeys(DAYS, 1), source="test")


@pytest.mark.usefixtures("loaded")
def test_each_day_is_one_letter_of_its_table(client: TestClient) -> None:
    told = client.get("/api/data/gaps", params={"table": "daily_bars"}).json()
    assert told["days"] == ["2026-11-19", "2026-11-20", "2026-11-23", "2026-11-24"]
    assert told["tables"] == {"daily_bars": "cmcn"}
    assert told["letters"]["n"] == "not_published"
    assert told["counts"] == {"daily_bars": {"complete": 2, "missing": 1, "not_published": 1}}
    assert [(gap["status"], gap["first"], gap["days"]) for gap in told["gaps"]] == [
        ("missing", "2026-11-20", 1),
        ("not_published", "2026-11-24", 1),
    ]


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("window", "days"),
    [
        ({"from": "2026-11-18", "to": "2026-11-19"}, "mc"),
        ({"from": "2030-01-01"}, ""),
        ({"to": "1980-01-01"}, ""),
        ({"from": "2199-12-31"}, ""),
    ],
)
def test_a_window_may_be_anywhere(client: TestClient, window: dict[str, str], days: str) -> None:
    told = client.get("/api/data/gaps", params={"table": "daily_bars", **window})
    assert told.status_code == 200
    assert told.json()["tables"].get("daily_bars", "") == days


def test_an_unknown_table_is_404_and_a_day_that_is_none_is_422(client: TestClient) -> None:
    assert client.get("/api/data/gaps", params={"table": "bars"}).status_code == 404
    assert client.get("/api/data/gaps", params={"table": "stocks"}).status_code == 404
    assert client.get("/api/data/gaps", params={"from": "yesterday"}).status_code == 422
