"""Reading and writing tables."""

import os
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from deltalake import DeltaTable

from mystocks_dagster.errors import ContractBroken, TableDamaged, TableMissing, UnknownName, WrongWorld
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables.flows import LONGHUBANG
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.reference import STOCKS

DEC31, JAN2, JAN3, JAN6 = date(2024, 12, 31), date(2025, 1, 2), date(2025, 1, 3), date(2025, 1, 6)
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def filled(lake, make_bars) -> Lake:
    """Three days in two years, three symbols each, the price is the day of the month."""
    for day in (DEC31, JAN2, JAN3):
        lake.replace_days("daily_bars", make_bars(day, price=float(day.day)), [day])
    return lake


def stock(symbol: str = "600000.SH", at: datetime = datetime(2025, 1, 6, 16, tzinfo=SHANGHAI)) -> pl.DataFrame:
    row = {"symbol": symbol, "name": "浦发银行", "exchange": "SH", "board": "main", "is_st": False}
    return pl.DataFrame(
        [row | {"list_date": date(1999, 11, 10), "delist_date": None, "updated_at": at}], schema=STOCKS.dtypes
    )


def test_what_was_written_is_read_in_contract_order_and_type(filled, make_bars):
    assert filled.read("daily_bars", start=JAN2, end=JAN2).sort("symbol").equals(make_bars(JAN2, price=2.0))
    assert filled.scan("daily_bars").collect_schema() == DAILY_BARS.empty().schema


@pytest.mark.parametrize("name", TABLES)
def test_every_table_of_the_contract_can_be_stored_and_read_empty(lake, name):
    lake.replace_all(name, TABLES[name].empty())
    assert lake.read(name).equals(TABLES[name].empty())
    assert lake.head(name).equals(TABLES[name].stored.empty())


def test_replacing_a_day_leaves_the_others_alone_and_forgets_its_old_rows(filled, make_bars):
    assert filled.replace_days("daily_bars", make_bars(JAN2, ["000001.SZ"], 7.0), [JAN2]) == 1
    stored = filled.read("daily_bars").group_by("date").agg(pl.len(), pl.col("close").first()).sort("date")
    assert stored.rows() == [(DEC31, 3, 31.0), (JAN2, 1, 7.0), (JAN3, 3, 3.0)]


def test_days_across_new_year_are_replaced_together_and_a_day_without_rows_becomes_empty(filled, make_bars):
    filled.replace_days("daily_bars", make_bars(DEC31, 1), [DEC31, JAN3])
    assert filled.days("daily_bars") == [DEC31, JAN2]


def test_replacing_many_days_at_once_replaces_exactly_those(lake, make_bars):
    # More days than DataFusion expands from an IN list when it prunes files.
    days = [date(2023, month, day) for month in range(1, 13) for day in (3, 11, 22)]
    lake.replace_days("daily_bars", pl.concat([make_bars(day, price=1.0) for day in days]), days)
    lake.replace_days("daily_bars", pl.concat([make_bars(day, price=2.0) for day in days[1::2]]), days[1::2])
    prices = dict(lake.read("daily_bars").group_by("date").agg(pl.col("close").unique().implode()).rows())
    assert prices == {day: [1.0 + n % 2] for n, day in enumerate(days)}


def test_a_frame_may_not_smuggle_in_a_day_that_is_not_replaced(filled, make_bars):
    with pytest.raises(ContractBroken, match=r"daily_bars\.date: 2025-01-03 is not among the days"):
        filled.replace_days("daily_bars", make_bars(JAN3), [JAN2])


def test_upsert_updates_by_key_and_inserts_the_rest(filled, make_bars):
    frame = pl.concat([make_bars(JAN3, ["600001.SH", "000001.SZ"], 9.0), make_bars(JAN6, ["600001.SH"], 9.0)])
    assert filled.upsert("daily_bars", frame) == 3
    assert filled.read("daily_bars", start=JAN3, columns=["symbol", "date", "close"]).sort("date", "symbol").rows() == [
        ("000001.SZ", JAN3, 9.0), ("600000.SH", JAN3, 3.0), ("600001.SH", JAN3, 9.0),
        ("600002.SH", JAN3, 3.0), ("600001.SH", JAN6, 9.0),
    ]  # fmt: skip
    assert filled.read("daily_bars", end=JAN2).height == 6


def test_an_upsert_into_a_table_without_days_goes_by_key(lake):
    lake.upsert("stocks", stock())
    lake.upsert("stocks", pl.concat([stock().with_columns(name=pl.lit("改名")), stock("600001.SH")]))
    assert lake.read("stocks").sort("symbol")["name"].to_list() == ["改名", "浦发银行"]


