"""The decoded records of a 通达信 archive."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support.tdx_archive import Record, day_file, record, write_client, write_zip

from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS
from mystocks_dagster.sources.tdx.members import folder_members, zip_members
from mystocks_dagster.sources.tdx.records import Records, read_records

YEAR = (date(2024, 1, 1), date(2024, 12, 31))


def read(folder: Path, files: dict[str, list[Record]]) -> tuple[dict[str, Records], dict[str, str]]:
    members = zip_members(write_zip(folder / "hsjday.zip", {name: day_file(rows) for name, rows in files.items()}))
    tables, faults = read_records(members.members, lambda *_: None)
    return {records.table: records for records in tables}, faults


def actions(*rows: tuple[str, date, float, float]) -> pl.DataFrame:
    """Return corporate actions: symbol, ex-dividend day, cash, bonus."""
    frame = pl.DataFrame(rows, schema=["symbol", "ex_date", "cash", "bonus"], orient="row")
    stated = frame.with_columns(rights=pl.lit(0.0), rights_price=pl.lit(None, pl.Float64), source=pl.lit("tdx"))
    absent = [pl.lit(None, kind).alias(name) for name, kind in CORPORATE_ACTIONS.dtypes.items() if name not in stated]
    return stated.with_columns(absent)


def test_a_record_becomes_a_row(tmp_path: Path):
    tables, _ = read(tmp_path, {"sh600000.day": [(20240102, 1001, 1025, 998, 1010, 12345678.0, 1_220_000, 65_536)]})
    row = tables["daily_bars"].frame(*YEAR).row(0, named=True)
    assert row["symbol"] == "600000.SH"
    assert row["date"] == date(2024, 1, 2)
    assert [row[name] for name in ("open", "high", "low", "close")] == [10.01, 10.25, 9.98, 10.10]
    assert (row["amount"], row["volume"], row["suspended"]) == (12345678.0, 1_220_000, False)
    assert row["prev_close"] is None  # nothing is known before the first record


def test_the_frame_has_the_declared_columns(tmp_path: Path):
    tables, _ = read(tmp_path, {"sh600000.day": [record(20240102, 1000)]})
    assert dict(tables["daily_bars"].frame(*YEAR).schema) == DAILY_BARS.dtypes


def test_a_fund_has_three_decimals(tmp_path: Path):
    tables, _ = read(tmp_path, {"sh510300.day": [record(20240102, 3456)], "sh600000.day": [record(20240102, 3456)]})
    assert tables["etf_bars"].scale == 1000
    assert tables["daily_bars"].frame(*YEAR)["close"].to_list() == [34.56]


def test_a_volume_that_did_not_fit_is_restored(tmp_path: Path):
    # 8,912,896,078 shares: the field has 89,128,960, and the lowest byte of `reserved` the last two digits.
    rows = [record(20240102, 1000, volume=89_128_960, reserved=0xC3640000 + 78)]
    tables, _ = read(tmp_path, {"sh600000.day": rows})
    assert tables["daily_bars"].frame(*YEAR)["volume"].to_list() == [8_912_896_078]


def test_another_reserved_number_means_nothing(tmp_path: Path):
    tables, _ = read(tmp_path, {"sh600000.day": [record(20240102, 1000, volume=500, reserved=0xC3650001)]})
    assert tables["daily_bars"].frame(*YEAR)["volume"].to_list() == [500]


def test_rows_are_in_order_of_symbol_and_date(tmp_path: Path):
    days = [20240102, 20240103, 20240104]
    files = {name: [record(day, 1000) for day in days] for name in ("sz000001.day", "sh600000.day", "bj920001.day")}
    tables, _ = read(tmp_path, files)
    frame = tables["daily_bars"].frame(*YEAR)
    assert frame.select("symbol", "date").equals(frame.select("symbol", "date").sort("symbol", "date"))
    assert frame.height == 9


def test_a_year_has_its_own_rows_and_the_close_of_the_year_before(tmp_path: Path):
    tables, _ = read(
        tmp_path, {"sh600000.day": [record(20231229, 990), record(20240102, 1000), record(20250102, 1010)]}
    )
    frame = tables["daily_bars"].frame(*YEAR)
    assert frame["date"].to_list() == [date(2024, 1, 2)]
    assert frame["prev_close"].to_list() == [9.90]
    assert tables["daily_bars"].years() == [2023, 2024, 2025]


def test_an_action_gives_the_exchanges_ex_right_price(tmp_path: Path):
    # 600519 on 2024-06-19: 30.876 CNY per share in cash took the previous close from 1521.50 to 1490.62.
    rows = [record(20240618, 152150), record(20240619, 148300), record(20240620, 148000)]
    tables, _ = read(tmp_path, {"sh600519.day": rows})
    tables["daily_bars"].apply_actions(actions(("600519.SH", date(2024, 6, 19), 30.876, 0.0)))
    assert tables["daily_bars"].frame(*YEAR)["prev_close"].to_list() == [None, 1490.62, 1483.00]


def test_an_action_in_a_suspension_counts_on_the_day_of_resumption(tmp_path: Path):
    rows = [record(20240102, 1000), record(20240110, 500)]
    tables, _ = read(tmp_path, {"sh600000.day": rows})
    # Ten new shares for ten, then 1 CNY in cash: 10.00 / 2 - 1.
    steps = actions(("600000.SH", date(2024, 1, 4), 0.0, 1.0), ("600000.SH", date(2024, 1, 8), 1.0, 0.0))
    tables["daily_bars"].apply_actions(steps)
    assert tables["daily_bars"].frame(*YEAR)["prev_close"].to_list() == [None, 4.00]


@pytest.mark.parametrize("day", [date(2024, 1, 2), date(2023, 6, 1), date(2024, 1, 4)])
def test_an_action_before_the_first_or_after_the_last_record_changes_nothing(day: date, tmp_path: Path):
    files = {"sh600000.day": [record(20240102, 1000), record(20240103, 1010)], "sh600001.day": [record(20240105, 700)]}
    tables, _ = read(tmp_path, files)
    tables["daily_bars"].apply_actions(actions(("600000.SH", day, 1.0, 0.0)))
    assert tables["daily_bars"].frame(*YEAR)["prev_close"].to_list() == [None, 10.00, None]


def test_a_torn_file_is_read_up_to_its_last_whole_record_and_named(tmp_path: Path):
    content = day_file([record(20240102, 1000), record(20240103, 1010)])[:-5]
    members = folder_members(write_client(tmp_path, {"sh600000.day": content, "sz000001.day": content[:32]}))
    (records,), faults = read_records(members.members, lambda *_: None)
    assert records.frame(*YEAR).select("symbol", "close").rows() == [("000001.SZ", 10.0), ("600000.SH", 10.0)]
    assert list(faults) == ["600000.SH"]
    assert "59 bytes, is no multiple of 32" in faults["600000.SH"]


@pytest.mark.parametrize("day", [20240230, 20240102, 20231229, 0, 4_000_000_000])
def test_a_file_with_a_wrong_date_is_left_out_and_named(day: int, tmp_path: Path):
    good = [record(20240102, 1000), record(20240103, 1010)]
    tables, faults = read(tmp_path, {"sh600000.day": [good[0], record(day, 1000)], "sz000001.day": good})
    frame = tables["daily_bars"].frame(*YEAR)
    assert frame["symbol"].unique().to_list() == ["000001.SZ"]
    assert frame["prev_close"].to_list() == [None, 10.00]
    assert f"record 2 has the date {day}" in faults["600000.SH"]


def test_an_empty_file_has_no_rows(tmp_path: Path):
    tables, faults = read(tmp_path, {"sh600000.day": [], "sz000001.day": [record(20240102, 1000)], "sh601000.day": []})
    assert tables["daily_bars"].frame(*YEAR).height == 1
    assert not faults


def test_progress_ends_with_all_bytes(tmp_path: Path):
    members = folder_members(
        write_client(tmp_path, {f"sh60{n:04d}.day": day_file([record(20240102, 1)]) for n in range(200)})
    )
    steps: list[tuple[int, int]] = []
    read_records(members.members, lambda done, total, _: steps.append((done, total)))
    assert steps == sorted(steps)
    assert steps[-1] == (200 * 32, 200 * 32)


def test_prices_are_the_decimals_of_the_exchange(tmp_path: Path):
    closes = np.arange(1, 20_000, 37)
    days = pl.date_range(date(1995, 1, 1), date(2020, 1, 1), eager=True)[: len(closes)]
    rows = [
        record(day.year * 10000 + day.month * 100 + day.day, int(close))
        for day, close in zip(days, closes, strict=True)
    ]
    tables, _ = read(tmp_path, {"sh600000.day": rows})
    frame = tables["daily_bars"].frame(date(1990, 1, 1), date(2030, 1, 1))
    assert frame["close"].to_list() == [float(f"{close // 100}.{close % 100:02d}") for close in closes]
