"""The daemon cannot tell that it is gone: a thread in another process of the project watches its heartbeat."""

import logging
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime

import dagster as dg

from mystocks_dagster.alerts import delivery, ledger_store, texts
from mystocks_dagster.alerts.context import AlertContext
from mystocks_dagster.alerts.engine import AlertEngine
from mystocks_dagster.alerts.rules.task_file import FileWatch, tell
from mystocks_dagster.instance import open_instance
from mystocks_dagster.market.clock import SHANGHAI, now
from mystocks_dagster.scheduling.downtime import SILENCE
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.last_good import load_usable
from mystocks_dagster.taskfile.problems import TaskFileError

INCIDENT = "daemon"
_INTERVAL = 15.0
#: Seconds for which the last message, when the servers have ended by themselves, may keep this process.
_LAST_WORDS = 30.0
_log = logging.getLogger("mystocks.alerts")


class DaemonWatch:
    """Looks at the daemon's heartbeat, and at a task file that the daemon cannot load.

    Nothing is sent, and apprise is not imported, while the task file has no addresses.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine: AlertEngine | None = None
        self._file: FileWatch | None = None
        self._instance: dg.DagsterInstance | None = None
        # A daemon that was stopped yesterday and is starting now is not gone.
        self._since = now()

    def look(self, gone: str | None = None) -> None:
        """Look once, and send what is due when the daemon cannot; an error is logged and ends nothing.

        Args:
            gone: Why the daemon is known to have ended, when the caller knows it.
        """
        try:
            self._refresh()
            if self._engine is not None and self._engine.channels:
                self._instance = self._instance or open_instance(self._settings)
                self._look(self._engine, self._instance, gone)
        except Exception:  # noqa: BLE001 - the servers must not end because a look failed
            _log.exception("the daemon could not be watched; trying again")

    def close(self) -> None:
        """Let go of Dagster's storage."""
        if self._instance is not None:
            self._instance.dispose()

    def _look(self, engine: AlertEngine, instance: dg.DagsterInstance, gone: str | None) -> None:
        seen, state = heartbeat(instance), self._file.state() if self._file else None
        unusable = state is not None and state.unusable
        if seen and not gone and now() - max(seen, self._since) > SILENCE:
            gone = f"{(now() - seen).total_seconds():.0f} 秒没有心跳"
        if not gone and not unusable and INCIDENT not in ledger_store.read(instance).incidents:
            return
        with ledger_store.opened(instance, self._settings.dagster_home, _LAST_WORDS if gone else 0) as opened:
            if opened is None:
                return
            context = engine.context(opened.ledger, self._settings)
            judge(context, seen, gone)
            if state is not None and unusable:
                tell(context, state)
            opened.save()
            alerts = context.alerts.model_copy(update={"group_seconds": 0}) if gone else context.alerts
            delivery.deliver(opened.ledger, engine.channels, alerts, context.moment, opened.save)

    def _refresh(self) -> None:
        """Read the task file again when it has changed; one that cannot be read leaves the addresses that were."""
        if self._file is not None and not self._file.state().differs:
            return
        try:
            version = load_usable(self._settings, functions=False)
        except TaskFileError:
            return
        self._engine, self._file = AlertEngine.of(version), FileWatch(version)


def heartbeat(instance: dg.DagsterInstance) -> datetime | None:
    """Return when the daemon was last heard of; None when there never was one."""
    beats = [beat.timestamp for beat in instance.get_daemon_heartbeats().values()]
    return datetime.fromtimestamp(max(beats), SHANGHAI) if beats else None


def judge(context: AlertContext, seen: datetime | None, gone: str | None = None) -> None:
    """Tell that the daemon is gone (`gone` is why), or that it has been heard of since."""
    incident = context.ledger.incidents.get(INCIDENT)
    if gone and incident is None:
        context.report(texts.daemon_gone(f"daemon:{context.moment.isoformat()}", time=context.moment, seen=seen, reason=gone))
        context.open_incident(INCIDENT, context.moment)
    elif not gone and incident and seen and seen > incident.since:
        context.close_incident(INCIDENT)
        context.report(texts.daemon_back(f"daemon_back:{incident.since.isoformat()}", time=seen, since=incident.since))


@contextmanager
def watching(settings: Settings) -> Generator[DaemonWatch]:
    """Watch the daemon while the block runs."""
    watch, ended = DaemonWatch(settings), threading.Event()

    def run() -> None:
        while not ended.wait(_INTERVAL):
            watch.look()

    thread = threading.Thread(target=run, name="mystocks-daemon-watch", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        ended.set()
        thread.join(_LAST_WORDS)
        watch.close()
