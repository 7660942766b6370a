"""Screens for the project's callers: one at a time, and of bounded work."""

import numbers
import threading
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from mystocks_dagster.days import read_day
from mystocks_dagster.errors import InvalidParams, NotNow, UnknownName
from mystocks_dagster.project.market_view.options import PERIODS, Period
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.taskfile.problems import shorten

if TYPE_CHECKING:  # polars takes 0.4 s to import
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
        day: date | str | None = None,
        period: Period = "daily",
        limit: int | None = None,
        parameters: Mapping[str, float] | None = None,
        seconds: float | None = None,
    ) -> "ScreenResult":
        """Return the symbols that pass a formula on a day; arguments and errors as in `screens.screen.screen`.

        Raises:
            InvalidParams: An argument is not of its kind; a day may be text, as `days.read_day` reads it.
            UnknownName: There is no such period.
            NotNow: Another screen of this process has not ended for 20 seconds.
        """
        from mystocks_dagster.lake.store import Lake
        from mystocks_dagster.screens.screen import screen

        if period not in PERIODS:
            raise UnknownName(f"There is no period {period!r}; write {', '.join(PERIODS)}.")
        _check_kinds(formula, limit, parameters)
        chosen = None if day is None or day == "" else read_day(day)
        if not _running.acquire(timeout=_PATIENCE):
            raise NotNow("Another screen is running; try again when it has ended.")
        try:
            return screen(
                Lake(self._state.settings.lake),
                formula,
                day=chosen,
                period=period,
                limit=limit,
                parameters=parameters,
                most_series=_MOST_SERIES,
                seconds=seconds,
            )
        finally:
            _running.release()


def _check_kinds(formula: Any, limit: Any, parameters: Any) -> None:
    """Refuse what Python's callers may give and no other caller can.

    Raises:
        InvalidParams: The formula is no text, the limit no number from 1, or a parameter no number.
    """
    if not isinstance(formula, str):
        raise InvalidParams(f"formula must be text, found {shorten(formula)}.")
    if limit is not None and (not _is_number(limit, numbers.Integral) or limit < 1):
        raise InvalidParams(f"limit must be a whole number, at least 1, found {shorten(limit)}.")
    if parameters is not None and not isinstance(parameters, Mapping):
        raise InvalidParams(f"parameters must be a mapping, found {shorten(parameters)}.")
    for name, value in (parameters or {}).items():
        if not isinstance(name, str) or not _is_number(value, numbers.Real):
            raise InvalidParams(f"parameter {name} must be a number, found {shorten(value)}.")


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
