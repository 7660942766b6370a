"""Screens for the project's callers: one at a time, and of bounded work."""

import threading
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

from mystocks_dagster.errors import NotNow
from mystocks_dagster.project.state import ProjectState

if TYPE_CHECKING:  # polars takes 0.4 s to import
    from mystocks_dagster.market.periods import Period
    from mystocks_dagster.screens.screen import ScreenResult

#: Each screen uses all cores, so that several at once are no faster and need more memory.
_running = threading.Lock()
#: Seconds for which a screen waits for another one.
_PATIENCE = 20.0
#: Most seconds of a screen that somebody waits for in a browser or over REST.
WAITING_SECONDS = 20.0
#: Most series that a formula may compute: over ten years of the market some 30 seconds.
_MOST_SERIES = 300


class Screening:
    """Screens of the project's lake."""

    def __init__(self, state: ProjectState) -> None:
        self._state = state

    def run(
        self,
        formula: str,
        *,
        day: date | None = None,
        period: "Period" = "daily",
        limit: int | None = None,
        parameters: Mapping[str, float] | None = None,
        seconds: float | None = None,
    ) -> "ScreenResult":
        """Return the symbols that pass a formula on a day; arguments and errors as in `screens.screen.screen`.

        Raises:
            NotNow: Another screen of this process has not ended for 20 seconds.
        """
        from mystocks_dagster.lake.store import Lake
        from mystocks_dagster.screens.screen import screen

        if not _running.acquire(timeout=_PATIENCE):
            raise NotNow("Another screen is running; try again when it has ended.")
        try:
            return screen(
                Lake(self._state.settings.lake),
                formula,
                day=day,
                period=period,
                limit=limit,
                parameters=parameters,
                most_series=_MOST_SERIES,
                seconds=seconds,
            )
        finally:
            _running.release()
