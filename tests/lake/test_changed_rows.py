"""Which symbols changed between two versions of a table, and from which day on."""

from datetime import date

import polars as pl
import pytest

from mystocks_dagster.lake.changed_rows import changed_rows
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import versions
from mystocks_dagster.market.tables.indicators import INDICATORS_DAILY

NAME = "indicators_daily"
DAYS = [date(2024, 11, 29), date(2024, 12, 2), date(2025, 1, 2)]


@pytest.fixture
def lake(tmp_path):
    lake = Lake(str(tmp_path / "lake"), "real")
    lake.replace_all(NAME, rows(*((symbol, day, 1.0) for symbol in ("000001.SZ", "600519.SH") for day in DAYS)))
    return lake


def rows(*values):
    frame = pl.DataFrame(values, schema=["symbol", "date", "close_hfq"], orient="row")
    return INDICATORS_DAILY.complete(frame.with_columns(ma5=1.0))


def changes(lake, then, **others):
    (now,) = versions(lake, [NAME])
    changed = changed_rows(lake, then.number, now, ["close_hfq"], **others)
    return None if changed is None else sorted(changed.rows())


def test_changed_added_and_lost_rows_are_found_by_their_values(lake):
    (then,) = versions(lake, [NAME])
    assert changes(lake, then) == []
    lake.replace_days(NAME, rows(("000001.SZ", DAYS[1], 1.0), ("600519.SH", DAYS[1], 2.0)), [DAYS[1]])
    assert changes(lake, then) == [("600519.SH", DAYS[1])]
    lake.replace_days(NAME, rows(("600519.SH", DAYS[0], 1.0)), [DAYS[0]])
    assert changes(lake, then) == [("000001.SZ", DAYS[0]), ("600519.SH", DAYS[1])]
    new = date(2025, 1, 3)
    lake.replace_days(NAME, rows(("688001.SH", new, 1.0)), [new])
    assert ("688001.SH", new) in changes(lake, then)
    assert ("688001.SH", new) not in changes(lake, then, until=new)


def test_other_columns_and_compaction_change_nothing(lake):
    (then,) = versions(lake, [NAME])
    lake.replace_days(
        NAME, rows(("000001.SZ", DAYS[2], 1.0), ("600519.SH", DAYS[2], 1.0)).with_columns(ma5=9.0), DAYS[2:]
    )
    lake.compact(NAME)
    assert changes(lake, then) == []


def test_what_cannot_be_compared_is_not_guessed(lake):
    (then,) = versions(lake, [NAME])
    lake.replace_days(NAME, rows(("000001.SZ", DAYS[1], 1.0)), [DAYS[1]])
    assert changes(lake, then, most=1) is None
    lake.vacuum(NAME, keep_hours=0)
    assert changes(lake, then) is None
