"""Lakes of an older and of a newer version: columns appear, migrations run, and what is not known is refused."""

import signal
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import MappingProxyType

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from mystocks_dagster.errors import WrongFormat
from mystocks_dagster.lake import formats
from mystocks_dagster.lake.formats import Migration
from mystocks_dagster.lake.loads import record_days
from mystocks_dagster.lake.migrate import migrate, plan
from mystocks_dagster.lake.restore import restore
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import stale_since, versions, watermarks
from mystocks_dagster.market import tables
from mystocks_dagster.market.table import MOMENT, Column, Table
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.system import LOADED_DAYS

JAN2, JAN3, JAN6 = date(2025, 1, 2), date(2025, 1, 3), date(2025, 1, 6)


@pytest.fixture
def filled(lake, make_bars) -> Lake:
    """A lake of today: bars of two days, and their loads."""
    for day in (JAN2, JAN3):
        lake.replace_days("daily_bars", make_bars(day), [day])
    record_days(lake, "daily_bars", {JAN2: 3, JAN3: 3}, source="test")
    return lake


@pytest.fixture
def contract(monkeypatch):
    """Change the contract as a later version of this package might."""

    def change(table: Table) -> Table:
        changed = MappingProxyType(dict(tables.TABLES) | {table.name: table})
        for module in sys.modules.copy().values():
            if getattr(module, "__name__", "").startswith("mystocks_dagster") and hasattr(module, "TABLES"):
                monkeypatch.setattr(module, "TABLES", changed)
        return table

    return change


def with_columns(table: Table, *columns: Column) -> Table:
    return replace(table, columns=(*table.columns, *columns))


LIMIT = Column("limit_up", pl.Float64, "CNY per share", null=True)
SEEN = Column("seen_at", MOMENT, "when", null=True)
NOTE = Column("note", pl.String, "remark", null=True)
NEW = (
    LIMIT,
    SEEN,
    NOTE,
    Column("lots", pl.Int64, "lots", null=True),
    Column("hot", pl.Boolean, "", null=True),
    Column("due", pl.Date, "", null=True),
)


@pytest.fixture
def wider(filled, contract):
    """The same lake, seen by a version that has more columns."""
    return contract(with_columns(DAILY_BARS, *NEW))


def bars_with(make_bars, day: date, symbols: int = 3, limit: float = 11.0) -> pl.DataFrame:
    moment = pl.lit("2025-01-06 15:00").str.to_datetime(time_unit="us", time_zone="Asia/Shanghai")
    return make_bars(day, symbols).with_columns(
        limit_up=pl.lit(limit),
        seen_at=moment,
        note=pl.lit("x"),
        lots=pl.lit(1, pl.Int64),
        hot=pl.lit(value=True),
        due=pl.lit(day),
    )


def stored_columns(lake: Lake) -> set[str]:
    return {field.name for field in DeltaTable(Path(lake.location, "daily_bars")).schema().fields}


def test_a_new_column_is_null_in_what_was_stored_before(filled, wider):
    assert filled.read("daily_bars").schema == pl.Schema(wider.dtypes)
    assert filled.read("daily_bars", columns=["note", "symbol"])["note"].null_count() == 6
    assert filled.scan("daily_bars").filter(pl.col("limit_up").is_null()).collect().height == 6
    assert filled.read_pandas("daily_bars")["limit_up"].isna().all()
    assert filled.query("SELECT count(*) - count(limit_up) AS n FROM daily_bars").item() == 6
    assert filled.query("SELECT * FROM daily_bars").columns == list(wider.stored.dtypes)
    assert (
        filled.query("SELECT typeof(seen_at) || typeof(due) || typeof(lots) AS t FROM daily_bars LIMIT 1").item()
        == "TIMESTAMP WITH TIME ZONEDATEBIGINT"
    )
    assert filled.head("daily_bars", 1)["limit_up"].item() is None
    assert "limit_up" not in stored_columns(filled)


