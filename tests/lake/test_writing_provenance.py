"""The origin of each row of a table from outside: which source gave it, and when."""

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from deltalake import DeltaTable

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.table import MOMENT
from mystocks_dagster.market.tables import BUILT_IN
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.chain import open_sources

DAY = date(2025, 4, 7)
AT = datetime(2025, 4, 7, 16, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
ORIGIN = ["source", "loaded_at"]


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pl.DataFrame:
    """Bars as a task gets them from a source."""
    monkeypatch.setenv("MYSTOCKS_NOW", AT.isoformat())
    monkeypatch.setenv("MYSTOCKS_SIMULATED", "seed=7,symbols=5,start=2025-03-03")
    return pl.concat(list(open_sources("simulated", Settings.from_env(tmp_path)).daily_bars([DAY])))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"), "simulated:7")


def test_every_table_from_outside_has_both_columns_and_no_other_table_gets_them() -> None:
    for table in BUILT_IN.values():
        if table.origin == "computed":
            assert table.stored is table
        else:
            assert set(ORIGIN) <= table.stored.dtypes.keys(), table.name
            assert list(table.stored.dtypes)[: len(table.dtypes)] == list(table.dtypes)


def test_a_row_says_its_source_and_its_load(bars: pl.DataFrame, lake: Lake) -> None:
    lake.replace_days("daily_bars", bars, [DAY])
    origins = lake.read("daily_bars", columns=["symbol", *ORIGIN])
    assert origins.height == bars.height
    assert origins.select(ORIGIN).unique().row(0) == ("simulated", AT)
    assert lake.query("SELECT DISTINCT source FROM daily_bars").item() == "simulated"
    assert lake.head("daily_bars", 1).select(ORIGIN).row(0) == ("simulated", AT)


def test_readers_get_the_declared_columns_unless_they_name_others(bars: pl.DataFrame, lake: Lake) -> None:
    lake.replace_days("daily_bars", bars, [DAY])
    assert lake.read("daily_bars").columns == list(DAILY_BARS.dtypes)
    assert lake.scan("daily_bars").collect_schema().names() == list(DAILY_BARS.dtypes)


def test_rows_without_an_origin_are_stored_with_none(bars: pl.DataFrame, lake: Lake) -> None:
    lake.replace_days("daily_bars", bars.drop(ORIGIN), [DAY])
    assert lake.read("daily_bars", columns=ORIGIN).null_count().row(0) == (bars.height, bars.height)


def test_an_older_table_gets_the_columns_with_its_next_write(
    bars: pl.DataFrame, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr("mystocks_dagster.market.table.PROVENANCE", ())
        DAILY_BARS.__dict__.pop("stored", None)
        lake.replace_days("daily_bars", bars.drop(ORIGIN), [DAY])
    DAILY_BARS.__dict__.pop("stored", None)
    stored = DeltaTable(f"{lake.location}/daily_bars").schema()
    assert not {field.name for field in stored.fields} & set(ORIGIN)
    assert lake.read("daily_bars", columns=ORIGIN).null_count().row(0) == (bars.height, bars.height)
    before = date(2025, 4, 3)
    lake.replace_days("daily_bars", bars.with_columns(date=pl.lit(before)), [before])
    origins = lake.read("daily_bars", columns=["date", *ORIGIN]).unique().sort("date")
    assert origins.rows() == [(before, "simulated", AT), (DAY, None, None)]
    assert origins.schema["loaded_at"] == MOMENT


def test_a_merged_row_has_its_own_origin(bars: pl.DataFrame, lake: Lake) -> None:
    lake.replace_days("daily_bars", bars, [DAY])
    lake.upsert("daily_bars", bars.head(1).with_columns(source=pl.lit("recorded")))
    assert sorted(lake.read("daily_bars", columns=["source"])["source"].value_counts().rows()) == [
        ("recorded", 1),
        ("simulated", bars.height - 1),
    ]


def test_a_table_with_a_source_of_its_own_keeps_it() -> None:
    actions = BUILT_IN["corporate_actions"]
    assert list(actions.stored.dtypes).count("source") == 1
    frame = actions.stamped(actions.empty(), "akshare", AT)
    assert frame.columns == list(actions.stored.dtypes)
