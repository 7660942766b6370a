"""Alert messages, and several of them joined into one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.taskfile.alerts import Kind

#: Of a burst, this many messages are sent in full, and the titles of the others. Services cut long texts.
_IN_FULL = 10
_LONGEST = 3_500


@dataclass(frozen=True, kw_only=True)
class Message:
    """One alert message.

    Attributes:
        key: Id of the subject, such as an execution's id: one message is sent for each key.
        kind: One of `alerts.on` of the task file.
        title: One line.
        body: The other lines.
        time: Time of the event.
    """

    key: str
    kind: Kind
    title: str
    body: str
    time: datetime


def joined(messages: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Join messages, each a title and a body, into the title and body of one message."""
    if len(messages) == 1:
        return messages[0][0], _cut(messages[0][1])
    parts = [f"{number}. {title}\n{body}" for number, (title, body) in enumerate(messages[:_IN_FULL], 1)]
    rest = [f"{number}. {title}" for number, (title, _) in enumerate(messages[_IN_FULL:], _IN_FULL + 1)]
    title = f"MyStocks：{len(messages)} 条消息（{messages[0][0]} 等）"
    return title, _cut("\n\n".join([*parts, "\n".join(rest)]).rstrip())


def lines(**parts: str | None) -> str:
    """Return `name：value` lines, without those that have no value."""
    return "\n".join(f"{name}：{value}" for name, value in parts.items() if value)


def clock(moment: datetime) -> str:
    """Format a moment in Shanghai's time."""
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}（北京时间）"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n……（其余见 mystocks alerts history）"
