"""What has been told and what is waiting to be: values, without a word of where they are kept."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, Field

from mystocks_dagster.alerts.message import Message
from mystocks_dagster.taskfile.alerts import Kind

#: `doubtful`: the process was killed while it sent, or no answer came; it is not sent again, so that nothing is told
#: twice.
State = Literal["waiting", "sending", "sent", "doubtful", "given_up"]
_KEYS, _LETTERS = 3_000, 200
#: An address that has taken nothing for so long gets what is newer.
_PATIENCE = timedelta(days=3)
_HOUR = timedelta(hours=1)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=15), timedelta(minutes=30)


class OutboxMessage(BaseModel):
    """A message on its way: its state for each channel, by the channel's id."""

    key: str
    kind: Kind
    title: str
    body: str
    time: datetime
    to: dict[str, State] = Field(default_factory=dict)


class ChannelState(BaseModel):
    """How one channel does.

    Attributes:
        failures: In a row.
        error: Why the last one failed, without secrets.
        again: Not tried before.
        sent: When messages were sent in the last hour.
        doubt: Title of what may not have arrived.
    """

    failures: int = 0
    error: str = ""
    again: datetime | None = None
    sent: list[datetime] = Field(default_factory=list)
    doubt: str = ""


class Incident(BaseModel):
    """Something that is wrong and has been told; it is over with a message of kind recovery."""

    since: datetime
    note: str = ""


class Ledger(BaseModel):
    """All that is remembered between two looks.

    Attributes:
        event: Every run that ended up to this event has been dealt with; None before the first look.
        ended: Runs after it that have been dealt with too.
        awaited: Lost runs that are to be started again and have not been yet, with the time at which each ended.
        told: Keys of messages, the oldest first, with the time.
        open: What is wrong now, by its name such as `task:daily_data_sync`.
        letters: Messages, the oldest first; the delivered ones are kept for the history.
        lines: The channels, by their id.
        looked: When schedules were looked at last.
        since: When looking began that has not been interrupted since.
        judged: Starts that were due until then have been judged.
        expected: Since when the lines of `expect` are known.
    """

    event: int | None = None
    ended: list[str] = Field(default_factory=list)
    awaited: dict[str, datetime] = Field(default_factory=dict)
    told: dict[str, datetime] = Field(default_factory=dict)
    open: dict[str, Incident] = Field(default_factory=dict)
    letters: list[OutboxMessage] = Field(default_factory=list)
    lines: dict[str, ChannelState] = Field(default_factory=dict)
    looked: datetime | None = None
    since: datetime | None = None
    judged: datetime | None = None
    expected: dict[str, datetime] = Field(default_factory=dict)

    def say(self, message: Message, channels: Iterable[str], kinds: Iterable[Kind]) -> None:
        """Put a message into the post, unless its key was told before or nobody wants its kind."""
        if message.key in self.recorded:
            return
        self.recorded[message.key] = message.time
        if message.kind in kinds:
            self.messages.append(OutboxMessage(**vars(message), to=dict.fromkeys(channels, "waiting")))

    def waiting(self, channel: str) -> list[OutboxMessage]:
        """Return what is to be sent to a channel, the oldest first."""
        return [letter for letter in self.messages if letter.to.get(channel) == "waiting"]

    def due(self, channel: str, moment: datetime, *, group_seconds: int, rate_limit: int) -> list[OutboxMessage]:
        """Return what is to be sent to a channel now, as one message.

        Nothing while a burst, a pause or the hour's limit holds.
        """
        line, letters = self.channels.setdefault(channel, ChannelState()), self.waiting(channel)
        line.sent = [time for time in line.sent if moment - time < _HOUR]
        if not letters or (line.again and moment < line.again) or len(line.sent) >= rate_limit:
            return []
        return letters if moment >= letters[0].time + timedelta(seconds=group_seconds) else []

    def mark(self, letters: Iterable[OutboxMessage], channel: str, state: State) -> None:
        """Note how far messages have come on a channel."""
        for letter in letters:
            letter.to[channel] = state

    def delivered(self, channel: str, moment: datetime) -> None:
        """Note that a channel has taken a message."""
        self.channels[channel] = ChannelState(sent=[*self.channels.get(channel, ChannelState()).sent, moment])

    def refused(self, channel: str, moment: datetime, error: str) -> None:
        """Note that a channel failed; each failure in a row doubles the pause before the next try."""
        line = self.channels.setdefault(channel, ChannelState())
        line.failures, line.error = line.failures + 1, error
        line.again = moment + min(_FIRST_PAUSE * 2 ** min(line.failures - 1, 10), _LONGEST_PAUSE)

    def doubted(self, channel: str, moment: datetime, error: str) -> None:
        """Note that a channel may have taken a message and did not say so; what is new waits as after a failure."""
        self.refused(channel, moment, error)
        self.channels[channel].sent.append(moment)

    def recover(self) -> None:
        """Settle what a killed process left in the middle of sending: it may have arrived, so it is not sent again."""
        for letter in self.messages:
            for channel, state in letter.to.items():
                if state == "sending":
                    letter.to[channel] = "doubtful"
                    self.channels.setdefault(channel, ChannelState()).doubt = letter.title

    def prune(self, moment: datetime, channels: Iterable[str]) -> None:
        """Forget what is old, and channels that are no longer in the file.

        What waited for those goes to the channels that are new.
        """
        known = set(channels)
        # A channel is known by its line in the file: an address that was mended is a new one.
        new = known - self.channels.keys()
        for letter in self.messages:
            for channel in [one for one, state in letter.to.items() if state == "waiting" and one not in known]:
                if new:
                    del letter.to[channel]
                    for other in sorted(new):
                        letter.to.setdefault(other, "waiting")
        self.channels = {channel: line for channel, line in self.channels.items() if channel in known}
        for letter in self.messages:
            for channel, state in list(letter.to.items()):
                if state == "waiting" and (channel not in known or moment - letter.time > _PATIENCE):
                    letter.to[channel] = "given_up"
        done = [letter for letter in self.messages if "waiting" not in letter.to.values()]
        dropped = {id(letter) for letter in done[:-_LETTERS]}
        self.messages = [letter for letter in self.messages if id(letter) not in dropped]
        if len(self.recorded) > _KEYS:
            self.recorded = dict(list(self.recorded.items())[-_KEYS:])
