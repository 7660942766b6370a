"""The alert ledger: messages, their delivery per channel, and open incidents. Plain values, without storage."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, Field, model_validator

from mystocks_dagster.alerts.message import Message
from mystocks_dagster.taskfile.alerts import Kind

#: `doubtful`: the process was killed while it sent, or no answer came. It is not sent again, so nothing arrives twice.
State = Literal["waiting", "sending", "sent", "doubtful", "given_up"]
_MAX_KEYS, _MAX_MESSAGES = 3_000, 200
#: After this time without a success, a channel drops the message and goes on with newer ones.
_GIVE_UP_AFTER = timedelta(days=3)
_HOUR = timedelta(hours=1)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=15), timedelta(minutes=30)
#: Field names of ledgers that earlier versions stored.
_FORMER_NAMES = {
    "event": "last_event",
    "ended": "handled_runs",
    "awaited": "awaiting_restart",
    "told": "recorded",
    "open": "incidents",
    "letters": "messages",
    "lines": "channels",
    "looked": "evaluated_at",
    "since": "evaluated_since",
    "judged": "judged_until",
    "expected": "expected_since",
}


class OutboxMessage(BaseModel):
    """A message with its delivery state for each channel, by the channel's id."""

    key: str
    kind: Kind
    title: str
    body: str
    time: datetime
    to: dict[str, State] = Field(default_factory=dict)


class ChannelState(BaseModel):
    """Delivery state of one channel.

    Attributes:
        failures: Failures in a row.
        error: Reason of the last failure, without secrets.
        again: Time of the next try at the earliest.
        sent: Times of the messages of the last hour.
        doubt: Title of a message that may not have arrived.
    """

    failures: int = 0
    error: str = ""
    again: datetime | None = None
    sent: list[datetime] = Field(default_factory=list)
    doubt: str = ""


class Incident(BaseModel):
    """A reported fault that has not recovered yet."""

    since: datetime
    note: str = ""


class Ledger(BaseModel):
    """State of the alerts between two evaluations.

    Attributes:
        last_event: Storage id of the last handled event of a run's end; None before the first evaluation.
        handled_runs: Runs that ended after it and are handled too.
        awaiting_restart: Lost runs whose restart is expected, with the time at which each ended.
        recorded: Keys of reported messages with the time, the oldest first.
        incidents: Open incidents by name, such as `task:daily_data_sync`.
        messages: Messages, the oldest first; delivered ones stay as the history.
        channels: Delivery states by channel id.
        evaluated_at: Time of the last evaluation of schedules.
        evaluated_since: Start of the uninterrupted period of evaluations.
        judged_until: Starts that were due until then are judged.
        expected_since: Time from which each line of `expect` is known.
    """

    last_event: int | None = None
    handled_runs: list[str] = Field(default_factory=list)
    awaiting_restart: dict[str, datetime] = Field(default_factory=dict)
    recorded: dict[str, datetime] = Field(default_factory=dict)
    incidents: dict[str, Incident] = Field(default_factory=dict)
    messages: list[OutboxMessage] = Field(default_factory=list)
    channels: dict[str, ChannelState] = Field(default_factory=dict)
    evaluated_at: datetime | None = None
    evaluated_since: datetime | None = None
    judged_until: datetime | None = None
    expected_since: dict[str, datetime] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _read_former_names(cls, stored: Any) -> Any:
        return {_FORMER_NAMES.get(name, name): value for name, value in stored.items()}

    def add(self, message: Message, channels: Iterable[str], kinds: Iterable[Kind]) -> None:
        """Queue a message for delivery, unless its key is recorded; other kinds than these are only recorded."""
        if message.key in self.recorded:
            return
        self.recorded[message.key] = message.time
        if message.kind in kinds:
            self.messages.append(OutboxMessage(**vars(message), to=dict.fromkeys(channels, "waiting")))

    def waiting(self, channel: str) -> list[OutboxMessage]:
        """Return the messages that wait for a channel, the oldest first."""
        return [message for message in self.messages if message.to.get(channel) == "waiting"]

    def due(self, channel: str, moment: datetime, *, group_seconds: int, rate_limit: int) -> list[OutboxMessage]:
        """Return the messages to send to a channel now, as one.

        The list is empty while a burst is collected, after a failure, and at the hour's limit.
        """
        state, messages = self.channels.setdefault(channel, ChannelState()), self.waiting(channel)
        state.sent = [time for time in state.sent if moment - time < _HOUR]
        if not messages or (state.again and moment < state.again) or len(state.sent) >= rate_limit:
            return []
        return messages if moment >= messages[0].time + timedelta(seconds=group_seconds) else []

    def mark(self, messages: Iterable[OutboxMessage], channel: str, state: State) -> None:
        """Set the delivery state of messages for a channel."""
        for message in messages:
            message.to[channel] = state

    def delivered(self, channel: str, moment: datetime) -> None:
        """Record that a channel accepted a message."""
        self.channels[channel] = ChannelState(sent=[*self.channels.get(channel, ChannelState()).sent, moment])

    def refused(self, channel: str, moment: datetime, error: str) -> None:
        """Record that a channel failed; each failure in a row doubles the pause before the next try."""
        state = self.channels.setdefault(channel, ChannelState())
        state.failures, state.error = state.failures + 1, error
        state.again = moment + min(_FIRST_PAUSE * 2 ** min(state.failures - 1, 10), _LONGEST_PAUSE)

    def doubted(self, channel: str, moment: datetime, error: str) -> None:
        """Record that a channel gave no answer; newer messages wait as after a failure."""
        self.refused(channel, moment, error)
        self.channels[channel].sent.append(moment)

    def recover(self) -> None:
        """Mark messages that a killed process was sending as doubtful: they may have arrived."""
        for message in self.messages:
            for channel, state in message.to.items():
                if state == "sending":
                    message.to[channel] = "doubtful"
                    self.channels.setdefault(channel, ChannelState()).doubt = message.title

    def prune(self, moment: datetime, channels: Iterable[str]) -> None:
        """Remove old messages and keys, and channels that are no longer in the file.

        Messages that waited for a removed channel go to the new channels.
        """
        known = set(channels)
        # A channel's id is the hash of its line in the file: a corrected address is a new channel.
        new = sorted(known - self.channels.keys())
        for message in self.messages if new else ():
            self._move(message, known, new)
        self.channels = {channel: state for channel, state in self.channels.items() if channel in known}
        for message in self.messages:
            for channel, state in message.to.items():
                if state == "waiting" and (channel not in known or moment - message.time > _GIVE_UP_AFTER):
                    message.to[channel] = "given_up"
        finished = [message for message in self.messages if "waiting" not in message.to.values()]
        dropped = {id(message) for message in finished[:-_MAX_MESSAGES]}
        self.messages = [message for message in self.messages if id(message) not in dropped]
        if len(self.recorded) > _MAX_KEYS:
            self.recorded = dict(list(self.recorded.items())[-_MAX_KEYS:])

    @staticmethod
    def _move(message: OutboxMessage, known: set[str], new: list[str]) -> None:
        removed = [channel for channel, state in message.to.items() if state == "waiting" and channel not in known]
        for channel in removed:
            del message.to[channel]
        for channel in new if removed else ():
            message.to.setdefault(channel, "waiting")
