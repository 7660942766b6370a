"""Tables that are written by trading day are stored in one file per month, sorted by symbol and date."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from mystocks_dagster.errors import ContractBroken, LakeUnavailable, UnknownName
from mystocks_dagster.lake import damage, data_files
from mystocks_dagster.lake.store import Lake

DAYS = [date(2023, 11, 1) + timedelta(days=n) for n in range(120)]  # November 2023 to February 2024


@pytest.fixture
def history(make_bars: Callable[..., pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([make_bars(day, 5, 10.0 + n) for n, day in enumerate(DAYS)])


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_files, "ROWS_PER_MONTH", 100)


def stored_files(lake: Lake) -> dict[str, tuple[date, date, int]]:
    """Return first day, last day and number of rows of each data file, from the log that any reader of Delta sees."""
    files = pl.DataFrame(DeltaTable(f"{lake.location}/daily_bars").get_add_actions(flatten=True))
    rows = files.select("path", "min.date", "max.date", "num_records").iter_rows()
    return {path: (first, last, count) for path, first, last, count in rows}


def months(lake: Lake) -> list[tuple[date, date, int]]:
    return sorted(stored_files(lake).values())


def parquet_files(lake: Lake) -> list[Path]:
    """Return the files on disk, whether or not the log has them."""
    return sorted(Path(lake.location, "daily_bars").rglob("*.parquet"))


MONTHS = [
    (date(2023, 11, 1), date(2023, 11, 30), 150),
    (date(2023, 12, 1), date(2023, 12, 31), 155),
    (date(2024, 1, 1), date(2024, 1, 31), 155),
    (date(2024, 2, 1), date(2024, 2, 28), 140),
]


@pytest.mark.parametrize("order", [["date", "symbol"], ["symbol", "date"], ["volume", "close", "symbol"]])
def test_a_bulk_load_stores_one_file_per_month_whatever_the_order_of_its_rows(
    lake: Lake, history: pl.DataFrame, order: list[str]
):
    given = history.sample(fraction=1, shuffle=True, seed=3).sort(order)
    assert lake.replace_span("daily_bars", given, DAYS[0], DAYS[-1]) == 600
    assert months(lake) == MONTHS
    assert lake.read("daily_bars").sort("date", "symbol").equals(history)
    for path in stored_files(lake):
        stored = pl.read_parquet(f"{lake.location}/daily_bars/{path}")
        assert stored.equals(stored.sort("symbol", "date"))


def test_a_year_with_few_rows_is_one_file(lake: Lake, history: pl.DataFrame, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(data_files, "ROWS_PER_MONTH", 10_000)
    lake.replace_span("daily_bars", history, DAYS[0], DAYS[-1])
    assert [count for _, _, count in months(lake)] == [305, 295]


def test_replacing_a_day_writes_its_month_again_and_no_other_file(
    lake: Lake, history: pl.DataFrame, make_bars: Callable[..., pl.DataFrame]
):
    lake.replace_span("daily_bars", history, DAYS[0], DAYS[-1])
    before = stored_files(lake)
    day = date(2023, 12, 6)
    lake.replace_days("daily_bars", make_bars(day, 3, 77.0), [day])
    after = stored_files(lake)
    assert [before[path][0] for path in before.keys() - after.keys()] == [date(2023, 12, 1)]
    assert [after[path] for path in after.keys() - before.keys()] == [(date(2023, 12, 1), date(2023, 12, 31), 153)]
    expected = pl.concat([history.filter(pl.col("date") != day), make_bars(day, 3, 77.0)])
    assert lake.read("daily_bars").sort("date", "symbol").equals(expected.sort("date", "symbol"))


def test_adding_a_day_writes_only_that_day(lake: Lake, history: pl.DataFrame, make_bars: Callable[..., pl.DataFrame]):
    lake.replace_span("daily_bars", history, DAYS[0], DAYS[-1])
    before = stored_files(lake)
    day = date(2024, 2, 29)
    lake.replace_days("daily_bars", make_bars(day, 5), [day])
    after = stored_files(lake)
    assert before.items() <= after.items()
    assert [after[path] for path in after.keys() - before.keys()] == [(day, day, 5)]


def test_a_bulk_load_replaces_its_span_and_leaves_the_other_days_of_the_same_month(
    lake: Lake, history: pl.DataFrame, make_bars: Callable[..., pl.DataFrame]
):
    lake.replace_span("daily_bars", history, DAYS[0], DAYS[-1])
    start, end = date(2023, 12, 20), date(2024, 1, 10)
    fresh = make_bars(date(2024, 1, 2), 2, 5.0)
    lake.replace_span("daily_bars", fresh, start, end)
    expected = pl.concat([history.filter(~pl.col("date").is_between(start, end)), fresh])
    assert lake.read("daily_bars").sort("date", "symbol").equals(expected.sort("date", "symbol"))


def test_an_empty_frame_empties_its_span(lake: Lake, history: pl.DataFrame):
    lake.replace_span("daily_bars", history, DAYS[0], DAYS[-1])
    lake.replace_span("daily_bars", history.clear(), date(2023, 1, 1), date(2023, 12, 31))
    assert lake.days("daily_bars") == [day for day in DAYS if day.year == 2024]


def test_a_bulk_load_that_breaks_the_contract_leaves_no_table_behind(lake: Lake, history: pl.DataFrame):
    twice = pl.concat([history, history.head(1)])
    with pytest.raises(ContractBroken, match=r"2 rows have a duplicate key \(symbol, date\), e.g. symbol=600000.SH"):
        lake.replace_span("daily_bars", twice, DAYS[0], DAYS[-1])
    with pytest.raises(ContractBroken, match=r"daily_bars\.date: 2024-01-01 is not between 2023-11-01 and 2023-12-31"):
        lake.replace_span("daily_bars", history, DAYS[0], date(2023, 12, 31))
    assert not lake.exists("daily_bars")


def test_a_table_that_is_not_written_by_day_has_no_span(lake: Lake):
    with pytest.raises(UnknownName, match="stocks is not written by trading day"):
        lake.replace_span("stocks", pl.DataFrame(), DAYS[0], DAYS[1])


def test_a_bulk_load_that_fails_halfway_leaves_no_files(
    lake: Lake, history: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
):
    lake.replace_span("daily_bars", history, DAYS[0], DAYS[-1])
    before = parquet_files(lake)
    write = data_files._write

    def full(uri: str, path: str, rows: pl.DataFrame) -> int:
        if rows["date"].min() >= date(2024, 1, 1):
            raise OSError(28, "No space left on device (os error 28)")
        return write(uri, path, rows)

    monkeypatch.setattr(data_files, "_write", full)
    with pytest.raises(LakeUnavailable, match="the disk is full"):
        lake.replace_span("daily_bars", history, DAYS[0], DAYS[-1])
    assert parquet_files(lake) == before
    assert lake.read("daily_bars").height == 600


def test_files_are_written_and_read_through_delta_rs_where_the_lake_is_in_an_object_store(
    lake: Lake, history: pl.DataFrame, make_bars: Callable[..., pl.DataFrame], monkeypatch: pytest.MonkeyPatch
):
    """The folder counts as an object store here: only delta-rs, which has the credentials, opens its files."""
    lake.replace_days("daily_bars", history.head(0), DAYS[:1])
    monkeypatch.setattr(data_files, "local_path", lambda uri: None)
    monkeypatch.setattr(damage, "local_path", lambda uri: None)
    lake.replace_span("daily_bars", history, DAYS[0], DAYS[-1])
    lake.replace_days("daily_bars", make_bars(DAYS[40], 5, 10.0 + 40), [DAYS[40]])
    assert months(lake) == MONTHS
    assert lake.read("daily_bars").sort("date", "symbol").equals(history)
