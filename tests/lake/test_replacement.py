"""A write exchanges files in one commit, with its watermarks; rows of another writer never stay beside its own."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from deltalake.transaction import AddAction

from mystocks_dagster.errors import LakeUnavailable, WrongWorld
from mystocks_dagster.lake import data_files, replacement
from mystocks_dagster.lake.damage import commit_info
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.table import Table
from mystocks_dagster.market.tables.indicators import INDICATOR_STATE
from mystocks_dagster.market.tables.market import DAILY_BARS

DAY, NEXT = date(2024, 1, 2), date(2024, 1, 3)


def test_a_day_that_another_writer_adds_during_the_write_is_not_stored_twice(
    lake: Lake, make_bars: Callable[..., pl.DataFrame], monkeypatch: pytest.MonkeyPatch
):
    """The other commit comes between reading the log and committing: neither writer's rows may stay beside ours."""
    lake.replace_days("daily_bars", make_bars(NEXT), [NEXT])
    other = Lake(lake.location)
    commit = replacement.commit_files
    attempts = []

    def late(*arguments: object) -> None:
        attempts.append(1)
        if len(attempts) == 1:
            monkeypatch.setattr(replacement, "commit_files", commit)
            other.replace_days("daily_bars", make_bars(DAY, 3, 20.0), [DAY])
            monkeypatch.setattr(replacement, "commit_files", late)
        commit(*arguments)

    monkeypatch.setattr(replacement, "commit_files", late)
    lake.replace_span("daily_bars", make_bars(DAY, 2, 30.0), DAY, DAY)
    assert len(attempts) == 2
    assert lake.read("daily_bars", start=DAY, end=DAY)["close"].to_list() == [30.0, 30.0]
    assert lake.read("daily_bars", start=NEXT)["close"].to_list() == [10.0] * 3


def test_a_bulk_load_stores_its_watermarks_with_its_rows(lake: Lake, make_bars: Callable[..., pl.DataFrame]):
    lake.replace_span("daily_bars", make_bars(DAY), DAY, DAY, watermarks={"piece": 7})
    assert lake.log("daily_bars").transaction_version("piece") == 7


def test_a_bulk_load_of_another_world_is_refused(lake: Lake, make_bars: Callable[..., pl.DataFrame]):
    lake.replace_span("daily_bars", make_bars(DAY), DAY, DAY)
    with pytest.raises(WrongWorld):
        Lake(lake.location, "simulated:1").replace_span("daily_bars", make_bars(DAY), DAY, DAY)


def test_an_upsert_keeps_the_rows_of_other_keys_and_replaces_those_of_the_same(
    lake: Lake, make_bars: Callable[..., pl.DataFrame]
):
    lake.replace_days("daily_bars", pl.concat([make_bars(DAY), make_bars(NEXT)]), [DAY, NEXT])
    lake.upsert("daily_bars", make_bars(NEXT, ["600001.SH", "600009.SH"], 12.5))
    rows = lake.read("daily_bars", columns=["date", "symbol", "close"]).sort("date", "symbol").rows()
    assert rows == [
        *((DAY, f"60000{n}.SH", 10.0) for n in range(3)),
        (NEXT, "600000.SH", 10.0),
        (NEXT, "600001.SH", 12.5),
        (NEXT, "600002.SH", 10.0),
        (NEXT, "600009.SH", 12.5),
    ]


