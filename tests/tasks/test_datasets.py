"""The shipped datasets, each through akshare's own code against the stand-in; and what a run of one does."""

import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from standin.market import Market
from standin.server import StandIn

from mystocks_dagster.lake.store import Lake
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
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-08T12:00:00+08:00")
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


def test_x(run, lake):
    r = sync(run, "block_trades")
    print(r)
    print(lake.head("block_trades"))
    r = sync(run, "block_trades")
    print(r)
    r = sync(run, "margin")
    print(r)
    print(lake.head("margin"))
    print(lake.read("loaded_days"))
    if lake.exists("quarantine"):
        print(lake.read("quarantine"))
