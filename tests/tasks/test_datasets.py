"""The shipped datasets, each through akshare's own code against the stand-in; and what a run of one does."""

import logging
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from standin.datasets import plans
from standin.market import Market
from standin.server import StandIn

from mystocks_dagster.datasets import registry
from mystocks_dagster.datasets.reader import read_dataset
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import BUILT_IN
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.datasets import DatasetSync, sync_dataset
from mystocks_dagster.tasks.run import TaskResult, TaskRun

MONDAY = date(2025, 4, 7)


@pytest.fixture(scope="module")
def standin() -> Iterator[StandIn]:
    with StandIn(Market.small(MONDAY)) as server:
        yield server


@pytest.fixture
def run(standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskRun:
    standin.reset(standin.market)
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T21:00:00+08:00")
    monkeypatch.setenv("MYSTOCKS_UPSTREAM", standin.address)
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    return TaskRun(
        task_id="t",
        run_id="r",
        attempt=1,
        settings=Settings.from_env(tmp_path),
        logger=logging.getLogger("test"),
        report_progress=lambda *_: None,
    )


@pytest.fixture
def lake(run: TaskRun) -> Lake:
    return run.lake()


def sync(run: TaskRun, dataset: str, **params: Any) -> TaskResult:
    return sync_dataset(DatasetSync(dataset=dataset, **params), run)


#: Dataset to its params, the number of its rows, and values of the first one by its key. They are those of the
#: stand-in in our units: lots are shares, 万 and 亿 are CNY.
PERIOD = {"periods": ["2024-12-31"]}
YEAR_END = date(2024, 12, 31)
CASES: dict[str, tuple[dict[str, Any], int, dict[str, Any]]] = {
    "block_trades": ({}, 2, {"symbol": "600519.SH", "price": 1470.0, "volume": 20000.0, "amount": 29400000.0}),
    "concept_boards": ({}, 1, {"board": "BK0596", "name": "融资融券", "change_pct": 1.2, "rising": 30, "falling": 12}),
    "concept_members": ({}, 1, {"date": MONDAY, "board": "BK0596", "symbol": "600519.SH"}),
    "disclosure_dates": (PERIOD, 1, {"first_change": date(2025, 4, 3), "published": date(2025, 4, 3)}),
    "dividends": (PERIOD, 2, {"symbol": "300750.SZ", "cash": 20.11, "bonus": 0.0, "ex_date": None}),
    "earnings_reports": (PERIOD, 2, {"symbol": "600519.SH", "revenue": 174144000000.0, "roe": 36.02, "eps": 68.64}),
    "holder_numbers": (PERIOD, 1, {"period": YEAR_END, "holders": 500000, "change_pct": -3.8462, "holders_before": 520000}),
    "index_members": ({}, 6, {"date": MONDAY, "index": "000016", "symbol": "000001.SZ"}),
    "industry_boards": ({}, 1, {"board": "BK0475", "name": "银行", "total_value": 1.5e12, "turnover": 2.5}),
    "industry_members": ({}, 2, {"date": MONDAY, "board": "BK0475", "symbol": "000001.SZ", "name": "平安银行"}),
    "limit_down": ({}, 1, {"symbol": "000001.SZ", "close": 9.0, "change_pct": -10.0, "streak": 1, "last_sealed": "145900"}),
    "limit_up": ({}, 1, {"symbol": "000001.SZ", "close": 11.0, "streak": 2, "first_sealed": "092500", "statistic": "3/2"}),
    "longhubang_institutions": ({}, 5, {"date": date(2025, 3, 31), "buyers": 3, "net_purchase": 3500000.0}),
    "longhubang_seats": ({}, 5, {"date": date(2025, 3, 31), "seat": "10000123", "net_purchase": 50000000.0}),
    "margin": (
        {"start_date": "2025-04-07"},
        3,
        {"symbol": "000001.SZ", "margin_purchase": 12345.0, "margin_balance": 5000000.0, "total_balance": 5022000.0},
    ),
    "northbound": ({}, 4, {"date": date(2024, 8, 16), "channel": "沪股通", "net_purchase": 1.234e9, "holdings": 1.2e12}),
    "share_capital": ({"symbols": ["600519.SH"]}, 1, {"date": date(2025, 1, 8), "shares": 1256197800.0, "reason": "回购"}),
    "suspensions": ({}, 5, {"date": date(2025, 3, 31), "since": MONDAY, "name": "万科A", "until": None}),
    "unlocks": ({}, 1, {"date": date(2025, 7, 16), "shares": 15000000.0, "tradable_shares": 12005000.0, "value": 9.8e8}),
    "valuation": ({}, 20, {"symbol": "000001.SZ", "pe_dynamic": 12.5, "pb": 1.8, "total_value": 2e9, "float_value": 1.5e9}),
}  # fmt: skip


def test_every_shipped_dataset_has_a_case() -> None:
    shipped = {path.stem for path in registry.SHIPPED.glob("*.yaml")}
    assert shipped == {*CASES}
    assert shipped == {dataset.name for dataset in registry.usable()}, "a shipped file has problems"


@pytest.mark.parametrize("name", CASES)
def test_a_shipped_dataset_has_the_values_of_its_source(
    name: str, run: TaskRun, lake: Lake, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    params, count, expected = CASES[name]
    _arrange(name, run, standin, monkeypatch)
    result = sync(run, name, **params)
    assert result.status == "success", result.message
    dataset = registry.find(name)
    assert read_dataset(dataset.file, BUILT_IN).name == name, "functions and arguments exist in akshare"
    rows = lake.read(name).sort(dataset.table.key)
    assert rows.height == count == result.rows[name]
    first = rows.row(0, named=True)
    assert {column: first[column] for column in expected} == expected
    assert dict(rows.schema) == dataset.table.dtypes
    assert not lake.exists("quarantine") or lake.read("quarantine").is_empty()
    assert sync(run, name, **params).status == ("success" if "periods" in params or "symbols" in params else "skipped")


def _arrange(name: str, run: TaskRun, standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepare what a dataset needs: the boards of its members, or a day that akshare takes for a recent one."""
    if name.endswith("_members") and name != "index_members":
        sync(run, name.replace("_members", "_boards"))
    if name == "margin":  # published on the next morning
        monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-08T10:00:00+08:00")
    if name == "dividends":
        standin.answers.datasets.rows["RPT_SHAREBONUS_DET"] = plans()
    if name == "limit_down":
        import akshare.stock_feature.stock_ztb_em as pools

        clock = type("Clock", (datetime,), {"now": classmethod(lambda cls: datetime(2025, 4, 8, 12))})
        monkeypatch.setattr(pools, "datetime", clock)
