"""Storage of the ledger: the key-value table of Dagster's own storage, changed by one process at a time."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from mystocks_dagster.alerts.ledger import Ledger
from mystocks_dagster.dagster_internals import DaemonCursorStorage
from mystocks_dagster.shared.named_lock import held
from mystocks_dagster.tags import Storage

_LOCK = "alerts"


@dataclass
class StoredLedger:
    """The ledger, and its text as it was last saved."""

    instance: dg.DagsterInstance
    ledger: Ledger
    _saved: str = ""

    def save(self) -> None:
        """Save the ledger if it has changed."""
        text = self.ledger.model_dump_json()
        if text != self._saved:
            _storage(self.instance).set_cursor_values({Storage.ALERTS: text})
            self._saved = text


def read(instance: dg.DagsterInstance) -> Ledger:
    """Return the ledger, read-only; an empty one if none is stored."""
    text = _storage(instance).get_cursor_values({Storage.ALERTS}).get(Storage.ALERTS)
    return Ledger.model_validate_json(text) if text else Ledger()


@contextmanager
def opened(instance: dg.DagsterInstance, home: Path, patience: float = 0) -> Generator[StoredLedger | None]:
    """Yield the ledger for changes under a lock, and save it at the end.

    Yields None if another process holds the lock for longer than `patience` seconds.
    """
    with held(home, _LOCK, patience) as alone:
        if not alone:
            yield None
            return
        ledger = read(instance)
        stored = StoredLedger(instance, ledger, ledger.model_dump_json())
        # The lock is held here, so a process that marked messages as being sent has ended.
        ledger.recover()
        yield stored
        stored.save()


def _storage(instance: dg.DagsterInstance) -> DaemonCursorStorage:
    storage = instance.daemon_cursor_storage
    if storage is None:
        raise RuntimeError("this Dagster storage has no daemon cursors")
    return storage