WRITES = {
    "replace_days": lambda lake, frame: lake.replace_days("daily_bars", frame, [JAN3]),
    "upsert": lambda lake, frame: lake.upsert("daily_bars", frame),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_new_column_appears_with_the_first_write_and_keeps_its_values(filled, wider, make_bars, write):
    WRITES[write](filled, bars_with(make_bars, JAN3))
    filled.compact()
    filled.vacuum(keep_hours=0)
    limits = dict(filled.read("daily_bars").group_by("date").agg(pl.col("limit_up").unique().implode()).rows())
    assert limits == {JAN2: [None], JAN3: [11.0]}
    assert (
        filled.query("SELECT sum(limit_up) AS s, max(note) AS n, max(seen_at) AS t FROM daily_bars").rows(named=True)[
            0
        ]["s"]
        == 33.0
    )
    assert set(wider.dtypes) <= stored_columns(filled)
    assert filled.tables()[0].trouble == ""


def test_a_new_column_is_there_after_the_whole_table_was_replaced_or_only_marked(filled, contract):
    contract(with_columns(LOADED_DAYS, NOTE))
    filled.set_watermarks("loaded_days", {"x": 1})
    assert filled.read("loaded_days")["note"].null_count() == 2
    filled.replace_all("loaded_days", filled.read("loaded_days").with_columns(note=pl.lit("y")))
    assert filled.read("loaded_days")["note"].to_list() == ["y", "y"]


def test_an_added_column_makes_nothing_be_computed_again(filled, wider):
    filled.replace_all(
        "signals", TABLES["signals"].empty(), watermarks=watermarks(["ma"], versions(filled, ["daily_bars"]))
    )
    filled.set_watermarks("daily_bars", {})
    assert "limit_up" in stored_columns(filled)
    assert stale_since(filled, "signals", ["ma"], versions(filled, ["daily_bars"])) is None


def test_a_version_from_before_the_column_can_be_restored(filled, wider, make_bars):
    filled.replace_days("daily_bars", bars_with(make_bars, JAN3), [JAN3])
    restore(filled, "daily_bars", 2)
    assert filled.read("daily_bars")["limit_up"].null_count() == 6
    filled.replace_days("daily_bars", bars_with(make_bars, JAN3), [JAN3])
    assert filled.read("daily_bars")["limit_up"].null_count() == 3


# ---- lakes of a newer version


def test_a_table_with_a_column_that_is_not_known_is_refused_in_one_sentence(filled, make_bars):
    path = Path(filled.location, "daily_bars")
    write_deltalake(path, pl.DataFrame({"from_2030": [1.0]}), mode="append", schema_mode="merge")
    check_refused(filled, make_bars, "this version does not know its column from_2030")


def test_a_table_with_a_newer_format_is_refused_in_one_sentence(filled, make_bars, monkeypatch):
    monkeypatch.setattr(
        formats, "MIGRATIONS", (Migration(number=2, table="stocks", about="…", change=lambda rows: rows),)
    )
    migrate(filled)
    monkeypatch.setattr(formats, "MIGRATIONS", ())
    check_refused(filled, make_bars, "it has format 2, and this version supports formats up to 1")
    with pytest.raises(WrongFormat, match="has format 2"):
        migrate(filled)
    check_refused(Lake(Path(filled.location).as_uri(), "real"), make_bars, "it has format 2")


def check_refused(lake: Lake, make_bars, why: str) -> None:
    for use in (
        lambda: lake.read("daily_bars"), lambda: lake.days("daily_bars"),
        lambda: lake.query("SELECT * FROM daily_bars"),
        lambda: lake.replace_days("daily_bars", make_bars(JAN3), [JAN3]),
        lambda: lake.upsert("daily_bars", make_bars(JAN3)),
    ):  # fmt: skip
        with pytest.raises(WrongFormat) as raised:
            use()
        assert str(raised.value).startswith(f"The table daily_bars was written by a newer version of MyStocks ({why}")
        assert "Install that version" in str(raised.value)
    assert why in lake.tables()[0].trouble


# ---- migrations


def in_cents(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.with_columns(pl.col("close") * 100)


def with_lots(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.with_columns(lots=pl.col("volume") // 100)


CHANGES = (
    Migration(number=2, table="daily_bars", about="closes become cents", change=in_cents),
    Migration(number=3, table="daily_bars", about="volume in lots is added", change=with_lots),
)


@pytest.fixture
def later(filled, contract, monkeypatch):
    """The same lake, seen by a version with two migrations."""
    contract(with_columns(DAILY_BARS, Column("lots", pl.Int64, "lots")))
    monkeypatch.setattr(formats, "MIGRATIONS", CHANGES)
    return filled


def test_a_table_that_must_be_changed_is_not_used_before_and_the_remedy_changes_it(later):
    with pytest.raises(
        WrongFormat,
        match=r"daily_bars was written by an older .*migration \(closes become cents\)\. Run: mystocks data migrate",
    ):
        later.read("daily_bars")
    steps = []
    assert [(step.table, step.number) for step in plan(later)] == [
        ("daily_bars", 2),
        ("daily_bars", 3),
        ("loaded_days", 3),
    ]
    assert migrate(later, steps.append) == steps == [*steps]
    assert later.read("daily_bars")["close"].unique().to_list() == [1000.0]
    assert later.read("daily_bars")["lots"].unique().to_list() == [1]
    assert later.read("daily_bars", start=JAN3, end=JAN3).height == 3
    assert plan(later) == migrate(later) == []
    assert later.read("daily_bars")["close"].unique().to_list() == [1000.0]


def test_a_change_without_a_migration_is_refused_and_not_misread(filled, contract, make_bars):
    contract(with_columns(DAILY_BARS, Column("lots", pl.Int64, "lots")))
    with pytest.raises(WrongFormat, match=r"its column lots is missing\. This version has no migration"):
        filled.read("daily_bars")
    contract(
        replace(
            DAILY_BARS,
            columns=tuple(replace(c, dtype=pl.String) if c.name == "close" else c for c in DAILY_BARS.columns),
        )
    )
    with pytest.raises(WrongFormat, match="its column close has type Float64 instead of String"):
        filled.read("daily_bars")


def test_a_restored_version_from_before_a_migration_is_migrated_again(later):
    migrate(later)
    restore(later, "daily_bars", 2)
    with pytest.raises(WrongFormat, match="mystocks data migrate"):
        later.read("daily_bars")
    migrate(later)
    assert later.read("daily_bars")["close"].unique().to_list() == [1000.0]


KILLED = """
import os, signal, sys
import polars as pl
from mystocks_dagster.lake import formats
from mystocks_dagster.lake.formats import Migration
from mystocks_dagster.lake.migrate import migrate
from mystocks_dagster.lake.store import Lake

def cents(rows):
    return rows.with_columns(rows.collect()["close"] * 100)

def killed(rows):
    os.kill(os.getpid(), signal.SIGKILL)

formats.MIGRATIONS = (
    Migration(number=2, table="daily_bars", about="closes become cents", change=cents),
    Migration(number=3, table="daily_bars", about="volume in lots is added", change=killed),
)
migrate(Lake(sys.argv[1]))
"""


def test_a_killed_migration_goes_on_where_it_was(later):
    ended = subprocess.run([sys.executable, "-c", KILLED, later.location], timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert [step.number for step in plan(later)] == [3, 3]
    migrate(later)
    assert later.read("daily_bars")["close"].unique().to_list() == [1000.0]
    assert later.read("daily_bars")["lots"].unique().to_list() == [1]


def test_two_processes_may_migrate_at_once(later):
    whole = KILLED.replace("os.kill(os.getpid(), signal.SIGKILL)", "return rows.with_columns(lots=pl.lit(1, pl.Int64))")
    command = [sys.executable, "-c", whole, later.location]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [one.wait(60) for one in both] == [0, 0]
    assert later.read("daily_bars")["close"].unique().to_list() == [1000.0]
