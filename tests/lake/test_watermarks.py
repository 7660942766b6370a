"""Since which day an input has changed, read from transaction logs alone."""

import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from mystocks_dagster.errors import TableMissing
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import BEGINNING, stale_since, versions, watermarks
from mystocks_dagster.market.tables.indicators import INDICATORS_DAILY
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS

DAYS = [date(2024, 12, 30), date(2024, 12, 31), date(2025, 1, 2), date(2025, 1, 3)]
TABLE, WORK, INPUTS = "indicators_daily", ("MA 1",), ("adjust_events",)


def events(*days: date) -> pl.DataFrame:
    return pl.DataFrame({"symbol": "600519.SH", "date": days, "ratio": 0.5}, schema=ADJUST_EVENTS.dtypes)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Work on two days of events is done."""
    lake = Lake(str(tmp_path / "lake"), "real")
    for day in DAYS[:2]:
        lake.replace_days("adjust_events", events(day), [day])
    lake.replace_all(TABLE, INDICATORS_DAILY.empty(), watermarks=watermarks(WORK, versions(lake, INPUTS)))
    return lake


def stale(lake: Lake, *work: str) -> date | None:
    return stale_since(lake, TABLE, work or WORK, versions(lake, INPUTS))


def test_work_that_has_seen_its_inputs_is_current_and_other_work_is_not(lake: Lake) -> None:
    assert stale(lake) is None
    assert stale(lake, "MA 2") == BEGINNING
    assert stale(lake, "MA 1", "RSI 1") == BEGINNING


def test_a_new_day_is_where_work_begins(lake: Lake) -> None:
    for day in DAYS[2:]:
        lake.replace_days("adjust_events", events(day), [day])
    assert stale(lake) == DAYS[2]


def test_a_repaired_day_is_where_work_begins(lake: Lake) -> None:
    lake.replace_days("adjust_events", events(DAYS[2]), [DAYS[2]])
    lake.replace_days("adjust_events", ADJUST_EVENTS.empty(), [DAYS[1]])
    assert stale(lake) == DAYS[1]


def test_compaction_changes_nothing_and_hides_nothing(lake: Lake) -> None:
    lake.compact("adjust_events")
    assert stale(lake) is None
    lake.replace_days("adjust_events", events(DAYS[2]), [DAYS[2]])
    lake.compact("adjust_events")
    lake.vacuum("adjust_events")
    assert stale(lake) == DAYS[2]


def test_an_input_made_anew_or_a_log_that_is_gone_means_everything(lake: Lake) -> None:
    shutil.rmtree(f"{lake.location}/adjust_events")
    for day in DAYS[:2]:  # the same number of versions as before
        lake.replace_days("adjust_events", events(day), [day])
    assert stale(lake) == BEGINNING


def test_marks_without_rows_are_kept_and_are_no_write(lake: Lake) -> None:
    before = next(info for info in lake.tables() if info.table == TABLE)
    lake.replace_days("adjust_events", events(DAYS[3]), [DAYS[3]])
    lake.set_watermarks(TABLE, watermarks(WORK, versions(lake, INPUTS)))
    assert stale(lake) is None
    assert next(info for info in lake.tables() if info.table == TABLE) == before


def test_an_input_that_was_never_written_is_named(lake: Lake) -> None:
    with pytest.raises(TableMissing, match="daily_bars"):
        versions(lake, ["daily_bars"])
