"""The lake as it was at a moment: later writes do not show, and what can no longer be read is said."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from mystocks_dagster.errors import LakeError, TableDamaged, TableMissing
from mystocks_dagster.lake import damage
from mystocks_dagster.lake.prices import adjusted_bars
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS

DAY, NEXT = date(2024, 1, 2), date(2024, 1, 3)


def written(lake: Lake) -> datetime:
    """Return when the newest version of the bars was written, as its commit states it."""
    version = lake.log("daily_bars").version()
    stamp = damage.commit_info(f"{lake.location}/daily_bars", version)["timestamp"]
    return datetime.fromtimestamp(stamp / 1000, UTC)


@pytest.fixture
def before(lake: Lake, make_bars: Callable[..., pl.DataFrame]) -> datetime:
    """Store a day at a price of 10; return the moment, and then store it at 20, with another day and an event."""
    lake.replace_days("daily_bars", make_bars(DAY, 2, 10.0), [DAY])
    lake.replace_all("adjust_events", ADJUST_EVENTS.empty())
    moment = now()
    while now() - moment < timedelta(milliseconds=2):
        pass  # commits are stamped by the millisecond
    lake.replace_days("daily_bars", make_bars(DAY, 2, 20.0), [DAY])
    lake.replace_days("daily_bars", make_bars(NEXT, 2, 10.0), [NEXT])
    lake.replace_all(
        "adjust_events", pl.DataFrame([("600000.SH", NEXT, 0.5)], schema=ADJUST_EVENTS.dtypes, orient="row")
    )
    return moment


def test_what_was_written_later_does_not_show(lake: Lake, before: datetime):
    past = lake.at(before)
    assert past.read("daily_bars")["close"].to_list() == [10.0, 10.0]
    assert past.days("daily_bars") == [DAY]
    assert past.head("daily_bars", 1)["close"].to_list() == [10.0]
    assert past.query("SELECT max(close) FROM daily_bars").item() == 10.0
    assert adjusted_bars(past, "qfq")["close"].to_list() == [10.0, 10.0]
    assert {info.table: info.rows for info in past.tables()} == {"daily_bars": 2, "adjust_events": 0}
    assert lake.at(written(lake)).read("daily_bars")["close"].sort().to_list() == [10.0, 10.0, 20.0, 20.0]


def test_compaction_does_not_change_the_past(lake: Lake, before: datetime):
    lake.compact()
    assert lake.at(before).read("daily_bars")["close"].to_list() == [10.0, 10.0]


def test_a_table_that_did_not_exist_yet_is_missing(lake: Lake, before: datetime):
    past = lake.at(datetime(2020, 1, 1, tzinfo=UTC))
    assert not past.exists("daily_bars")
    with pytest.raises(TableMissing, match="daily_bars did not exist at 2020-01-01"):
        past.read("daily_bars")


def test_a_version_whose_files_are_deleted_is_refused_with_the_reason(lake: Lake, before: datetime):
    lake.vacuum(keep_hours=0)
    with pytest.raises(TableDamaged, match=r"can no longer be read: its files were replaced .* 7 days"):
        lake.at(before).read("daily_bars")
    with pytest.raises(TableDamaged, match="can no longer be read"):
        lake.at(before).query("SELECT * FROM daily_bars")
    assert lake.at(before).query("SELECT count(*) FROM adjust_events").item() == 0


def test_a_log_that_does_not_reach_back_is_said(lake: Lake, before: datetime):
    log = Path(lake.location, "daily_bars", "_delta_log")
    lake.log("daily_bars").create_checkpoint()
    for commit in sorted(log.glob("*.json"))[:-1]:
        commit.unlink()
    with pytest.raises(TableDamaged, match="no longer reaches back to"):
        lake.at(before).read("daily_bars")


def test_a_moment_without_a_time_zone_is_refused(lake: Lake):
    with pytest.raises(LakeError, match="has no time zone"):
        lake.at(datetime(2024, 1, 1))  # noqa: DTZ001


def test_the_past_cannot_be_written(lake: Lake, before: datetime):
    assert not hasattr(lake.at(before), "replace_days")
