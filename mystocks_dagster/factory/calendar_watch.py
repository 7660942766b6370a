"""Loading the code location again when the trading calendar reaches further, or the lake further back.

Partitions are built with the definitions.
"""

import logging
import threading
import time
from collections.abc import Callable

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.market.calendar import TradingCalendar

#: A reload that failed is tried again after so many seconds.
_AGAIN_SECONDS = 60.0
_logger = logging.getLogger(__name__)


class CalendarWatch:
    """Compares the calendar in force with the one that this process's definitions were built with."""

    def __init__(self, built_with: TradingCalendar, reload: Callable[[], None] | None) -> None:
        self._built_with = built_with
        self._reload = reload
        self._not_before = 0.0

    def look(self, known: TradingCalendar, *, reaches_back: bool = False) -> None:
        """Start a reload when the calendar is another one, or the lake reaches further back than the partitions.

        This process, which is about to be replaced, does not wait for it.
        """
        if (
            self._reload is None
            or (known == self._built_with and not reaches_back)
            or time.monotonic() < self._not_before
        ):
            return
        self._not_before = time.monotonic() + _AGAIN_SECONDS
        threading.Thread(target=self._try, args=(self._reload,), daemon=True).start()

    def _try(self, reload: Callable[[], None]) -> None:
        try:
            reload()
        except MyStocksError as error:
            _logger.warning("The trading days have changed, and the servers have not loaded them yet: %s", error)
