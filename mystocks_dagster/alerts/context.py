"""What every rule needs to tell something: the ledger, the moment, names and links."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mystocks_dagster.addresses import DagsterLinks
from mystocks_dagster.alerts.ledger import Incident, Ledger
from mystocks_dagster.alerts.message import Message
from mystocks_dagster.taskfile.alerts import Alerts
from mystocks_dagster.taskfile.model import Group, Task


@dataclass(frozen=True, kw_only=True)
class AlertContext:
    """Where rules bring what they found.

    Attributes:
        ledger: What has been told.
        alerts: What is wanted.
        channels: Ids of the channels.
        moment: Now.
        links: Pages of the web UI.
        entries: Tasks and groups by their names in Dagster.
        owners: Table to the task that owns it.
        prefix: What stands in front of the tables' asset keys.
    """

    ledger: Ledger
    alerts: Alerts
    channels: tuple[str, ...]
    moment: datetime
    links: DagsterLinks
    entries: Mapping[str, Task | Group]
    owners: Mapping[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()

    def say(self, message: Message) -> None:
        """Tell something, once."""
        self.ledger.say(message, self.channels, self.alerts.on)

    def wrong(self, incident: str, since: datetime, note: str = "") -> None:
        """Remember that something is wrong, so that it is told when it is right again."""
        self.ledger.open.setdefault(incident, Incident(since=since)).note = note

    def right(self, incident: str) -> Incident | None:
        """Return since when something was wrong that is right now; None when it was right before."""
        return self.ledger.open.pop(incident, None)

    def name(self, job: str) -> str:
        """Return the name, for people, of a task or group by its name in Dagster."""
        entry = self.entries.get(job)
        if entry is None:
            return job
        return entry.group_name if isinstance(entry, Group) else entry.task_name

    def owner(self, job: str) -> str | None:
        """Return who answers for a task or group, by its name in Dagster; None when the file names nobody."""
        entry = self.entries.get(job)
        return entry.owner or None if entry else None
