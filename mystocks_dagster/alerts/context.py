"""The alert context: what every rule needs to report a message."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mystocks_dagster.addresses import DagsterLinks
from mystocks_dagster.alerts.ledger import Incident, Ledger
from mystocks_dagster.alerts.message import Message
from mystocks_dagster.market.publication import Publication
from mystocks_dagster.taskfile.alerts import Alerts
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task


@dataclass(frozen=True, kw_only=True)
class AlertContext:
    """Input of the rules, and the place where they report.

    Attributes:
        ledger: Messages and incidents so far.
        alerts: The `alerts` of the task file.
        channels: Ids of the channels.
        moment: Now.
        links: Pages of the web UI.
        entries: Tasks and groups by their names in Dagster.
        owners: Tables with the task that owns each.
        published: When tables are published, where it is not as they declare.
        prefix: Prefix of the tables' asset keys.
    """

    ledger: Ledger
    alerts: Alerts
    channels: tuple[str, ...]
    moment: datetime
    links: DagsterLinks
    entries: Mapping[str, Task | Group]
    owners: Mapping[str, str] = field(default_factory=dict)
    published: Mapping[str, Publication] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()

    def report(self, message: Message) -> None:
        """Queue a message; one whose key was reported before is ignored."""
        self.ledger.add(message, self.channels, self.alerts.on)

    def open_incident(self, incident: str, since: datetime, note: str = "") -> None:
        """Record a fault, so that its recovery is reported later."""
        self.ledger.incidents.setdefault(incident, Incident(since=since)).note = note

    def close_incident(self, incident: str) -> Incident | None:
        """Remove and return an incident that is over; None if it was not open."""
        return self.ledger.incidents.pop(incident, None)

    def name(self, job: str) -> str:
        """Return the display name of a task or group by its name in Dagster."""
        entry = self.entries.get(job)
        if entry is None:
            return job
        return entry.group_name if isinstance(entry, Group) else entry.task_name

    def owner(self, job: str) -> str | None:
        """Return the owner of a task or group by its name in Dagster; None if the file names none."""
        entry = self.entries.get(job)
        return entry.owner or None if entry else None