def test_reads_filter_by_symbol_and_by_both_days_inclusive(filled):
    selected = filled.read("daily_bars", symbols=["600001.SH"], start=JAN2, end=JAN3, columns=["date", "symbol"])
    assert selected.sort("date").rows() == [
        (JAN2, "600001.SH"), (JAN3, "600001.SH"),
    ]  # fmt: skip
    assert filled.read("daily_bars", symbols=[]).is_empty()


def test_a_calendar_year_has_its_days_and_none_of_the_next_one(filled):
    def days(start: date | None, end: date | None) -> list[date]:
        return sorted(set(filled.read("daily_bars", start=start, end=end)["date"]))

    assert days(date(2024, 1, 1), DEC31) == days(None, DEC31) == [DEC31]
    assert days(date(2025, 1, 1), date(2025, 12, 31)) == days(date(2025, 1, 1), None) == [JAN2, JAN3]
    assert days(date(2025, 1, 1), JAN2) == [JAN2]
    assert days(DEC31, date(2025, 12, 31)) == [DEC31, JAN2, JAN3]


def test_a_years_files_are_not_opened_for_another_year(filled, tmp_path):
    for file in (tmp_path / "lake" / "daily_bars" / "year=2025").glob("*.parquet"):
        file.unlink()
    assert filled.read("daily_bars", end=DEC31).height == 3


def test_moments_come_back_in_shanghai_whatever_zone_they_were_given_in(lake):
    lake.replace_all("stocks", stock(at=datetime(2025, 1, 6, 8, tzinfo=UTC)))
    assert lake.read("stocks")["updated_at"][0] == datetime(2025, 1, 6, 16, tzinfo=SHANGHAI)
    assert lake.read("stocks").schema["updated_at"] == pl.Datetime("us", "Asia/Shanghai")
    assert f"{lake.read_pandas('stocks')['updated_at'][0]}" == "2025-01-06 16:00:00+08:00"
    assert f"{lake.query('SELECT updated_at FROM stocks').item()}" == "2025-01-06 16:00:00+08:00"


def test_head_gives_the_newest_rows_first(filled):
    assert filled.head("daily_bars", 4).select("date", "symbol").rows() == [
        (JAN3, "600000.SH"), (JAN3, "600001.SH"), (JAN3, "600002.SH"), (JAN2, "600000.SH"),
    ]  # fmt: skip


def test_tables_counts_rows_and_bytes_and_knows_the_last_write(filled, tmp_path):
    before = datetime.now(SHANGHAI)  # noqa: TID251 - the file system's clock is the real one
    filled.upsert("stocks", stock())
    filled.compact("stocks")
    stocks, bars = filled.tables()
    assert (stocks.table, stocks.rows, bars.table, bars.rows) == ("stocks", 1, "daily_bars", 9)
    assert abs((stocks.updated - before).total_seconds()) < 30
    on_disk = sum(file.stat().st_size for file in (tmp_path / "lake" / "daily_bars").rglob("*.parquet"))
    assert bars.bytes == on_disk


def test_compacting_keeps_the_rows_in_fewer_files_and_vacuum_deletes_the_old_ones(lake, make_bars, tmp_path):
    days = [date(2024, 1, day) for day in range(2, 12)]
    for day in days:
        lake.replace_days("daily_bars", make_bars(day), [day])
    before = lake.read("daily_bars").sort("date", "symbol")
    lake.compact()
    assert len(DeltaTable(tmp_path / "lake" / "daily_bars").file_uris()) == 1
    assert lake.vacuum(keep_hours=0) == 10
    assert lake.read("daily_bars").sort("date", "symbol").equals(before)


def test_vacuum_deletes_what_an_interrupted_write_left_but_not_what_is_being_written(filled, tmp_path):
    left, fresh = (
        tmp_path / "lake" / "daily_bars" / "year=2025" / name for name in ("part-left.parquet", "part-fresh.parquet")
    )
    for file in (left, fresh):
        file.write_bytes(b"PAR1")
    os.utime(left, (0, 0))
    assert filled.vacuum() == 1
    assert (left.exists(), fresh.exists()) == (False, True)
    assert filled.read("daily_bars").height == 9


def test_a_bad_load_can_be_undone_by_going_back_one_version(filled, make_bars, tmp_path):
    filled.replace_days("daily_bars", make_bars(JAN3, 1, 999.0), [JAN3])
    table = DeltaTable(tmp_path / "lake" / "daily_bars")
    table.restore(table.version() - 1)
    assert filled.read("daily_bars", start=JAN3)["close"].to_list() == [3.0] * 3


