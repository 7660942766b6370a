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

#: The first trading day of a table that holds nothing yet: no source reaches further back for the whole market.
FIRST_DAY = date(2005, 1, 4)


def trading_days(first: date = FIRST_DAY) -> dg.TimeWindowPartitionsDefinition:
    """Return the partitions of tables of daily facts by the calendar in force: one key a trading day, `YYYY-MM-DD`.

    Each window is 00:00 to 16:00 in Shanghai, so that today's key appears at 16:00 and no future day is ever
    listed; the plain daily forms lack today's key at 16:30 or list the next trading day all through Spring Festival.
    """
    return _partitions(shanghai(), first)


def first_day(spec: TaskSpec) -> date:
    """Return the first day of the partitions of a task's tables: the first one that the lake has of them.

    Days before it are not missing: nobody has asked for them, or no source has them. What is loaded before it (by
    `mystocks backfill`, or a run with a `start_date`) moves it.
    """
    stored = spec.file.first_days
    return min((stored[table] for table in spec.owned if table in stored), default=FIRST_DAY)


def stored_first_days(settings: Settings) -> Mapping[str, date]:
    """Return the first day of each table in the lake; nothing for a lake that cannot be read, or that is far away.

    Definitions must load in seconds, also while a lake in the cloud does not answer.
    """
    if local_path(settings.lake) is None:
        return {}
    try:
        return first_days(Lake(settings.lake))
    except LakeError:
        return {}


class LakeWatch:
    """Compares the first days of a lake on this machine with those that partitions were built with."""

    def __init__(self, settings: Settings, built_with: Mapping[str, date]) -> None:
        self._settings, self._built_with = settings, built_with
        self._seen, self._answer = 0, False

    def reaches_back(self) -> bool:
        """Say whether the lake has a day before the first partition; reads nothing while nothing is loaded."""
        path = local_path(self._settings.lake)
        try:
            changed = Path(path, "loaded_days", "_delta_log").stat().st_mtime_ns if path else 0
        except OSError:
            return False
        if changed != self._seen:
            stored = stored_first_days(self._settings)
            self._seen = changed
            self._answer = any(stored.get(table, day) < day for table, day in self._built_with.items())
        return self._answer


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
