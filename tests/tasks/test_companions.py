"""Tables that come with daily bars are stored with them, and cost no request."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from standin.baostock import BaostockServer
from standin.market import Market

from mystocks_dagster.lake.loads import complete_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.data_sync import DailySync, sync_daily_stock_data
from mystocks_dagster.tasks.run import TaskRun

pytestmark = pytest.mark.slow

DAYS = [date(2025, 4, 1), date(2025, 4, 2), date(2025, 4, 3)]


@pytest.fixture
def server() -> Iterator[BaostockServer]:
    with BaostockServer(Market.small(date(2025, 4, 7))) as server:
        yield server


def test_a_sync_from_baostock_stores_the_ratios_of_its_days(
    server: BaostockServer, computing: TaskRun, lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("MYSTOCKS_BAOSTOCK", server.address)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    run = replace(computing, settings=Settings.from_env())
    params = DailySync(data_source="baostock", include_basic=False, start_date=DAYS[0], end_date=DAYS[-1])
    result = sync_daily_stock_data(params, run)
    assert result.status == "success", result.message
    bars, ratios = lake.read("daily_bars"), lake.read("daily_valuation")
    assert (
        ratios.select("symbol", "date")
        .sort("date", "symbol")
        .equals(bars.select("symbol", "date").sort("date", "symbol"))
    )
    assert result.rows["daily_valuation"] == ratios.height > 0
    assert list(result.days["daily_valuation"]) == DAYS
    assert list(complete_days(lake, "daily_valuation")) == DAYS
    assert ratios.filter(pl.col("ps_ttm").is_not_null()).is_empty()
    assert server.calls().count("query_daily_history_k_AStock") == 3
