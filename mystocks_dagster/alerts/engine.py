"""One look: what has happened since the last one is put into the post, and what is due is sent."""

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
from mystocks_dagster.taskfile.model import Group, Task
from mystocks_dagster.taskfile.reader import Version


@dataclass(frozen=True, kw_only=True)
class AlertEngine:
    """The alerts of one version of the task file: its channels, and what is told to them."""

    version: Version
    channels: tuple[Channel, ...]
    prefix: tuple[str, ...] = ()
    _quiet: run_outcomes.IdleDetector = field(default_factory=run_outcomes.IdleDetector)

    @classmethod
    def of(cls, version: Version, prefix: tuple[str, ...] = ()) -> "AlertEngine":
        """Return the alerts of a version, of which `prefix` stands in front of the tables' asset keys."""
        return cls(version=version, channels=tuple(channels_of(version.document.head, environment())), prefix=prefix)

    @cached_property
    def _entries(self) -> Mapping[str, Task | Group]:
        return {entry.dagster_name: entry for entry in self.version.taskfile.by_id().values()}

    def context(self, ledger: ledger_store.Ledger, settings: Settings) -> AlertContext:
        """Return the context to which rules bring what they find now."""
        taskfile = self.version.taskfile
        return AlertContext(
            ledger=ledger,
            alerts=taskfile.alerts,
            channels=tuple(channel.id for channel in self.channels),
            moment=now(),
            links=DagsterLinks(address=_dagster(taskfile.alerts.link or ui_address(settings.dagster_home))),
            entries=self._entries,
            owners=self.version.owners,
            prefix=self.prefix,
        )

    def look(self, instance: dg.DagsterInstance, settings: Settings, state: FileState) -> str | None:
        """Look, and send what is due; return why not, when another process is at it.

        Args:
            instance: The project's.
            settings: The project's.
            state: How the task file is.
        """
        with ledger_store.opened(instance, settings.dagster_home) as opened:
            if opened is None:
                return "another process is sending messages"
            context = self.context(opened.ledger, settings)
            run_outcomes.evaluate(instance, context, self._quiet)
            missed_starts.evaluate(instance, settings, context)
            late_data.evaluate(instance, context)
            task_file.report(context, state)
            opened.ledger.prune(context.moment, context.channels)
            opened.save()
            delivery.deliver(opened.ledger, self.channels, context.alerts, context.moment, opened.save)
        return None


def _dagster(address: str | None) -> str | None:
    """Return where Dagster's own UI is below an address of `mystocks ui`."""
    return f"{address.rstrip('/').removesuffix(DAGSTER_PATH)}{DAGSTER_PATH}" if address else None
