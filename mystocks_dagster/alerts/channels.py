"""Where messages go: the addresses of the task file, shown without their secrets, and reached through apprise."""

import hashlib
import logging
import re
import threading
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from mystocks_dagster.taskfile.alerts import HOSTS, secret_query
from mystocks_dagster.taskfile.secret_forms import pattern
from mystocks_dagster.taskfile.secrets import MASK, variables_only
from mystocks_dagster.taskfile.variables import resolve_variables

#: Seconds that a channel has to answer, and to be reached; a look of the sensor must end within Dagster's 60.
PATIENCE = 20.0
_TO_REACH = 6.0
_NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")
_DEFAULT = re.compile(r"(\$\{[A-Za-z_][A-Za-z0-9_]*):-[^}]+\}")
#: A variable, or what stands between the signs that divide an address.
_WRITTEN_OUT = re.compile(r"\$\{[^}]*\}|(?:(?!\$\{)[^/@])+")


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One address.

    Attributes:
        id: Stays the same while the line in the file does.
        label: The address for people, without secrets.
        url: The address with its secrets.
        secrets: What must not be shown.
        fault: Why it cannot be used, such as a variable that is not set.
    """

    id: str
    label: str
    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    fault: str | None = None

    def masked(self, text: str) -> str:
        """Return a text without this channel's secrets."""
        found = pattern(self.secrets)
        return re.sub(found, MASK, text) if found else text


def channels_of(head: Mapping[str, Any], environment: Mapping[str, str]) -> list[Channel]:
    """Return the channels of a task file, given what stands beside its tasks as it is written.

    A variable that is not set makes a channel that cannot be used; the others are not touched by it.
    """
    alerts = head.get("alerts")
    urls = alerts.get("urls") if isinstance(alerts, dict) else None
    written = dict.fromkeys(url for url in urls if isinstance(url, str)) if isinstance(urls, list) else ()
    return [_channel(url, environment) for url in written]


class DeliveryUncertain(str):
    """Why nobody knows whether a channel took a message: it may have arrived."""

    __slots__ = ()


def send(channel: Channel, title: str, body: str, patience: float = PATIENCE) -> str | None:
    """Send a message; return None when the channel took it, else why not (`Unsure`: perhaps not), without secrets.

    Args:
        channel: Where to.
        title: One line.
        body: The rest.
        patience: Seconds for an answer, once the message is on its way.
    """
    if channel.fault:
        return channel.fault
    said = _Listener()
    logger = logging.getLogger("apprise")
    # What apprise logs may hold the address with its secrets: it ends here.
    logger.propagate = False
    # Only there it says that an answer did not come.
    logger.setLevel(logging.DEBUG)
    logger.addHandler(said)
    _listening.set(said)
    try:
        import apprise

        asset = apprise.AppriseAsset(app_id="MyStocks", app_desc="MyStocks", async_mode=False)
        post = apprise.Apprise(asset=asset)
        if not post.add(channel.url):
            return channel.masked("no service of apprise reads this address: " + said.text())
        for service in post:
            service.socket_read_timeout = patience
            if service.service_name == "E-Mail":
                # Mail knows one time for all.
                service.socket_connect_timeout = patience
        if post.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT):
            return None
    except Exception as error:  # noqa: BLE001 - a hundred services raise what they like; one must not stop the others
        return channel.masked(f"{type(error).__name__}: {error}")
    finally:
        logger.removeHandler(said)
    if said.unanswered:
        return DeliveryUncertain(f"no answer within {patience:g} s")
    return channel.masked(said.text() or "it did not take the message")


def send_all(letters: Sequence[tuple[Channel, str, str]], patience: float) -> dict[str, str | None]:
    """Send to several channels side by side; return the outcome by channel id, as `send` does.

    Each has `patience` seconds to answer, and some more to be reached.
    """
    found: dict[str, str | None] = {}

    def one(channel: Channel, title: str, body: str) -> None:
        found[channel.id] = send(channel, title, body, patience)

    threads = [threading.Thread(target=one, args=letter, daemon=True) for letter in letters]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + patience + _TO_REACH
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return {
        channel.id: found.get(channel.id, DeliveryUncertain(f"no answer within {patience + _TO_REACH:g} s"))
        for channel, _, _ in letters
    }


def label_of(template: str) -> str:
    """Return an address as it is written, with stars for what is written out and may be a secret.

    Examples:
        >>> label_of("wecombot://${WECOM_KEY}")
        'wecombot://${WECOM_KEY}'
        >>> label_of("wecombot://693a91f6")
        'wecombot://***'
        >>> label_of("wecombot://${WECOM_KEY:-693a91f6}")
        'wecombot://${WECOM_KEY:-***}'
        >>> label_of("mailtos://me:hunter2@example.com?to=you@example.com&token=abc")
        'mailtos://me:***@example.com?to=you@example.com&token=***'
    """
    # A default stands in the file.
    template = _DEFAULT.sub(f"\\1:-{MASK}}}", template)
    scheme, mark, rest = template.partition("://")
    if not mark:
        return template if "${" in template else MASK
    place, question, query = rest.partition("?")
    if scheme.lower() in HOSTS:
        user, at, host = place.rpartition("@")
        name, colon, password = user.partition(":")
        place = f"{name}{colon}{variables_only(password)}{at}{host}"
    else:
        place = _WRITTEN_OUT.sub(lambda found: found[0] if found[0].startswith("${") else MASK, place)
    pairs = [pair.partition("=") for pair in query.split("&")] if query else []
    shown = [f"{name}{equals}{variables_only(value) if secret_query(name) else value}" for name, equals, value in pairs]
    return f"{scheme}://{place}{question}{'&'.join(shown)}"


def _channel(template: str, environment: Mapping[str, str]) -> Channel:
    values, _, faults = resolve_variables({"alerts": {"urls": [template]}}, environment)
    url = str(values["alerts"]["urls"][0])
    return Channel(
        id=hashlib.sha256(template.encode()).hexdigest()[:10],
        label=label_of(template),
        url=url,
        secrets=_secrets(template, url, environment),
        fault=faults[0].message if faults else None,
    )


def _secrets(template: str, url: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the secrets of an address; in which forms they turn up in a text is for `secret_forms` to say."""
    plain = {environment.get(name, "") for name in _NAME.findall(template)}
    scheme, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    if scheme.lower() in HOSTS:
        plain |= {place.rpartition("@")[0].partition(":")[2]}
    else:
        plain |= set(re.split("[/@:]", place))
    plain |= {pair.partition("=")[2] for pair in query.split("&") if secret_query(pair.partition("=")[0])}
    plain |= {unquote(one) for one in plain}
    return tuple(sorted(plain))


#: Who listens to what is done here; apprise takes it along to the threads in which it sends.
_listening: ContextVar["_Listener | None"] = ContextVar("_listening", default=None)


class _Listener(logging.Handler):
    """Collects what apprise says of one message."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._said: list[str] = []
        #: The message was on its way, and no answer came; what could not even be reached has not got it.
        self.unanswered = False

    def emit(self, record: logging.LogRecord) -> None:
        if _listening.get() is not self:
            return
        said = record.getMessage()
        if record.levelno >= logging.WARNING:
            self._said.append(said)
        self.unanswered |= "Read timed out" in said or (record.funcName == "sendmail" and "timed out" in said)

    def text(self) -> str:
        """Return what was said, in one line."""
        return "; ".join(dict.fromkeys(self._said))[:500]
