"""The ledger where it is kept: in the key-value table of Dagster's own storage, changed by one process at a time."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from mystocks_dagster.alerts.ledger import Ledger
from mystocks_dagster.dagster_internals import DaemonCursorStorage
from mystocks_dagster.tags import Storage
from mystocks_dagster.taskfile.atomic_files import take_lock

_LOCK = "alerts.lock"


@dataclass
class LedgerFile:
    """The ledger, and how it is kept."""

    instance: dg.DagsterInstance
    ledger: Ledger
    _kept: str = ""

    def save(self) -> None:
        """Keep the ledger as it is now; writes nothing when nothing has changed."""
        text = self.ledger.model_dump_json()
        if text != self._kept:
            _storage(self.instance).set_cursor_values({Storage.ALERTS: text})
            self._kept = text


def read(instance: dg.DagsterInstance) -> Ledger:
    """Return the ledger, for looking at; an empty one before anything was kept."""
    kept = _storage(instance).get_cursor_values({Storage.ALERTS}).get(Storage.ALERTS)
    return Ledger.model_validate_json(kept) if kept else Ledger()


@contextmanager
def opened(instance: dg.DagsterInstance, home: Path, patience: float = 0) -> Generator[LedgerFile | None]:
    """Yield the book for changing, and save it at the end.

    None when another process has it for longer than `patience` seconds.
    """
    descriptor = os.open(home / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if not take_lock(descriptor, patience):
            yield None
            return
        ledger = read(instance)
        book = LedgerFile(instance, ledger, ledger.model_dump_json())
        # Whoever sent and did not finish is dead: the lock is ours.
        ledger.recover()
        yield book
        book.save()
    finally:
        os.close(descriptor)


def _storage(instance: dg.DagsterInstance) -> DaemonCursorStorage:
    storage = instance.daemon_cursor_storage
    if storage is None:
        raise RuntimeError("this Dagster storage keeps no cursors")
    return storage
