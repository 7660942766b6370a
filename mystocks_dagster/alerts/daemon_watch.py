"""A thread outside the daemon that watches its heartbeat, since a stopped daemon cannot report itself."""

import logging
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime

import dagster as dg

from mystocks_dagster.alerts import delivery, ledger_store, texts
from mystocks_dagster.alerts.context import AlertContext
from mystocks_dagster.alerts.engine import AlertEngine
from mystocks_dagster.alerts.rules.task_file import FileWatch, report
from mystocks_dagster.instance import open_instance
from mystocks_dagster.market.clock import SHANGHAI, now
from mystocks_dagster.scheduling.downtime import SILENCE
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.last_good import load_without_functions
from mystocks_dagster.taskfile.problems import TaskFileError

INCIDENT = "daemon"
_INTERVAL = 15.0
#: Seconds for which the last message may delay the end of this process, after the servers have ended by themselves.
_LAST_MESSAGE = 30.0
_log = logging.getLogger("mystocks.alerts")


class DaemonWatch:
    """Reports a stopped daemon, and a task file that the daemon cannot load.

    Nothing is sent, and apprise is not imported, while the task file has no addresses.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine: AlertEngine | None = None
        self._file: FileWatch | None = None
        self._instance: dg.DagsterInstance | None = None
        # The daemon gets the usual time to start before an old heartbeat counts.
        self._since = now()

    def check(self, stopped: str | None = None) -> None:
        """Check once, and send what the daemon cannot; an error is logged and not raised.

        Args:
            stopped: Why the daemon ended, if the caller knows it.
        """
        try:
            self._refresh()
            if self._engine is not None and self._engine.channels:
                self._instance = self._instance or open_instance(self._settings)
                self._check(self._engine, self._instance, stopped)
        except Exception:  # noqa: BLE001 - the servers must not end because a check failed
            _log.exception("the daemon's heartbeat could not be checked; the next check follows")

    def close(self) -> None:
        """Close Dagster's storage."""
        if self._instance is not None:
            self._instance.dispose()

    def _check(self, engine: AlertEngine, instance: dg.DagsterInstance, stopped: str | None) -> None:
        seen, state = heartbeat(instance), self._file.state() if self._file else None
        unusable = state is not None and state.unusable
        if seen and not stopped and now() - max(seen, self._since) > SILENCE:
            stopped = f"{(now() - seen).total_seconds():.0f} 秒没有心跳"
        if not stopped and not unusable and INCIDENT not in ledger_store.read(instance).incidents:
            return
        with ledger_store.opened(instance, self._settings.dagster_home, _LAST_MESSAGE if stopped else 0) as stored:
            if stored is None:
                return
            context = engine.context(stored.ledger, self._settings)
            evaluate(context, seen, stopped)
            if state is not None and unusable:
                report(context, state)
            stored.save()
            alerts = context.alerts.model_copy(update={"group_seconds": 0}) if stopped else context.alerts
            delivery.deliver(stored.ledger, engine.channels, alerts, context.moment, stored.save)

    def _refresh(self) -> None:
        """Read the task file again if it has changed; the former addresses stay while it cannot be read."""
        if self._file is not None and not self._file.state().differs:
            return
        try:
            version = load_without_functions(self._settings)
        except TaskFileError:
            return
        self._engine, self._file = AlertEngine.of(version), FileWatch(version)


def heartbeat(instance: dg.DagsterInstance) -> datetime | None:
    """Return the time of the daemon's last heartbeat; None if there is none."""
    beats = [beat.timestamp for beat in instance.get_daemon_heartbeats().values()]
    return datetime.fromtimestamp(max(beats), SHANGHAI) if beats else None


def evaluate(context: AlertContext, seen: datetime | None, stopped: str | None = None) -> None:
    """Report that the daemon has stopped, with the reason `stopped`, or that it runs again."""
    incident = context.ledger.incidents.get(INCIDENT)
    if stopped and incident is None:
        key = f"daemon:{context.moment.isoformat()}"
        context.report(texts.daemon_stopped(key, time=context.moment, seen=seen, reason=stopped))
        context.open_incident(INCIDENT, context.moment)
    elif not stopped and incident and seen and seen > incident.since:
        context.close_incident(INCIDENT)
        context.report(texts.daemon_back(f"daemon_back:{incident.since.isoformat()}", time=seen, since=incident.since))


@contextmanager
def watching(settings: Settings) -> Generator[DaemonWatch]:
    """Watch the daemon while the block runs."""
    watch, ended = DaemonWatch(settings), threading.Event()

    def run() -> None:
        while not ended.wait(_INTERVAL):
            watch.check()

    thread = threading.Thread(target=run, name="mystocks-daemon-watch", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        ended.set()
        thread.join(_LAST_MESSAGE)
        watch.close()
