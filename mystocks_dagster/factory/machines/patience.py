"""The queue's connection to the database, which waits for the end of an outage.

procrastinate's own raises an error after some seconds, and its worker then gives up the jobs that it executes.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException

#: Seconds that one try may take, and seconds between two tries.
_TRY_SECONDS = 5.0
_PAUSE_SECONDS = 1.0
#: The client finds a server without power within a minute; the system's default is two hours.
_CONNECTION = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


class PatientConnector(procrastinate.PsycopgConnector):
    """Asks the database again until it answers, and says when an outage begins and ends."""

    def __init__(self, url: str, report: Callable[[str], None]) -> None:
        """Describe the connection.

        Args:
            url: The database, as libpq takes it.
            report: Receives a line at the beginning of an outage, and one at its end.
        """
        # The pool's own pauses grow longer and longer. Each try here starts with the shortest.
        super().__init__(conninfo=url, kwargs=_CONNECTION, timeout=_TRY_SECONDS, reconnect_timeout=_TRY_SECONDS)
        self._report = report
        self._away = False
        self._patient = True
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # it would report each try

    def give_up(self) -> None:
        """Raise errors from now on: nobody waits for the end of an outage any more."""
        self._patient = False

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        """Execute a query."""
        await self._ask(lambda: super(PatientConnector, self).execute_query_async(query, **arguments))

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        """Return the row of a query."""
        return await self._ask(lambda: super(PatientConnector, self).execute_query_one_async(query, **arguments))

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        return await self._ask(lambda: super(PatientConnector, self).execute_query_all_async(query, **arguments))

    async def listen_notify(self, on_notification: Any, channels: Iterable[str]) -> None:
        """Wait for new jobs until cancelled."""
        await self._ask(lambda: super(PatientConnector, self).listen_notify(on_notification, channels))

    async def _ask(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        while True:
            try:
                answer = await ask()
            except ConnectorException as error:
                if not self._patient or not isinstance(error.__cause__, psycopg.OperationalError):
                    raise
                if not self._away:
                    self._away = True
                    self._report("The database does not answer. This machine waits until it does.")
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                if self._away:
                    self._away = False
                    self._report("The database answers again. This machine goes on.")
                return answer
