"""How often each upstream host is asked, by all processes together, and when it is left alone.

One small file a host under `.dagster/hosts` holds the moment of the last request, the day's count and the circuit
breaker; its lock is held during a request, so that a host sees one stream however many processes run.
"""

import fcntl
import json
import math
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from mystocks_dagster.errors import SettingsError, SourceUnavailable
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.sources.declaration import HostRule
from mystocks_dagster.sources.registry import declarations


def rule_of(host: str) -> HostRule:
    """Return the rule of a host; a host without one is asked once a second."""
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
    """One request's turn at a host, which no other process has meanwhile."""

    def __init__(self, host: str, rule: HostRule, state: _State) -> None:
        self.host = host
        self._rule = rule
        self._state = state

    @property
    def requests_today(self) -> int:
        """Requests sent under this rule today (Shanghai), this one included."""
        return self._state.requests

    def ban(self, reason: str) -> None:
        """Leave the host alone from now on, for as long as its rule says."""
        self._state.closed_until = time.time() + self._rule.ban
        self._state.reason = reason


class HostBook:
    """The shared memory of all processes about the upstream hosts."""

    def __init__(self, folder: Path, *, gaps: bool = True) -> None:
        """Keep the book in `folder`; without `gaps` requests follow each other at once (for a stand-in)."""
        self.folder = folder
        self.gaps = gaps

    def closed(self, host: str) -> str | None:
        """Return why and until when a host is left alone; None when it is asked. Nothing is sent."""
        path = self.folder / f"{rule_of(host).name}.json"
        if not path.exists():
            return None
        with path.open(encoding="utf-8") as file:
            state = _read(file)
        return _closed(host, state, path) if state.closed_until > time.time() else None

    @contextmanager
    def turn(self, host: str) -> Generator[Turn]:
        """Wait for this host's turn and hold it.

        Raises:
            SourceUnavailable: The host is left alone for now; the message says until when.
            SettingsError: The folder cannot be written.
        """
        rule = rule_of(host)
        path = self.folder / f"{rule.name}.json"
        with _locked(path) as file:
            state = _read(file)
            if state.closed_until > time.time():
                raise SourceUnavailable(_closed(host, state, path))
            if self.gaps:
                time.sleep(min(rule.gap, max(0.0, state.last + rule.gap - time.time())))
            today = datetime.fromtimestamp(time.time(), SHANGHAI).date().isoformat()
            state.requests = state.requests + 1 if state.day == today else 1
            state.day = today
            try:
                yield Turn(host, rule, state)
            finally:
                state.last = time.time()
                file.seek(0)
                file.truncate()
                json.dump(asdict(state), file)


@contextmanager
def _locked(path: Path) -> Generator[IO[str]]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written ({error.strerror}); it keeps the request rate. Make its folder writable."
        ) from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _read(file: IO[str]) -> _State:
    file.seek(0)
    try:
        return _State(**json.load(file))
    except (ValueError, TypeError):
        # New, torn by a power cut, or of another version: the worst that is lost is a pause of some hours.
        return _State()


def _closed(host: str, state: _State, path: Path) -> str:
    # Rounded up to the minute, so that who comes at the named time is not sent away.
    until = datetime.fromtimestamp(math.ceil(state.closed_until / 60) * 60, SHANGHAI)
    return (
        f"{host} is left alone until {until:%Y-%m-%d %H:%M} (Shanghai): {state.reason} "
        f"Wait, or use another source; to try at once, delete {path}."
    )
