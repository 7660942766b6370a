"""One machine of several: it takes runs that were handed over, and executes each in a process of its own."""

import asyncio
import contextlib
import logging
import os
import platform
import signal
import threading
from collections.abc import Callable
from typing import Any

import dagster as dg

from mystocks_dagster.dagster_internals import LaunchRunContext
from mystocks_dagster.errors import InstanceError
from mystocks_dagster.factory.launcher import ProcessRunLauncher
from mystocks_dagster.factory.machines import entry, names, queue
from mystocks_dagster.factory.machines.attendance import database_url
from mystocks_dagster.factory.machines.launcher import MachineRunLauncher
from mystocks_dagster.factory.shared_versions import fetch
from mystocks_dagster.gc_tuning import tune_server_gc
from mystocks_dagster.instance import open_instance
from mystocks_dagster.settings import Settings
from mystocks_dagster.shared import outage
from mystocks_dagster.shared.locks import Holders, Lock
from mystocks_dagster.shared.values import Values
from mystocks_dagster.tags import Tag

#: Seconds between two looks whether the process of a run has ended.
_POLL_SECONDS = 0.3
#: Seconds between two looks at the database's connection.
_INTERVAL = 5.0
#: Seconds after which the queue forgets a machine that has shown no sign of life.
_FORGET_SECONDS = 30 * 86400.0
#: Seconds in which the database notices that the process of this name has ended.
_NAME_SECONDS = 5.0
_log = logging.getLogger(__name__)
_WAITING = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.QUEUED)


def serve(settings: Settings, slots: int, name: str | None, report: Callable[[str], None]) -> int:
    """Take runs until a signal to stop; runs that were taken go on.

    Args:
        settings: The project's settings on this machine.
        slots: How many runs this machine executes at once.
        name: What the machine is called; by default its host name.
        report: Receives lines for a person.

    Returns:
        The exit code: 0 after a signal to stop, 1 if this machine must not take runs.

    Raises:
        InstanceError: dagster.yaml does not name the launcher for several machines, the name is not one line of text
            or that of another machine, or a check of `entry` failed.
        LakeUnavailable: The lake cannot be read or written.
    """
    name = platform.node() if name is None else name
    names.check_name(name)
    with open_instance(settings) as instance:
        launcher = instance.run_launcher
        if not isinstance(launcher, MachineRunLauncher):
            raise InstanceError(
                f"{settings.root / 'dagster.yaml'} names {type(launcher).__name__}, which starts runs on the "
                "machine of the daemon only. Name MachineRunLauncher under `run_launcher`; docs/machines.md says how."
            )
        url = database_url(instance)
        entry.check(settings, instance, url, name, report)
        queue.prepare(url)
        own = alone(url, name)
        lock = show(url, slots, name)
        try:
            tune_server_gc()
            report(f"{name} takes up to {slots} runs at once (stop with Ctrl-C).")
            return asyncio.run(Machine(settings, instance, name, slots, (own, lock), report).work(url))
        finally:
            lock.release()
            own.release()


def alone(url: str, name: str) -> Lock:
    """Take the lock by which a second machine of the same name is found.

    Raises:
        InstanceError: Another machine has the name, or the database does not answer.
    """
    label = f"mystocks worker {os.getpid()} on {platform.node()}"
    lock = Lock(url, names.name_lock(name), label)
    if not lock.take(_NAME_SECONDS):
        raise InstanceError(_taken(url, name))
    return lock


def _taken(url: str, name: str) -> str:
    holders = Holders(url).of([names.name_lock(name)]).get(names.name_lock(name), [])
    return (
        f"Another machine takes runs as {name} already ({', '.join(holders)}). Give this one another name: mystocks "
        "worker --name NAME. A machine that lost its power keeps its name for a minute."
    )


def show(url: str, slots: int, name: str) -> Lock:
    """Take the lock by which the others see that this machine is there, and what it is called.

    Raises:
        InstanceError: The database does not answer.
    """
    label = names.machine_label(slots, name)
    shown = label.rpartition(" ")[2]
    if names.is_hashed(shown) and shown != name:
        Values(url).set(names.key_of(shown), name)
    lock = Lock(url, names.MACHINES, label, shared=True)
    lock.take()
    return lock


