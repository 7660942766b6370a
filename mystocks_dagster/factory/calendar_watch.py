"""Reload of the code location when the trading calendar changes or the lake gets earlier days.

Partitions are built together with the definitions.
"""

import logging
import threading
import time
from collections.abc import Callable

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.market.calendar import TradingCalendar

#: Seconds after which a failed reload is tried again.
_RETRY_SECONDS = 60.0
_logger = logging.getLogger(__name__)


class CalendarWatch:
    """Compares the calendar in force with the one from which this process built its definitions."""

    def __init__(self, built_with: TradingCalendar, reload: Callable[[], None] | None) -> None:
        self._built_with = built_with
        self._reload = reload
        self._not_before = 0.0

    def check(self, known: TradingCalendar, *, reaches_back: bool = False) -> None:
        """Start a reload if the calendar has changed, or the lake has days before the first partition.

        The reload replaces this process, which does not wait for it.
        """
        changed = known != self._built_with or reaches_back
        if self._reload is None or not changed or time.monotonic() < self._not_before:
            return
        self._not_before = time.monotonic() + _RETRY_SECONDS
        threading.Thread(target=self._try, args=(self._reload,), daemon=True).start()

    def _try(self, reload: Callable[[], None]) -> None:
        try:
            reload()
        except MyStocksError as error:
            _logger.warning("The trading days have changed, but the servers could not reload them yet: %s", error)
