"""Bringing letters to their channels: bursts joined, the hour's limit kept, failing channels tried again later."""

from collections.abc import Callable, Sequence
from datetime import datetime

from mystocks_dagster.alerts import channels as lines
from mystocks_dagster.alerts.channels import PATIENCE, Channel, DeliveryUncertain
from mystocks_dagster.alerts.ledger import ChannelState, Ledger
from mystocks_dagster.alerts.message import joined
from mystocks_dagster.taskfile.alerts import Alerts


def deliver(
    ledger: Ledger, channels: Sequence[Channel], alerts: Alerts, moment: datetime, save: Callable[[], None]
) -> None:
    """Send what is due.

    The ledger is saved before anything is sent, with the letters marked as being sent: a process that is killed in the
    middle leaves them so, and nobody sends them again.
    """
    post = []
    for channel in channels:
        letters = ledger.due(channel.id, moment, group_seconds=alerts.group_seconds, rate_limit=alerts.rate_limit)
        if letters:
            ledger.mark(letters, channel.id, "sending")
            post.append((channel, letters))
    if not post:
        return
    save()
    told = lines.send_all(
        [(channel, *joined([(one.title, one.body) for one in letters])) for channel, letters in post], PATIENCE
    )
    for channel, letters in post:
        error = told[channel.id]
        if error is None:
            ledger.mark(letters, channel.id, "sent")
            ledger.delivered(channel.id, moment)
        elif isinstance(error, DeliveryUncertain):
            ledger.mark(letters, channel.id, "doubtful")
            ledger.doubted(
                channel.id, moment, f"{error} to {letters[0].title!r}: it may have arrived, and is not sent again"
            )
        else:
            ledger.mark(letters, channel.id, "waiting")
            ledger.refused(channel.id, moment, error)
    save()


def complaints(ledger: Ledger, channels: Sequence[Channel]) -> tuple[list[str], list[str]]:
    """Return what is wrong with channels, and what may not have arrived; each names the channel, without secrets."""
    failing, doubts = [], []
    for channel in channels:
        line = ledger.channels.get(channel.id, ChannelState())
        if error := channel.fault or (line.error if line.failures else None):
            waiting = len(ledger.waiting(channel.id))
            failing.append(f"{channel.label}: {error}" + (f" ({waiting} waiting)" if waiting else ""))
        elif line.doubt:
            doubts.append(
                f"{channel.label}: a process was killed while it sent {line.doubt!r}; it may not have arrived"
            )
    return failing, doubts
