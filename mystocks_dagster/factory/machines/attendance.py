"""The process of a run, on whatever machine: it shows that it is alive, and ends when its run was stopped or lost."""

import contextlib
import os
import signal
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.factory.machines import names
from mystocks_dagster.factory.shared_versions import fault
from mystocks_dagster.history.dagster_storage import run_storage
from mystocks_dagster.runs.stop import is_stopped
from mystocks_dagster.settings import Settings
from mystocks_dagster.shared.locks import Lock
from mystocks_dagster.shared.place import libpq
from mystocks_dagster.tags import Tag

#: Seconds between two looks of a run's process at its lock and at its stop.
_INTERVAL = 1.0


@contextlib.contextmanager
def attending(instance: Any, run_id: str, machine: str | None = None) -> Generator[None]:
    """Hold the run's lock while this process executes it, and interrupt this process when the run is stopped.

    If this machine cannot load the run's tasks, the run fails with the reason, and this process ends.

    Args:
        instance: Dagster's instance.
        run_id: The run.
        machine: What this machine is called; None if the run's tag says it already.

    Raises:
        InstanceError: Another process executes the run.
    """
    lock = Lock(database_url(instance), names.run_lock(run_id), names.run_label(run_id))
    if not lock.take():
        raise InstanceError(f"Another process executes the run {run_id} already.")
    if machine:
        instance.add_run_tags(run_id, {Tag.MACHINE: machine})
    run: Any = instance.get_run_by_id(run_id)
    if run is not None and not run.is_finished and (reason := fault(instance, run, Settings.from_env())):
        # Dagster would report the failure without its reason.
        instance.report_run_failed(run, f"{run.tags.get(Tag.MACHINE)} cannot execute this run: {reason}")
        raise SystemExit(1)
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(instance, run_id, lock, ended), daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join(_INTERVAL * 2)
        lock.release()


def database_url(instance: Any) -> str:
    """Return the address of the database that the machines share, as libpq takes it.

    Raises:
        InstanceError: The instance's storage is not Postgres.
    """
    url = getattr(run_storage(instance), "postgres_url", None)
    if url is None:
        raise InstanceError(
            f"{Path(instance.root_directory) / 'dagster.yaml'}: {type(instance.run_launcher).__name__} needs a storage "
            "that all machines share. Name Postgres under `storage`, or use ProcessRunLauncher for one machine."
        )
    return libpq(url)


def _watch(instance: Any, run_id: str, lock: Lock, ended: threading.Event) -> None:
    """Keep the lock, and interrupt this process once the run was stopped, or counts as lost."""
    while not ended.wait(_INTERVAL):
        try:
            lock.keep()
            run = instance.get_run_by_id(run_id)
            over = run is None or run.is_finished or is_stopped(instance, run_id)
        except Exception:  # noqa: BLE001 - the database does not answer; the run may go on until it does
            continue
        if over and not ended.is_set():
            os.kill(os.getpid(), signal.SIGINT)
            return
