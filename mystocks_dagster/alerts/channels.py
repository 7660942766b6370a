"""Channels: the addresses of the task file, shown without their secrets, and reached through apprise."""

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

#: Seconds for a channel's answer, and for the connection to it. Dagster ends a sensor's evaluation after 60 seconds.
PATIENCE = 20.0
_CONNECT_PATIENCE = 6.0
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")
_DEFAULT = re.compile(r"(\$\{[A-Za-z_][A-Za-z0-9_]*):-[^}]+\}")
#: A variable, or the literal text between the separators of an address.
_LITERAL = re.compile(r"\$\{[^}]*\}|(?:(?!\$\{)[^/@])+")


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One address that alerts go to.

    Attributes:
        id: Hash of the line in the file.
        label: The address without its secrets.
        url: The address with its secrets.
        secrets: The secrets of the address.
        fault: Why the address cannot be used, such as a variable that is not set.
    """

    id: str
    label: str
    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    fault: str | None = None

    def masked(self, text: str) -> str:
        """Return a text without this channel's secrets."""
        secrets = pattern(self.secrets)
        return re.sub(secrets, MASK, text) if secrets else text


def channels_of(head: Mapping[str, Any], environment: Mapping[str, str]) -> list[Channel]:
    """Return the channels of a task file from its top-level values, as they are written.

    A variable that is not set makes only its own channel unusable.
    """
    alerts = head.get("alerts")
    urls = alerts.get("urls") if isinstance(alerts, dict) else None
    templates = dict.fromkeys(url for url in urls if isinstance(url, str)) if isinstance(urls, list) else ()
    return [_channel(template, environment) for template in templates]


class DeliveryUncertain(str):
    """An error after which the message may have arrived all the same."""

    __slots__ = ()


def send(channel: Channel, title: str, body: str, patience: float = PATIENCE) -> str | None:
    """Send a message; return None if the channel accepted it, otherwise the error without secrets.

    Args:
        channel: Receiver.
        title: One line.
        body: The other lines.
        patience: Seconds to wait for the answer once the message is sent; without one, `DeliveryUncertain` is returned.
    """
    if channel.fault:
        return channel.fault
    capture = _LogCapture()
    logger = logging.getLogger("apprise")
    # Log lines of apprise may contain the address with its secrets, so they go no further.
    logger.propagate = False
    # apprise reports a missing answer at this level only.
    logger.setLevel(logging.DEBUG)
    logger.addHandler(capture)
    _current_capture.set(capture)
    try:
        import apprise

        asset = apprise.AppriseAsset(app_id="MyStocks", app_desc="MyStocks", async_mode=False)
        services = apprise.Apprise(asset=asset)
        if not services.add(channel.url):
            return channel.masked("apprise does not support this address: " + capture.text())
        for service in services:
            service.socket_read_timeout = patience
            if service.service_name == "E-Mail":
                # Mail has one timeout for the connection and the answer.
                service.socket_connect_timeout = patience
        if services.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT):
            return None
    except Exception as error:  # noqa: BLE001 - services raise any exception; one must not stop the others
        return channel.masked(f"{type(error).__name__}: {error}")
    finally:
        logger.removeHandler(capture)
    if capture.unanswered:
        return DeliveryUncertain(f"no answer within {patience:g} s")
    return channel.masked(capture.text() or "it did not accept the message")


def send_all(messages: Sequence[tuple[Channel, str, str]], patience: float) -> dict[str, str | None]:
    """Send to several channels in parallel; return the results of `send` by channel id.

    Each channel has `patience` seconds to answer, and some more for the connection.
    """
    errors: dict[str, str | None] = {}

    def send_one(channel: Channel, title: str, body: str) -> None:
        errors[channel.id] = send(channel, title, body, patience)

    threads = [threading.Thread(target=send_one, args=message, daemon=True) for message in messages]
    for thread in threads:
        thread.start()
    limit = patience + _CONNECT_PATIENCE
    deadline = time.monotonic() + limit
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    uncertain = DeliveryUncertain(f"no answer within {limit:g} s")
    return {channel.id: errors.get(channel.id, uncertain) for channel, _, _ in messages}


def label_of(template: str) -> str:
    """Return an address as it is written, with `***` for literal text that may be a secret.

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
    # The default of a variable is literal text too.
    template = _DEFAULT.sub(f"\\1:-{MASK}}}", template)
    scheme, mark, rest = template.partition("://")
    if not mark:
        return template if "${" in template else MASK
    location, question, query = rest.partition("?")
    if scheme.lower() in HOSTS:
        user, at, host = location.rpartition("@")
        name, colon, password = user.partition(":")
        location = f"{name}{colon}{variables_only(password)}{at}{host}"
    else:
        location = _LITERAL.sub(lambda part: part[0] if part[0].startswith("${") else MASK, location)
    pairs = [pair.partition("=") for pair in query.split("&")] if query else []
    masked = [(name, equals, variables_only(value) if secret_query(name) else value) for name, equals, value in pairs]
    return f"{scheme}://{location}{question}{'&'.join(map(''.join, masked))}"


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
    """Return the secrets of an address; `secret_forms` knows the forms in which a text may contain them."""
    plain = {environment.get(name, "") for name in _VARIABLE.findall(template)}
    scheme, _, rest = url.partition("://")
    location, _, query = rest.partition("?")
    if scheme.lower() in HOSTS:
        plain |= {location.rpartition("@")[0].partition(":")[2]}
    else:
        plain |= set(re.split("[/@:]", location))
    plain |= {pair.partition("=")[2] for pair in query.split("&") if secret_query(pair.partition("=")[0])}
    plain |= {unquote(secret) for secret in plain}
    return tuple(sorted(plain))


#: The capture of the current message; apprise copies the context into the threads in which it sends.
_current_capture: ContextVar["_LogCapture | None"] = ContextVar("_current_capture", default=None)


class _LogCapture(logging.Handler):
    """Log handler that collects the warnings of apprise about one message."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._warnings: list[str] = []
        #: The message was sent, and no answer came. A failed connection does not count: nothing was sent.
        self.unanswered = False

    def emit(self, record: logging.LogRecord) -> None:
        if _current_capture.get() is not self:
            return
        message = record.getMessage()
        if record.levelno >= logging.WARNING:
            self._warnings.append(message)
        self.unanswered |= "Read timed out" in message or (record.funcName == "sendmail" and "timed out" in message)

    def text(self) -> str:
        """Return the warnings in one line."""
        return "; ".join(dict.fromkeys(self._warnings))[:500]