@pytest.mark.parametrize("rows_per_month", [1, 1_000], ids=["a file for each month", "a file for the year"])
@pytest.mark.parametrize("most", [0, 50], ids=["sorted", "put into place"])
def test_a_change_of_long_ago_replaces_the_rows_of_its_symbols_only(
    lake: Lake, make_bars: Callable[..., pl.DataFrame], monkeypatch: pytest.MonkeyPatch, rows_per_month: int, most: int
):
    monkeypatch.setattr(data_files, "ROWS_PER_MONTH", rows_per_month)
    monkeypatch.setattr(replacement, "_FEW_SYMBOLS", most)
    days = [date(2024, month, day) for month in (1, 2, 4) for day in (8, 9, 10)]
    lake.replace_days("daily_bars", pl.concat(make_bars(day) for day in days), days)
    files = len(data_files.data_files(lake.log("daily_bars"), DAILY_BARS))
    changed = [*days[4:], date(2024, 5, 8)]
    symbols = ["600001.SH", "600009.SH"]
    frame = pl.concat(make_bars(day, symbols, 12.5) for day in changed)
    lake.replace_from("daily_bars", frame, date(2024, 5, 8), dict.fromkeys(symbols, days[4]))
    old = [(day, f"60000{n}.SH", 10.0) for day in days for n in range(3) if n != 1 or day < days[4]]
    expected = sorted(old + [(day, symbol, 12.5) for day in changed for symbol in symbols])
    assert lake.read("daily_bars", columns=["date", "symbol", "close"]).sort("date", "symbol").rows() == expected
    stored = data_files.data_files(lake.log("daily_bars"), DAILY_BARS)
    assert (files, len(stored)) == ((3, 4) if rows_per_month == 1 else (1, 1))
    for file in stored:
        rows = data_files.read_file(f"{lake.location}/daily_bars", DAILY_BARS.stored, file)
        assert rows.equals(rows.sort("symbol", "date"))


def test_a_commit_says_how_many_files_it_lists_so_that_a_truncated_one_is_noticed(
    lake: Lake, make_bars: Callable[..., pl.DataFrame]
):
    lake.replace_days("daily_bars", make_bars(DAY), [DAY])
    lake.replace_days("daily_bars", make_bars(DAY), [DAY])
    metrics = commit_info(f"{lake.location}/daily_bars", 2)["operationMetrics"]
    assert metrics == {"num_added_files": 1, "num_removed_files": 1}


def state(calculation: str, content: bytes) -> pl.DataFrame:
    values = {"period": "daily", "calculation": calculation, "inputs": "[]", "until": date(2026, 7, 13), "layout": "{}"}
    return INDICATOR_STATE.typed(pl.DataFrame([values | {"symbols": 1, "codes": b"600519.SH", "content": content}]))


def test_a_state_that_another_writer_stores_during_the_write_is_kept(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, written = INDICATOR_STATE.name, []
    real = data_files.write_whole
    lake.replace_matching(name, pl.concat([state("MA", b"1"), state("RSI", b"1")]), pl.lit(value=True))

    def interrupted(uri: str, schema: Table, rows: pl.DataFrame) -> AddAction:
        added = real(uri, schema, rows)
        if not written:
            written.append(added.path)
            Lake(lake.location).replace_matching(name, state("RSI", b"2"), pl.col("calculation") == "RSI")
        return added

    monkeypatch.setattr(replacement, "write_whole", interrupted)
    lake.replace_matching(name, state("MA", b"2"), pl.col("calculation") == "MA")
    stored = Lake(lake.location).read(name).sort("calculation")
    assert stored.equals(pl.concat([state("MA", b"2"), state("RSI", b"2")]))
    assert not Path(lake.location, name, written[0]).exists()


def test_a_state_that_delta_rs_wrote_is_replaced(lake: Lake) -> None:
    name = INDICATOR_STATE.name
    lake.replace_all(name, pl.concat([state("MA", b"1"), state("RSI", b"1")]))
    lake.replace_matching(name, state("MA", b"2"), pl.col("calculation") == "MA")
    assert lake.read(name).sort("calculation").equals(pl.concat([state("MA", b"2"), state("RSI", b"1")]))
    lake.replace_rows(name, state("RSI", b"2"), "calculation = 'RSI'")
    assert lake.read(name).sort("calculation").equals(pl.concat([state("MA", b"2"), state("RSI", b"2")]))


def test_a_state_is_stored_after_its_rows_and_not_at_all_where_they_cannot_be(lake: Lake) -> None:
    name, folder = INDICATOR_STATE.name, Path(lake.location, INDICATOR_STATE.name)
    lake.replace_matching(name, state("MA", b"1"), pl.lit(value=True))
    before, files = lake.read(name), {*folder.glob("*.parquet")}

    def full() -> None:
        assert {*folder.glob("*.parquet")} > files
        assert Lake(lake.location).read(name).equals(before)
        raise LakeUnavailable("The disk is full.")

    with pytest.raises(LakeUnavailable, match="disk is full"):
        lake.replace_matching(name, state("MA", b"2"), pl.col("calculation") == "MA", before_commit=full)
    assert Lake(lake.location).read(name).equals(before)
    assert {*folder.glob("*.parquet")} == files