class Machine:
    """This machine, while it takes runs."""

    def __init__(
        self,
        settings: Settings,
        instance: dg.DagsterInstance,
        name: str,
        slots: int,
        locks: tuple[Lock, Lock],
        report: Callable[[str], None],
    ) -> None:
        self._settings, self._instance, self._name, self._slots = settings, instance, name, slots
        (self._own, self._lock), self._report = locks, report
        self._local = ProcessRunLauncher()
        self._local.register_instance(instance)
        self._starting = threading.Lock()
        self._refusal: str | None = None

    async def work(self, url: str) -> int:
        """Take runs until a signal to stop; return the exit code."""
        app: Any = queue.receiving(url, self._report)

        @app.task(name=queue.QUEUE, pass_context=False)
        async def take(run_id: str, package: str) -> None:
            await self._take(run_id, package)

        async with app.open_async():
            self._worker = asyncio.create_task(
                app.run_worker_async(
                    queues=[queue.QUEUE],
                    concurrency=self._slots,
                    name=self._name,
                    install_signal_handlers=False,
                    shutdown_graceful_timeout=0,
                    delete_jobs="always",
                    # Another machine's start must not remove this one from the list, which it needs to take jobs.
                    stalled_worker_timeout=_FORGET_SECONDS,
                )
            )

            def stop() -> None:
                app.connector.give_up()
                self._worker.cancel()

            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, stop)
            beside = [asyncio.create_task(work) for work in (self._keep(url), self._recover(app))]
            try:
                await self._worker
            except asyncio.CancelledError:
                pass
            except Exception as error:
                if outage.explain(error) is None:  # else it was stopped during an outage
                    raise
            for task in beside:
                task.cancel()
        if self._refusal:
            self._report(self._refusal)
        return 1 if self._refusal else 0

    async def _keep(self, url: str) -> None:
        """Show after an outage of the database that this machine is there; end if another has its name by then."""
        while True:
            await asyncio.sleep(_INTERVAL)
            with contextlib.suppress(InstanceError):
                if not await asyncio.to_thread(self._own.keep):
                    self._refusal = await asyncio.to_thread(_taken, url, self._name)
                    self._worker.cancel()
                await asyncio.to_thread(self._lock.keep)

    async def _recover(self, app: Any) -> None:
        """Take care of what dead machines have left in the queue."""
        while True:
            try:
                await queue.recover(app, self._waits)
            except Exception:  # noqa: BLE001 - the database does not answer, or another machine was quicker
                _log.debug("the queue was not looked through", exc_info=True)
            await asyncio.sleep(queue.LOST_SECONDS)

    def _waits(self, run_id: str) -> bool | None:
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return None
        return run.status in _WAITING and not run.tags.get(Tag.MACHINE)

    async def _take(self, run_id: str, package: str) -> None:
        """Execute a run, unless it has ended meanwhile; wait for the end of its process."""
        if package != names.installed():
            self._refuse(run_id, package)
            return
        run = await self._started(run_id)
        while run is not None and self._local.check_run_worker_health(run).status.value == "RUNNING":
            await asyncio.sleep(_POLL_SECONDS)

    async def _started(self, run_id: str) -> Any:
        """Start a run as `_start` does, once the database answers."""
        while True:
            try:
                return await asyncio.to_thread(self._start, run_id)
            except Exception as error:
                if outage.explain(error) is None:
                    raise
            await asyncio.sleep(_INTERVAL)

    def _start(self, run_id: str) -> Any:
        """Start the process of a run and return the run with the tags of its process; None if it need not start."""
        with self._starting:
            run = self._instance.get_run_by_id(run_id)
            if run is None or run.status not in _WAITING:
                return None
            self._report(f"{run_id[:8]}: {run.job_name}")
            try:
                self._instance.add_run_tags(run_id, {Tag.MACHINE: self._name})
                fetch(self._instance, run, self._settings)
                self._local.launch_run(LaunchRunContext(dagster_run=run, workspace=None))
            except Exception as error:  # whatever it is, a person must find it at the run
                if outage.explain(error):
                    raise
                self._instance.report_run_failed(run, f"{self._name} cannot start this run: {error}")
                return None
            return self._instance.get_run_by_id(run_id)

    def _refuse(self, run_id: str, package: str) -> None:
        """End this machine's work, and fail the run, which another version of the package has queued."""
        self._refusal = entry.different(package, self._name)
        run = self._instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            self._instance.report_run_failed(run, self._refusal)
        self._worker.cancel()
