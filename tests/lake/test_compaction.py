"""The maintenance task merges daily files into months, changes no row, and leaves what is in place as it is."""

from collections.abc import Callable
from datetime import date, timedelta

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from mystocks_dagster.lake import data_files
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import stale_since, versions, watermarks
from mystocks_dagster.market.tables.research import SIGNALS

pytestmark = pytest.mark.slow

DAYS = [date(2023, 12, 20) + timedelta(days=n) for n in range(60)]  # to 17 February


@pytest.fixture
def daily(lake: Lake, make_bars: Callable[..., pl.DataFrame], monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake that was filled day by day."""
    monkeypatch.setattr(data_files, "ROWS_PER_MONTH", 15)
    for n, day in enumerate(DAYS):
        lake.replace_days("daily_bars", make_bars(day, 2, 10.0 + n), [day])
    return lake


def files(lake: Lake) -> list[tuple[date, date, int]]:
    added = pl.DataFrame(DeltaTable(f"{lake.location}/daily_bars").get_add_actions(flatten=True))
    return sorted(added.select("min.date", "max.date", "num_records").iter_rows())


MONTHS = [
    (date(2023, 12, 20), date(2023, 12, 31), 24),
    (date(2024, 1, 1), date(2024, 1, 31), 62),
    (date(2024, 2, 1), date(2024, 2, 17), 34),
]


def test_daily_files_become_one_per_month_and_no_row_changes(daily: Lake):
    before = daily.read("daily_bars").sort("date", "symbol")
    assert len(files(daily)) == 60
    daily.compact()
    assert files(daily) == MONTHS
    assert daily.read("daily_bars").sort("date", "symbol").equals(before)


def test_every_row_still_says_its_source_and_load(daily: Lake):
    columns = ["symbol", "date", "source", "loaded_at"]
    before = daily.read("daily_bars", columns=columns).sort("date", "symbol")
    daily.compact()
    assert files(daily) == MONTHS
    assert daily.read("daily_bars", columns=columns).sort("date", "symbol").equals(before)


def test_what_is_in_place_is_not_written_again(daily: Lake, make_bars: Callable[..., pl.DataFrame]):
    daily.compact()
    version = daily.log("daily_bars").version()
    daily.compact()
    assert daily.log("daily_bars").version() == version
    paths = set(daily.log("daily_bars").file_uris())
    day = DAYS[-1] + timedelta(days=1)
    daily.replace_days("daily_bars", make_bars(day, 2), [day])
    daily.compact()
    assert files(daily) == [*MONTHS[:2], (date(2024, 2, 1), day, 36)]
    assert len(paths & set(daily.log("daily_bars").file_uris())) == 2


def test_files_of_a_whole_year_from_an_older_version_are_split_by_month(daily: Lake):
    before = daily.read("daily_bars").sort("date", "symbol")
    path = f"{daily.location}/daily_bars"
    write_deltalake(path, pl.scan_delta(path).collect(), mode="overwrite")
    assert len(files(daily)) == 2
    daily.compact()
    assert files(daily) == MONTHS
    assert daily.read("daily_bars").sort("date", "symbol").equals(before)


def test_a_year_with_few_rows_becomes_one_file(daily: Lake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(data_files, "ROWS_PER_MONTH", 1_000)
    daily.compact()
    assert [rows for _, _, rows in files(daily)] == [24, 96]


def test_nothing_counts_as_changed_after_it(daily: Lake):
    inputs = versions(daily, ["daily_bars"])
    daily.replace_all("signals", SIGNALS.empty(), watermarks=watermarks(["ma"], inputs))
    daily.compact()
    assert stale_since(daily, "signals", ["ma"], versions(daily, ["daily_bars"])) is None


def test_a_table_of_a_newer_version_keeps_the_column_that_this_version_does_not_know(daily: Lake):
    path = f"{daily.location}/daily_bars"
    rows = pl.scan_delta(path).collect().with_columns(from_2030=1.5)
    write_deltalake(path, rows, mode="overwrite", schema_mode="overwrite")
    daily.compact()
    assert pl.scan_delta(path).collect()["from_2030"].to_list() == [1.5] * 120
