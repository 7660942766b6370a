"""Checks of tables that may not answer, such as those at a URL: in a thread that nothing waits for."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from datetime import date, datetime, timedelta
from threading import Thread

from mystocks_dagster.factory.system import CheckOutcome

#: Between two evaluations: no log of a remote table tells cheaply that it was written.
INTERVAL = timedelta(minutes=15)


class BackgroundChecks:
    """Evaluates checks one after the other in a thread; the outcomes come with a later call."""

    def __init__(self, evaluate: Callable[[Mapping[str, str]], Iterator[CheckOutcome]]) -> None:
        """Remember what returns the outcomes of the check of each table."""
        self._evaluate = evaluate
        self._running: Future[list[CheckOutcome]] | None = None
        self._begun: tuple[Mapping[str, date], datetime] | None = None

    def due(self, moment: datetime, newest: Mapping[str, date], checks: Mapping[str, str]) -> Iterator[CheckOutcome]:
        """Yield the outcomes of an evaluation that has ended; begin another when a day is published, or after a while.

        Args:
            moment: The present moment.
            newest: The newest published day of each table by trading day.
            checks: The check of each table.
        """
        ended = self._running if self._running and self._running.done() else None
        if ended and ended.exception():
            self._running = None
        if ended:
            yield from ended.result()
            self._running = None  # now: what could not be stored comes again
        elif self._running is None and checks and self._is_due(moment, newest):
            self._begun = (newest, moment)
            self._running = Future()
            # A thread of an executor would be waited for at the end of the process.
            Thread(target=self._run, args=(self._running, checks), name="checks", daemon=True).start()

    def _is_due(self, moment: datetime, newest: Mapping[str, date]) -> bool:
        return self._begun is None or self._begun[0] != newest or moment - self._begun[1] >= INTERVAL

    def _run(self, future: "Future[list[CheckOutcome]]", checks: Mapping[str, str]) -> None:
        try:
            future.set_result(list(self._evaluate(checks)))
        except Exception as error:  # noqa: BLE001 - the sensor's next evaluation raises it
            future.set_exception(error)
