"""Delivery of queued messages: bursts are joined, the hour's limit is kept, failed channels are tried again later."""

from collections.abc import Callable, Sequence
from datetime import datetime

from mystocks_dagster.alerts.channels import PATIENCE, Channel, DeliveryUncertain, send_all
from mystocks_dagster.alerts.ledger import ChannelState, Ledger, OutboxMessage
from mystocks_dagster.alerts.message import joined
from mystocks_dagster.taskfile.alerts import Alerts


def deliver(
    ledger: Ledger, channels: Sequence[Channel], alerts: Alerts, moment: datetime, save: Callable[[], None]
) -> None:
    """Send the messages that are due.

    The ledger is saved first, with these messages marked as `sending`. If this process is killed while it sends, the
    mark stays, and they are not sent again.
    """
    batches: list[tuple[Channel, list[OutboxMessage]]] = []
    for channel in channels:
        messages = ledger.due(channel.id, moment, group_seconds=alerts.group_seconds, rate_limit=alerts.rate_limit)
        if messages:
            ledger.mark(messages, channel.id, "sending")
            batches.append((channel, messages))
    if not batches:
        return
    save()
    errors = send_all([(channel, *_text(messages)) for channel, messages in batches], PATIENCE)
    for channel, messages in batches:
        error = errors[channel.id]
        if error is None:
            ledger.mark(messages, channel.id, "sent")
            ledger.delivered(channel.id, moment)
        elif isinstance(error, DeliveryUncertain):
            ledger.mark(messages, channel.id, "doubtful")
            uncertain = f"{error} to {messages[0].title!r}: it may have arrived, and is not sent again"
            ledger.doubted(channel.id, moment, uncertain)
        else:
            ledger.mark(messages, channel.id, "waiting")
            ledger.refused(channel.id, moment, error)
    save()


def channel_faults(ledger: Ledger, channels: Sequence[Channel]) -> tuple[list[str], list[str]]:
    """Return the errors of channels, and the messages that may not have arrived; both without secrets."""
    failing, doubts = [], []
    for channel in channels:
        state = ledger.channels.get(channel.id, ChannelState())
        if error := channel.fault or (state.error if state.failures else None):
            waiting = len(ledger.waiting(channel.id))
            failing.append(f"{channel.label}: {error}" + (f" ({waiting} waiting)" if waiting else ""))
        elif state.doubt:
            doubts.append(
                f"{channel.label}: a process was killed while it sent {state.doubt!r}; it may not have arrived"
            )
    return failing, doubts


def _text(messages: Sequence[OutboxMessage]) -> tuple[str, str]:
    return joined([(message.title, message.body) for message in messages])