def test_a_missing_table_is_empty_of_days_and_says_so_when_read(lake):
    assert lake.days("daily_bars") == []
    assert not lake.exists("daily_bars")
    assert lake.tables() == []
    with pytest.raises(TableMissing, match="no table daily_bars in the lake"):
        lake.read("daily_bars")


def test_names_that_do_not_exist_are_refused_with_those_that_do(filled):
    with pytest.raises(UnknownName, match=r"no table 'bars'\. Did you mean 'etf_bars'"):
        filled.read("bars")
    with pytest.raises(UnknownName, match="daily_bars has no column 'closing'; its columns are symbol, date"):
        filled.read("daily_bars", columns=["closing"])
    with pytest.raises(UnknownName, match="stocks has no date column"):
        filled.days("stocks") if filled.upsert("stocks", stock()) else None


# ---- worlds


def test_a_simulated_write_into_a_real_table_is_refused_with_the_remedy(filled, make_bars):
    with pytest.raises(WrongWorld, match=r"holds real data, so simulated:7 data may not .*\. Set MYSTOCKS_LAKE"):
        Lake(filled.location, "simulated:7").replace_days("daily_bars", make_bars(JAN6), [JAN6])
    assert filled.days("daily_bars") == [DEC31, JAN2, JAN3]


def test_the_first_table_decides_for_tables_that_do_not_exist_yet(filled):
    with pytest.raises(WrongWorld, match="holds real data"):
        Lake(filled.location, "simulated:7").replace_all("longhubang", LONGHUBANG.empty())
    assert not filled.exists("longhubang")


def test_another_seed_is_another_world(lake, make_bars):
    Lake(lake.location, "simulated:7").replace_days("daily_bars", make_bars(JAN2), [JAN2])
    with pytest.raises(WrongWorld, match="holds simulated:7 data, so simulated:8"):
        Lake(lake.location, "simulated:8").upsert("daily_bars", make_bars(JAN2))


def test_computed_tables_take_the_world_of_the_lake(filled):
    Lake(filled.location).replace_all("signals", TABLES["signals"].empty())
    with pytest.raises(WrongWorld):
        Lake(filled.location, "simulated:7").replace_all("signals", TABLES["signals"].empty())


def test_nothing_can_be_computed_into_an_empty_lake(lake):
    with pytest.raises(WrongWorld, match="is empty"):
        Lake(lake.location).replace_all("signals", TABLES["signals"].empty())


def test_a_reader_that_has_read_before_sees_what_another_writer_commits(filled, make_bars):
    reader = Lake(filled.location)
    assert reader.days("daily_bars") == [DEC31, JAN2, JAN3]
    filled.replace_days("daily_bars", make_bars(JAN6), [JAN6])
    assert reader.days("daily_bars") == [DEC31, JAN2, JAN3, JAN6]


def test_a_frame_that_was_scanned_before_a_write_keeps_the_rows_of_its_version(filled, make_bars):
    scanned = filled.scan("daily_bars", columns=["date"])
    filled.replace_days("daily_bars", make_bars(JAN6), [JAN6])
    assert scanned.unique().collect().height == 3
    assert len(filled.days("daily_bars")) == 4


def test_a_reader_that_has_read_before_sees_that_the_table_was_deleted_and_made_again(filled, make_bars):
    reader = Lake(filled.location)
    assert reader.exists("daily_bars")
    shutil.rmtree(f"{filled.location}/daily_bars")
    assert not reader.exists("daily_bars")
    for day in (JAN2, JAN3, JAN6):
        Lake(filled.location, "real").replace_days("daily_bars", make_bars(day), [day])
    assert reader.days("daily_bars") == [JAN2, JAN3, JAN6]


def test_a_reader_that_has_read_before_notices_that_the_newest_commit_is_truncated(filled):
    assert filled.exists("daily_bars")
    newest = max(Path(filled.location, "daily_bars", "_delta_log").glob("*.json"))
    newest.write_bytes(b"")
    with pytest.raises(TableDamaged, match="daily_bars"):
        filled.days("daily_bars")


def test_after_twenty_days_whoever_opens_a_table_reads_few_commits(tmp_path, make_bars):
    lake = Lake(str(tmp_path / "我的 湖 #1?"), "real")
    days = [date(2025, 1, 1) + timedelta(n) for n in range(21)]
    for day in days:
        lake.replace_days("daily_bars", make_bars(day, 2), [day])
    log = Path(lake.location, "daily_bars", "_delta_log")
    assert [path.name for path in log.glob("*.parquet")] == [f"{20:020}.checkpoint.parquet"]
    for version in range(20):
        (log / f"{version:020}.json").unlink()
    assert Lake(lake.location).days("daily_bars") == days
