"""The alert engine: evaluates all rules once, queues their messages, and sends those that are due."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import dagster as dg

from mystocks_dagster.addresses import DagsterLinks
from mystocks_dagster.alerts import delivery, ledger_store
from mystocks_dagster.alerts.channels import Channel, channels_of
from mystocks_dagster.alerts.context import AlertContext
from mystocks_dagster.alerts.rules import late_data, missed_starts, run_outcomes, task_file
from mystocks_dagster.alerts.rules.task_file import FileState
from mystocks_dagster.instance import DAGSTER_PATH, ui_address
from mystocks_dagster.market.clock import now
from mystocks_dagster.settings import Settings, environment
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task
from mystocks_dagster.taskfile.reader import Version


@dataclass(frozen=True, kw_only=True)
class AlertEngine:
    """The alerts of one version of the task file."""

    version: Version
    channels: tuple[Channel, ...]
    prefix: tuple[str, ...] = ()
    _idle: run_outcomes.IdleDetector = field(default_factory=run_outcomes.IdleDetector)

    @classmethod
    def of(cls, version: Version, prefix: tuple[str, ...] = ()) -> "AlertEngine":
        """Return the engine of a version; `prefix` is the prefix of the tables' asset keys."""
        return cls(version=version, channels=tuple(channels_of(version.document.head, environment())), prefix=prefix)

    @cached_property
    def _entries(self) -> Mapping[str, Task | Group]:
        return {entry.dagster_name: entry for entry in self.version.taskfile.by_id().values()}

    def context(self, ledger: ledger_store.Ledger, settings: Settings) -> AlertContext:
        """Return the rules' context at this moment."""
        taskfile = self.version.taskfile
        return AlertContext(
            ledger=ledger,
            alerts=taskfile.alerts,
            channels=tuple(channel.id for channel in self.channels),
            moment=now(),
            links=DagsterLinks(address=_dagster_address(taskfile.alerts.link or ui_address(settings.dagster_home))),
            entries=self._entries,
            owners=self.version.owners,
            published=self.version.published,
            prefix=self.prefix,
        )

    def evaluate(self, instance: dg.DagsterInstance, settings: Settings, state: FileState) -> str | None:
        """Evaluate all rules, and send what is due; return a skip reason if another process holds the lock.

        Args:
            instance: The project's.
            settings: The project's.
            state: State of the task file.
        """
        with ledger_store.opened(instance, settings.dagster_home) as stored:
            if stored is None:
                return "another process is sending messages"
            context = self.context(stored.ledger, settings)
            run_outcomes.evaluate(instance, context, self._idle)
            missed_starts.evaluate(instance, settings, context)
            late_data.evaluate(instance, context)
            task_file.report(context, state)
            stored.ledger.prune(context.moment, context.channels)
            stored.save()
            delivery.deliver(stored.ledger, self.channels, context.alerts, context.moment, stored.save)
        return None


def _dagster_address(address: str | None) -> str | None:
    """Return the address of Dagster's own UI below an address of `mystocks ui`."""
    return f"{address.rstrip('/').removesuffix(DAGSTER_PATH)}{DAGSTER_PATH}" if address else None
