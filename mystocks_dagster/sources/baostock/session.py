"""Calls of baostock's client: one connection for all processes, deadlines, retries, and what an error code means."""

import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from mystocks_dagster.errors import SettingsError, SourceChanged, SourceUnavailable
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.baostock import HOST, PORT, server_address
from mystocks_dagster.sources.baostock.child import CUT, FAILED
from mystocks_dagster.sources.baostock.process import ClientProcess, Unanswered
from mystocks_dagster.sources.host_notes import host_notes
from mystocks_dagster.sources.hosts import HostLimiter, Turn

#: Seconds for one call; the largest answer has some 6,000 rows.
DEADLINE = 60.0
#: Attempts of a call whose connection broke, each in a new process.
ATTEMPTS = 3
#: Seconds before the second attempt, doubled before each further one; a stand-in needs no pause.
BACKOFF, STAND_IN_BACKOFF = 2.0, 0.05

_OK = "0"
_BLACKLISTED = "10001011"
#: The server's or the client's network failed, or the session is no longer known: a new connection may help.
_BROKEN = ("10001001", "10001005", "10002", "10005", FAILED, CUT)

Meaning = Literal["broken", "banned", "changed"]


@dataclass(frozen=True)
class Answer:
    """The rows of an answer as text, with the names of their columns."""

    fields: list[str]
    rows: list[list[str]]


@dataclass
class Baostock:
    """The connection to baostock's server. `session` opens it for a moment; only one process has one at a time.

    Attributes:
        requests: Requests by host: of this object, and of all processes today.
    """

    settings: Settings
    requests: dict[str, Counter[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Prepare the process; it starts with the first call.

        Raises:
            SettingsError: `MYSTOCKS_BAOSTOCK` is not `host:port`.
        """
        self._stand_in = self.settings.source_option("baostock")
        host, port = _split(self._stand_in) if self._stand_in else (HOST, PORT)
        notes = host_notes(self.settings, f"{host}_{port}" if self._stand_in else "")
        self._limiter = HostLimiter(notes, gaps=not self._stand_in)
        self.process = ClientProcess(host, port, DEADLINE)

    @contextmanager
    def session(self) -> Generator["Session"]:
        """Log in, yield the session and log out; other processes wait meanwhile, so keep it short.

        Raises:
            SourceUnavailable: No requests are sent now; the message says until when.
        """
        if self.settings.upstream and not self._stand_in:
            raise SourceUnavailable(
                f"{HOST} is replaced by {self.settings.upstream} (MYSTOCKS_UPSTREAM), which does not speak baostock's "
                "protocol. Set MYSTOCKS_BAOSTOCK to host:port of a server that does, or use another source."
            )
        with self._limiter.turn(HOST) as turn:
            session = Session(self, turn, STAND_IN_BACKOFF if self._stand_in else BACKOFF)
            try:
                yield session
            finally:
                session.close()

    def count(self, turn: Turn) -> None:
        """Count a request."""
        counts = self.requests.setdefault(HOST, Counter())
        counts["here"] += 1
        counts["today"] = turn.requests_today


class Session:
    """A logged-in connection; it is made by the first query, and again after a broken one."""

    def __init__(self, baostock: Baostock, turn: Turn, backoff: float) -> None:
        self._baostock = baostock
        self._turn = turn
        self._backoff = backoff
        self._logged_in = False
        self._first = True

    def query(self, name: str, **arguments: str) -> Answer:
        """Call a function of the client.

        Raises:
            SourceUnavailable: The server cannot be reached, does not answer, or has banned this address.
            SourceChanged: The server or the client refuses the request, or the answer cannot be read.
        """
        fault = _Broken("")
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(self._backoff * 2 ** (attempt - 1))
            try:
                if not self._logged_in:
                    self._judged(self._call("login"))
                    self._logged_in = True
                answer = self._judged(self._call(name, **arguments))
                return Answer(answer["fields"], answer["rows"])
            except _Broken as broken:
                fault = broken
                self._drop()
        if fault.unreadable:
            raise self._error(SourceChanged, f"{fault} ({ATTEMPTS} attempts). Upgrade baostock, or report it.")
        raise self._error(SourceUnavailable, f"{fault} ({ATTEMPTS} attempts). Check the network, or try again later.")

    def close(self) -> None:
        """Log out, so that the server has no connection of us; a failure to do so closes it too."""
        if self._logged_in:
            with suppress(Unanswered):
                self._baostock.process.call("logout")
            self._logged_in = False

    def _call(self, name: str, **arguments: str) -> dict[str, Any]:
        if not self._first:
            self._turn.next_request()
        self._first = False
        self._baostock.count(self._turn)
        try:
            return self._baostock.process.call(name, **arguments)
        except Unanswered as error:
            raise _Broken(str(error)) from error

    def _judged(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return an answer with data; raise the error that any other one means."""
        code = answer["code"]
        if code == _OK:
            return answer
        details = "; ".join(filter(None, dict.fromkeys((answer["message"], answer["printed"]))))
        if code == _BLACKLISTED:
            self._drop()
            self._turn.ban(f"it answered {code} ({details}), as it does to addresses with many connections.")
            raise self._error(
                SourceUnavailable,
                f"answered {code} ({details}): this address is on its blacklist. No requests are sent to it for "
                "24 hours. Use another source meanwhile.",
            )
        if code.startswith(_BROKEN):
            raise _Broken(f"did not complete the call: {code} {details}", unreadable=code == FAILED)
        raise self._error(
            SourceChanged, f"refused the call: {code} {details}. Upgrade baostock; if that does not help, report it."
        )

    def _drop(self) -> None:
        """End the process, and with it the connection."""
        self._logged_in = False
        self._baostock.process.close()

    def _error(self, kind: Callable[[str], Exception], text: str) -> Exception:
        return kind(f"{server_address(self._baostock.settings)} {text}")


class _Broken(Exception):
    """The connection broke, the answer did not arrive, or (`unreadable`) the client could not read it."""

    def __init__(self, text: str, *, unreadable: bool = False) -> None:
        super().__init__(text)
        self.unreadable = unreadable


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise SettingsError(f"MYSTOCKS_BAOSTOCK is {address!r}; write host:port of a server, or leave it unset.")
    return host, int(port)
