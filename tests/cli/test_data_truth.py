"""`mystocks data truth`: who agrees with whom, and about what not."""

from datetime import date

import polars as pl
import pytest
from support.commands import Commands
from support.project import Folder

from mystocks_dagster.lake.comparisons import record_comparison
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.witnesses import compare

DAY = date(2025, 4, 7)


@pytest.fixture
def lake(folder: Folder) -> Lake:
    folder.write("tasks.yaml", "tasks: []\n")
    return Lake(str(folder.root / "data"), "real")


def bars(close: float) -> pl.DataFrame:
    row = {"date": DAY, "open": 10.0, "high": 11.0, "low": 9.0, "volume": 1000, "amount": 1e4, "suspended": False}
    rows = [{"symbol": f"60000{n}.SH", "close": close if n == 0 else 10.0, **row} for n in range(4)]
    return pl.DataFrame(rows, schema=DAILY_BARS.dtypes)


def test_before_any_comparison_the_command_that_makes_one_is_named(lake: Lake, cli: Commands):
    text = cli("data", "truth")
    assert "mystocks run compare_sources" in text
    assert "daily_bars" in text


def test_agreement_and_open_differences_are_shown_by_day(lake: Lake, cli: Commands):
    record_comparison(lake, "daily_bars", DAY, ("akshare", "baostock"), compare("daily_bars", bars(10.5), bars(10.0)))
    (item,) = (one for one in cli.json("data", "truth")["datasets"] if one["table"] == "daily_bars")
    assert (item["day"], item["source"], item["witness"]) == ("2025-04-07", "akshare", "baostock")
    assert (item["agreement"], item["rows"], item["differences"]) == (75.0, 4, 1)
    (difference,) = cli.json("data", "truth", "--day", "2025-04-07")["differences"]
    assert (difference["symbol"], difference["value_a"], difference["value_b"]) == ("600000.SH", "10.5", "10.0")
    assert cli.json("data", "truth", "--day", "2025-04-03")["differences"] == []
    text = cli("data", "truth")
    assert "75.00 %" in text
    assert "Open differences" in text
