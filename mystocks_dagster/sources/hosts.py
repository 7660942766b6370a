"""Rate limit and circuit breaker of each upstream host, shared by all processes.

A note per host rule (see `host_notes`) holds the time of the last request, the day's count and the circuit breaker. Its
lock is held during a request, so that a host gets one request at a time from all processes, on all machines.
"""

import json
import math
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from mystocks_dagster.errors import SourceUnavailable
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.sources.declaration import HostRule
from mystocks_dagster.sources.host_notes import FolderNotes, HostNotes
from mystocks_dagster.sources.registry import declarations


def rule_of(host: str) -> HostRule:
    """Return the rule of a host; the default is one request per second."""
    rules = (rule for source in declarations().values() for rule in source.host_rules)
    return next((rule for rule in rules if rule.covers(host)), HostRule(name=host, hosts=(host,)))


@dataclass
class _State:
    last: float = 0.0
    day: str = ""
    requests: int = 0
    closed_until: float = 0.0
    reason: str = ""


class Turn:
    """The exclusive right to send a request to a host, or one request after another over one connection."""

    def __init__(self, host: str, rule: HostRule, state: _State, *, gaps: bool) -> None:
        self.host = host
        self._rule = rule
        self._state = state
        self._gaps = gaps

    def next_request(self) -> None:
        """Wait until a further request is allowed, and count it; the lock stays held."""
        self._state.last = time.time()
        self.begin()

    def begin(self) -> None:
        """Wait for the gap after the last request, and count the one that follows."""
        if self._gaps:
            time.sleep(min(self._rule.gap, max(0.0, self._state.last + self._rule.gap - time.time())))
        today = _today()
        self._state.requests = self._state.requests + 1 if self._state.day == today else 1
        self._state.day = today

    @property
    def requests_today(self) -> int:
        """Requests sent under this rule today (Shanghai), this one included."""
        return self._state.requests

    def ban(self, reason: str) -> None:
        """Stop requests to the host for the ban time of its rule."""
        self._state.closed_until = time.time() + self._rule.ban
        self._state.reason = reason


class HostLimiter:
    """Rate limits and circuit breakers of the upstream hosts, shared by all processes."""

    def __init__(self, notes: HostNotes | Path, *, gaps: bool = True) -> None:
        """Keep the state in `notes` or a folder; without `gaps` it makes no pauses (for a stand-in)."""
        self._notes: HostNotes = FolderNotes(notes) if isinstance(notes, Path) else notes
        self.gaps = gaps

    def ban_notice(self, host: str) -> str | None:
        """Return why and until when no requests are sent to a host, or None. This sends no request."""
        state = _parse(self._notes.read(rule_of(host).name))
        return self._ban_notice(host, state) if _is_closed(state, rule_of(host)) else None

    def sent_today(self, host: str) -> int:
        """Return the number of requests that all processes sent today (Shanghai) under the host's rule."""
        state = _parse(self._notes.read(rule_of(host).name))
        return state.requests if state.day == _today() else 0

    @contextmanager
    def turn(self, host: str) -> Generator[Turn]:
        """Wait until a request to the host is allowed, and hold its lock.

        Raises:
            SourceUnavailable: No requests are sent to the host now; the message says until when.
            SettingsError: The folder is not writable.
        """
        rule = rule_of(host)
        with self._notes.held(rule.name) as note:
            state = _parse(note.read())
            if _is_closed(state, rule):
                raise SourceUnavailable(self._ban_notice(host, state))
            turn = Turn(host, rule, state, gaps=self.gaps)
            turn.begin()
            try:
                yield turn
            finally:
                state.last = time.time()
                note.write(json.dumps(asdict(state)))

    def _ban_notice(self, host: str, state: _State) -> str:
        # Rounded up to the minute, so that a request at the stated time is accepted.
        until = datetime.fromtimestamp(math.ceil(state.closed_until / 60) * 60, SHANGHAI)
        return (
            f"No requests to {host} until {until:%Y-%m-%d %H:%M} (Shanghai): {state.reason} "
            f"Wait, or use another source; to try at once, {self._notes.removal(rule_of(host).name)}."
        )


def _is_closed(state: _State, rule: HostRule) -> bool:
    """Return whether a host's ban lasts; one far in the future was noted by a clock that was wrong."""
    return 0 < state.closed_until - time.time() < 2 * rule.ban


def _today() -> str:
    return datetime.fromtimestamp(time.time(), SHANGHAI).date().isoformat()


def _parse(text: str) -> _State:
    try:
        return _State(**json.loads(text))
    except (ValueError, TypeError):
        # There is no note yet, or it was truncated by a power cut, or is of another version: at worst a ban is lost.
        return _State()
