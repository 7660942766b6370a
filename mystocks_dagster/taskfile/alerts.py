"""The `alerts` section of the task file: channels, kinds of alerts and expectations."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from mystocks_dagster.excerpts import suggest
from mystocks_dagster.taskfile.problems import Fault, Path
from mystocks_dagster.taskfile.schedule import Integer, StrictModel, empty_as, fault, unique
from mystocks_dagster.taskfile.secrets import MASK, is_secret, variables_only

Kind = Literal["failure", "recovery", "late", "missed", "daemon", "broken_file"]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: Services whose address is a host: the password is secret, user and path are not.
HOSTS = frozenset(
    {"json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos"}
    | {"syslog", "rsyslog", "dbus", "gnome", "windows"}
)
_HOST_KEY = frozenset({"host"})
#: The parts of a service's address that are keys: user, host, and indices in the path.
_KEYS: dict[str, frozenset[str | int]] = {
    **dict.fromkeys(("wecombot", "feishu", "lark", "schan", "pushplus", "wxpusher", "tgram", "slack"), _HOST_KEY),
    **dict.fromkeys(("dingtalk", "pover"), frozenset({"user", "host"})),
    "discord": frozenset({0}),
    **dict.fromkeys(("bark", "barks"), frozenset({"user", *range(9)})),
    **dict.fromkeys(("gotify", "gotifys"), frozenset({-1})),
}
#: In the address of another service, text of this form counts as a key.
_KEY = re.compile(r"(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{12,}")
_VARIABLE = re.compile(r"\$\{[^}]*\}")


def _time_of_day(value: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise fault(f"{value!r} is not a time of day", 'Write hours and minutes, such as "18:30".')
    return value


def _address(value: str) -> str:
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", value) and not value.startswith("${"):
        raise fault("this is not an address", "An address begins with the service, such as wecombot:// or mailto://.")
    return value


class Expectation(StrictModel):
    """Data or a result that must exist on every trading day, and the time by which it must."""

    table: str | None = Field(
        default=None,
        description="A table of the lake: the trading day's rows must have been written.",
        examples=["daily_bars"],
    )
    task: str | None = Field(
        default=None, description="Or a task: it must have succeeded on the trading day.", examples=["daily_data_sync"]
    )
    by: Annotated[str, AfterValidator(_time_of_day)] = Field(
        description="Time of day in Shanghai, hours and minutes.", examples=["18:30"]
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> "Expectation":
        if (self.table is None) == (self.task is None):
            raise fault("an expectation needs a table or a task", "Write exactly one of the two.")
        return self

    @property
    def name(self) -> str:
        """The table or task."""
        return self.table or self.task or ""


class Alerts(StrictModel):
    """Channels for messages, and the kinds of events that they report."""

    urls: Annotated[tuple[Annotated[str, AfterValidator(_address)], ...], empty_as(()), AfterValidator(unique)] = Field(
        default=(),
        description="Apprise addresses: 企业微信 `wecombot://`, 钉钉 `dingtalk://`, 飞书 `feishu://`, "
        "e-mail `mailtos://`, webhooks `jsons://` and a hundred others. Put secrets into environment variables.",
        examples=[["wecombot://${WECOM_BOT_KEY}"]],
    )
    on: Annotated[tuple[Kind, ...], empty_as(()), AfterValidator(unique)] = Field(
        default=KINDS,
        description="What is reported: `failure` of a task after its last attempt, its `recovery`, data that is "
        "`late`, a start that was `missed`, a `daemon` that has stopped, a `broken_file`.",
        examples=[["failure", "recovery"]],
    )
    expect: Annotated[tuple[Expectation, ...], empty_as(())] = Field(
        default=(),
        description="What must exist on every trading day, and by when; see below.",
        examples=[[{"table": "daily_bars", "by": "18:30"}]],
    )
    link: str = Field(
        default="",
        description="Address of the web UI in links. Default: that of the running `mystocks ui`.",
        examples=["https://stocks.example.com"],
    )
    rate_limit: Annotated[Integer, Field(ge=1, le=1000)] = Field(
        default=30,
        description="Messages per hour to each address; further ones are combined and sent when the limit allows.",
    )
    group_seconds: Annotated[Integer, Field(ge=0, le=3600)] = Field(
        default=15, description="Events within these seconds are sent in one message."
    )


def written_faults(head: dict[str, Any], tables: frozenset[str], tasks: frozenset[str]) -> Iterator[Fault]:
    """Yield the faults of `alerts` as written: secrets in the file, unknown tables and tasks."""
    alerts = head.get("alerts")
    if not isinstance(alerts, dict):
        return
    for index, url in enumerate(_list(alerts, "urls")):
        if isinstance(url, str) and _shows_secret(url):
            path: Path = ("alerts", "urls", index)
            yield Fault(
                path, "the file contains a secret", "Put it into an environment variable, and write ${NAME} instead."
            )
    for index, entry in enumerate(_list(alerts, "expect")):
        for field, known in (("table", tables), ("task", tasks)):
            name = entry.get(field) if isinstance(entry, dict) else None
            if isinstance(name, str) and name not in known:
                yield _unknown(("alerts", "expect", index, field), field, name, known)


def _unknown(path: Path, field: str, name: str, known: frozenset[str]) -> Fault:
    return Fault(path, f"there is no {field} {name!r}", suggest(name, sorted(known), allowed="There are"))


def _list(alerts: dict[str, Any], key: str) -> list[Any]:
    value = alerts.get(key)
    return value if isinstance(value, list) else []


def secret_query(name: str) -> bool:
    """Return whether a query parameter of an address is secret; a header is the parameter `+X-Token`."""
    name = name.lower()
    return is_secret(name) or name in {"key", "sign"}


def _shows_secret(url: str) -> bool:
    """Return whether an address holds a key or a password that is not a variable."""
    if (whole := re.fullmatch(r"\$\{\w+:-([^}]*)\}", url)) is not None:
        return _shows_secret(whole[1])
    # Variables may hold the separators of an address: they are replaced while it is split.
    variables = _VARIABLE.findall(url)
    numbers = iter(range(len(variables)))
    url = _VARIABLE.sub(lambda _: f"\0{next(numbers)}\0", url)
    parts = [re.sub(r"\0(\d+)\0", lambda match: variables[int(match[1])], part) for part in _secret_parts(url)]
    return any(MASK in variables_only(part) for part in parts)


def _secret_parts(url: str) -> Iterator[str]:
    """Yield the parts of an address that are secret, or look like a key."""
    scheme, _, rest = url.partition("://")
    location, _, query = rest.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&")]
    yield from (value for name, _, value in pairs if secret_query(name))
    authority, *path = [part for part in location.split("/") if part] or [""]
    login, _, host = authority.rpartition("@")
    user, _, password = login.partition(":")
    match scheme.lower():
        case "ntfy" | "ntfys":
            yield from (password, *_topics(user, host, path))
        case known if keys := _KEYS.get(known):
            yield password
            yield from (part for name, part in (("user", user), ("host", host)) if name in keys)
            yield from (part for index, part in enumerate(path) if {index, index - len(path)} & keys)
            yield from (part for part in path if known == "slack" and _KEY.search(part))
        case known if known in HOSTS:
            yield password
        case _:
            # Some addresses have a sender after the key: `sendgrid://${KEY}:me@example.com`.
            yield from (part for part in (user, host, *path, password) if _KEY.search(part))
            yield password if "\0" not in user else ""


def _topics(user: str, host: str, path: list[str]) -> Iterator[str]:
    """Yield a token, and the topics of the public ntfy.sh, which anybody who knows them can read."""
    if user.startswith("tk_"):
        yield user
    if host == "ntfy.sh":
        yield from path
    elif not path or not re.search(r"[.:\0]|^localhost$", host):  # not a server of the user's own
        yield from (host, *path)
