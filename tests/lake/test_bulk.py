"""A table written anew in pieces, and one from an older version that had no files of months."""

import re
import uuid
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from mystocks_dagster.errors import ContractBroken, LakeUnavailable
from mystocks_dagster.lake.layout import world_name
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.table import Column
from mystocks_dagster.market.tables.indicators import INDICATORS_DAILY

NAME = "indicators_daily"


def rows(*days, symbol="600519.SH", ma5=1.0):
    frame = pl.DataFrame({"symbol": symbol, "date": [*days], "close_hfq": 1.0, "ma5": ma5})
    return INDICATORS_DAILY.complete(frame)


def stored(lake):
    return lake.read(NAME, columns=["symbol", "date", "ma5"]).sort("date", "symbol").rows()


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path / "lake"), "real")


def files(lake):
    return sorted(path.name for path in Path(lake.location).rglob("*.parquet"))


def test_pieces_become_the_content_in_one_commit(lake):
    lake.replace_all(NAME, rows(date(2020, 1, 2)))
    with lake.rewrite(NAME) as rewrite:
        rewrite.add(rows(date(2024, 12, 31)))
        rewrite.add(rows(date(2025, 1, 2)))
        assert [day for _, day, _ in stored(lake)] == [date(2020, 1, 2)]
        assert rewrite.commit({"seen": 3}) == 2
    assert [day for _, day, _ in stored(lake)] == [date(2024, 12, 31), date(2025, 1, 2)]
    assert DeltaTable(f"{lake.location}/{NAME}").transaction_version("seen") == 3


def test_pieces_that_are_not_committed_leave_no_file(lake):
    lake.replace_all(NAME, rows(date(2020, 1, 2)))
    before = files(lake)
    with lake.rewrite(NAME) as rewrite:
        rewrite.add(rows(date(2024, 12, 31)))
        assert len(files(lake)) > len(before)
        with pytest.raises(ContractBroken):
            rewrite.add(rows(date(2025, 1, 2)).drop("ma5"))
    assert files(lake) == before


def test_a_full_disk_is_said_with_the_folder_the_free_space_and_the_remedy(lake, monkeypatch):
    lake.replace_all(NAME, rows(date(2020, 1, 2)))
    name = uuid.uuid4()
    monkeypatch.setattr(uuid, "uuid4", lambda: name)
    full = Path(lake.location, NAME, "year=2024", f"part-{name}.zstd.parquet")
    full.parent.mkdir()
    full.symlink_to("/dev/full")  # each write fails as on a full disk
    with lake.rewrite(NAME) as rewrite, pytest.raises(LakeUnavailable) as told:
        rewrite.add(rows(date(2024, 12, 31)))
    assert f"{lake.location}/{NAME} cannot be used: the disk is full. The table is unchanged." in f"{told.value}"
    assert re.search(r"Free disk space and run again; [\d,.]+ of [\d,.]+ MB are free\.", f"{told.value}")
    assert not full.is_symlink()
    assert stored(lake) == [("600519.SH", date(2020, 1, 2), 1.0)]


def test_a_table_of_an_older_version_is_read_and_exchanged(lake):
    description = rows(date(2020, 1, 2), date(2025, 1, 2))
    name = world_name("real", INDICATORS_DAILY)
    write_deltalake(f"{lake.location}/{NAME}", description.to_arrow(compat_level=pl.CompatLevel.oldest()), name=name)
    assert stored(lake) == [("600519.SH", date(2020, 1, 2), 1.0), ("600519.SH", date(2025, 1, 2), 1.0)]
    assert lake.read(NAME, start=date(2024, 1, 1)).height == 1
    lake.upsert(NAME, rows(date(2025, 1, 2), ma5=2.0))
    lake.compact(NAME)
    assert stored(lake)[1] == ("600519.SH", date(2025, 1, 2), 2.0)
    with lake.rewrite(NAME) as rewrite:
        rewrite.add(rows(date(2025, 1, 3)))
        rewrite.commit({})
    assert stored(lake) == [("600519.SH", date(2025, 1, 3), 1.0)]
    assert DeltaTable(f"{lake.location}/{NAME}").metadata().partition_columns == ["year"]
    assert lake.stored_world() == "real"


def test_rows_are_replaced_from_a_day_on_and_of_one_symbol_from_an_earlier_one(lake):
    days = [date(2023, 6, 1), date(2024, 6, 3), date(2025, 6, 3)]
    lake.replace_all(NAME, pl.concat([rows(*days), rows(*days, symbol="000001.SZ")]))
    fresh = pl.concat([rows(days[1], days[2], ma5=2.0), rows(days[2], symbol="000001.SZ", ma5=3.0)])
    assert lake.replace_from(NAME, fresh, days[2], {"600519.SH": days[1]}) == 3
    assert {(symbol, day.year): ma5 for symbol, day, ma5 in stored(lake)} == {
        ("000001.SZ", 2023): 1.0,
        ("000001.SZ", 2024): 1.0,
        ("000001.SZ", 2025): 3.0,
        ("600519.SH", 2023): 1.0,
        ("600519.SH", 2024): 2.0,
        ("600519.SH", 2025): 2.0,
    }


def test_an_open_table_takes_columns_and_says_what_they_mean(lake):
    lake.replace_all(NAME, rows(date(2025, 1, 2)))
    lake.add_columns(NAME, [Column("cci14", pl.Float64, "CCI(14)", null=True)])
    assert lake.schema_of(NAME).columns[-1].unit == "CCI(14)"
    assert lake.read(NAME)["cci14"].to_list() == [None]
    lake.upsert(NAME, lake.schema_of(NAME).complete(rows(date(2025, 1, 3))).with_columns(cci14=5.0))
    assert lake.query(f"SELECT max(cci14) AS c FROM {NAME}")["c"].to_list() == [5.0]
    lake.add_columns(NAME, [Column("cci14", pl.Float64, "CCI(20)", null=True)])
    assert lake.schema_of(NAME).columns[-1].unit == "CCI(20)"
    with pytest.raises(ContractBroken, match="ma5 cannot be added"):
        lake.add_columns(NAME, [Column("ma5", pl.Float64, "", null=True)])
    with pytest.raises(ContractBroken, match="cannot be added"):
        lake.add_columns("daily_bars", [Column("x", pl.Float64, "", null=True)])
