"""Every symbol that is asked for is synchronised, not the first hundred, and each that fails is named."""

from typing import Any

import polars as pl
import pytest
from support.project import Folder

#: The market of the test, and more of it than the hundred at which the earlier implementation stopped.
SYMBOLS = 260
TASKS = """
    tasks:
      - task_id: sync
        task_type: data_sync
        task_module: app.tasks.data_sync
        task_function: sync_daily_stock_data
        params: {data_source: simulated, include_basic: false}
"""


@pytest.fixture
def project(folder: Folder) -> Folder:
    folder.write("tasks.yaml", TASKS)
    folder.env = {
        "MYSTOCKS_SIMULATED": f"symbols={SYMBOLS},start=2026-11-16",
        "MYSTOCKS_LAKE": str(folder.root / "lake"),
        "MYSTOCKS_NOW": "2026-11-20T17:00:00+08:00",
    }
    return folder


def days_by_symbol(project: Folder) -> dict[str, int]:
    from mystocks_dagster.lake.store import Lake

    bars = Lake(str(project.root / "lake")).read("daily_bars")
    return dict(bars.group_by("symbol").agg(pl.len()).rows())


def test_more_than_a_hundred_symbols_are_synchronised_and_one_that_fails_is_named(project: Folder) -> None:
    project.mystocks("run", "sync")
    stored = days_by_symbol(project)
    assert len(stored) > 200  # the others are not listed yet
    assert set(stored.values()) == {5}
    several = ",".join(f'"{symbol}"' for symbol in sorted(stored)[:150])
    told: Any = project.json("run", "sync", "-p", f'symbols=[{several},"688999.SH"]', "-p", "force=true", code=None)
    [execution] = told
    assert execution["status"] == "partial_success"
    assert "688999.SH" in str(execution["result"]["failed_items"])
    rows = execution["result"]["rows"]
    assert rows["daily_bars"] == 150 * 5
