"""The pages about backtests: compared in a list, each with its curve and trades."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from fastapi.testclient import TestClient
from support.project import Folder

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import TABLES

pytestmark = pytest.mark.slow
DAYS = [date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 23)]


@pytest.fixture
def stored(project: Folder) -> None:
    lake = Lake(str(project.root / "data"), "real")
    summary = {
        "backtest_id": "ab12",
        "strategy": "ma_crossover",
        "start_date": DAYS[0],
        "end_date": DAYS[-1],
        "initial_capital": 100.0,
        "final_equity": 99.0,
        "total_return": -0.01,
        "annual_return": None,
        "max_drawdown": 0.1,
        "sharpe": None,
        "trades": 1,
        "fees": 5.0,
        "run_at": datetime(2026, 11, 23, 17, tzinfo=ZoneInfo("Asia/Shanghai")),
    }
    curve = [
        {"backtest_id": "ab12", "date": day, "cash": 0.0, "holdings": equity, "equity": equity}
        for day, equity in zip(DAYS, (100.0, 110.0, 99.0), strict=True)
    ]
    trade = {"backtest_id": "ab12", "sequence": 1, "date": DAYS[1], "symbol": "600519.SH", "side": "buy"}
    trade |= {"shares": 100, "price": 1.0, "fees": 5.0}
    for name, rows in (("backtests", [summary]), ("backtest_equity", curve), ("backtest_trades", [trade])):
        lake.replace_all(name, TABLES[name].complete(pl.DataFrame(rows, schema_overrides=_types(name, rows[0]))))


def _types(name: str, row: dict[str, object]) -> dict[str, object]:
    return {column: dtype for column, dtype in TABLES[name].dtypes.items() if column in row}


@pytest.mark.usefixtures("stored")
def test_backtests_are_listed_and_each_has_its_report(browser: TestClient) -> None:
    assert 'href="/backtests/ab12"' in browser.get("/backtests").text
    page = browser.get("/backtests/ab12").text
    assert "-1.00%" in page
    assert "10.00%" in page  # the drawdown
    assert 'href="/market/600519.SH?backtest=ab12"' in page
    assert browser.get("/backtests/nothing").status_code == 404


@pytest.mark.usefixtures("stored")
def test_the_curve_has_the_fall_from_the_highest_day_before(browser: TestClient) -> None:
    curve = browser.get("/backtests/ab12/curve.json").json()
    assert curve["dates"] == [f"{day}" for day in DAYS]
    assert curve["drawdown"] == [0.0, 0.0, -10.0]
    assert browser.get("/backtests/nothing/curve.json").status_code == 404


def test_no_backtest_yet_is_said(browser: TestClient) -> None:
    assert "还没有回测" in browser.get("/backtests").text
