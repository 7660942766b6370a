"""Trading days as Dagster partitions."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path

import dagster as dg

from mystocks_dagster.errors import LakeError
from mystocks_dagster.factory.spec import TaskSpec
from mystocks_dagster.lake.loads import first_days
from mystocks_dagster.lake.location import local_path
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import TradingCalendar, shanghai
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.settings import Settings

#: First partition of an empty table: no source has earlier days of the whole market.
FIRST_DAY = date(2005, 1, 4)


def trading_days(first: date = FIRST_DAY) -> dg.TimeWindowPartitionsDefinition:
    """Return daily partitions by the calendar in force, with one key `YYYY-MM-DD` for each trading day.

    Each window is 00:00 to 16:00 in Shanghai, so today's key appears at 16:00 and a future day is never listed. The
    daily partitions of Dagster lack today's key at 16:30, or list the next trading day all through Spring Festival.
    """
    return _partitions(shanghai(), first)


def first_day(spec: TaskSpec) -> date:
    """Return the first partition of a task's tables: their first stored day.

    Days before it do not count as missing. A load of earlier days (`mystocks backfill`, or a run with a `start_date`)
    moves it.
    """
    stored = spec.file.first_days
    return min((stored[table] for table in spec.owned if table in stored), default=FIRST_DAY)


def stored_first_days(settings: Settings) -> Mapping[str, date]:
    """Return the first stored day of each table; nothing for a lake that is remote or cannot be read.

    Definitions must load in seconds, also while a remote lake does not answer.
    """
    if local_path(settings.lake) is None:
        return {}
    try:
        return first_days(Lake(settings.lake))
    except LakeError:
        return {}


class LakeWatch:
    """Compares the first stored days of a local lake with those from which partitions were built."""

    def __init__(self, settings: Settings, built_with: Mapping[str, date]) -> None:
        self._settings, self._built_with = settings, built_with
        self._modified, self._reaches_back = 0, False

    def reaches_back(self) -> bool:
        """Whether the lake has a day before the first partition; it is read only after a load."""
        path = local_path(self._settings.lake)
        try:
            modified = Path(path, "loaded_days", "_delta_log").stat().st_mtime_ns if path else 0
        except OSError:
            return False
        if modified != self._modified:
            stored = stored_first_days(self._settings)
            self._modified = modified
            self._reaches_back = any(stored.get(table, day) < day for table, day in self._built_with.items())
        return self._reaches_back


@lru_cache(maxsize=16)
def _partitions(calendar: TradingCalendar, first: date) -> dg.TimeWindowPartitionsDefinition:
    closed = [datetime.combine(day, time(), SHANGHAI) for day in calendar.closures(first, calendar.last)]
    return dg.TimeWindowPartitionsDefinition(
        start=first.isoformat(),
        cron_schedule="0 0,16 * * *",
        fmt="%Y-%m-%d",
        timezone="Asia/Shanghai",
        end=(calendar.last + timedelta(days=1)).isoformat(),
        end_offset=0,
        exclusions=["0 16 * * *", "0 0 * * 0,6", *closed],
    )
