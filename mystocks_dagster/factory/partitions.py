"""Trading days as Dagster partitions."""

from datetime import date, datetime, time, timedelta
from functools import lru_cache

import dagster as dg

from mystocks_dagster.market.calendar import TradingCalendar, shanghai
from mystocks_dagster.market.clock import SHANGHAI

#: The first trading day on offer: the calendar is published much further back than any source reaches.
FIRST_DAY = date(2005, 1, 4)


def trading_days() -> dg.TimeWindowPartitionsDefinition:
    """Return the partitions of tables of daily facts by the calendar in force: one key a trading day, `YYYY-MM-DD`.

    Each window is 00:00 to 16:00 in Shanghai, so that today's key appears at 16:00 and no future day is ever
    listed; the plain daily forms lack today's key at 16:30 or list the next trading day all through Spring Festival.
    """
    return _partitions(shanghai())


@lru_cache(maxsize=1)
def _partitions(calendar: TradingCalendar) -> dg.TimeWindowPartitionsDefinition:
    closed = [datetime.combine(day, time(), SHANGHAI) for day in calendar.closures(FIRST_DAY, calendar.last)]
    return dg.TimeWindowPartitionsDefinition(
        start=FIRST_DAY.isoformat(),
        cron_schedule="0 0,16 * * *",
        fmt="%Y-%m-%d",
        timezone="Asia/Shanghai",
        end=(calendar.last + timedelta(days=1)).isoformat(),
        end_offset=0,
        exclusions=["0 16 * * *", "0 0 * * 0,6", *closed],
    )
