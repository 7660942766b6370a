"""Where messages go and what they tell: `alerts` of the task file."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from mystocks_dagster.taskfile.problems import Fault, Path, suggest
from mystocks_dagster.taskfile.schedule import Closed, Integer, fault, nothing_is, once_each
from mystocks_dagster.taskfile.secrets import MASK, is_secret, variables_only

Kind = Literal["failure", "recovery", "late", "missed", "daemon", "broken_file"]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: Services whose address is a host: user and path are no secrets, a password is one.
HOSTS = frozenset(
    {
        "json",
        "jsons",
        "xml",
        "xmls",
        "form",
        "forms",
        "mailto",
        "mailtos",
        "syslog",
        "rsyslog",
        "dbus",
        "gnome",
        "windows",
    }
)
#: Services of whose address these parts are keys: user, host, and places in the path.
_KEYS: dict[str, frozenset[str | int]] = {
    **dict.fromkeys(
        ("wecombot", "feishu", "lark", "schan", "pushplus", "wxpusher", "tgram", "slack"), frozenset({"host"})
    ),
    **dict.fromkeys(("dingtalk", "pover"), frozenset({"user", "host"})),
    "discord": frozenset({0}),
    **dict.fromkeys(("bark", "barks"), frozenset({"user", *range(9)})),
    **dict.fromkeys(("gotify", "gotifys"), frozenset({-1})),
}
#: Of a service that is not listed above, what looks so is taken for a key.
_KEY = re.compile(r"(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{12,}")
_VARIABLE = re.compile(r"\$\{[^}]*\}")


def _time_of_day(value: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise fault(f"{value!r} is no time of day", 'Write hours and minutes, such as "18:30".')
    return value


def _address(value: str) -> str:
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", value) and not value.startswith("${"):
        raise fault("this is no address", "An address begins with the service, such as wecombot:// or mailto://.")
    return value


class Expectation(Closed):
    """What must be there on every trading day, and by when."""

    table: str | None = Field(
        default=None,
        description="A table of the lake: the trading day's rows must have been written.",
        examples=["daily_bars"],
    )
    task: str | None = Field(
        default=None, description="Or a task: it must have ended well on the trading day.", examples=["daily_data_sync"]
    )
    by: Annotated[str, AfterValidator(_time_of_day)] = Field(
        description="Time of day in Shanghai, hours and minutes.", examples=["18:30"]
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> "Expectation":
        if (self.table is None) == (self.task is None):
            raise fault("an expectation names a table or a task", "Write one of the two.")
        return self

    @property
    def name(self) -> str:
        """The table or task."""
        return self.table or self.task or ""


class Alerts(Closed):
    """Where messages about failures go, and what they tell."""

    urls: Annotated[tuple[Annotated[str, AfterValidator(_address)], ...], nothing_is(()), AfterValidator(once_each)] = (
        Field(
            default=(),
            description="Apprise addresses: 企业微信 `wecombot://`, 钉钉 `dingtalk://`, 飞书 `feishu://`, e-mail `mailtos://`, webhooks "
            "`jsons://` and a hundred others. Secrets stand in the environment.",
            examples=[["wecombot://${WECOM_BOT_KEY}"]],
        )
    )
    on: Annotated[tuple[Kind, ...], nothing_is(()), AfterValidator(once_each)] = Field(
        default=KINDS,
        description="What is told: `failure` of a task after its last attempt, its `recovery`, data that is `late`, a start that was "
        "`missed`, a `daemon` that is gone, a `broken_file`.",
        examples=[["failure", "recovery"]],
    )
    expect: Annotated[tuple[Expectation, ...], nothing_is(())] = Field(
        default=(),
        description="What must be there on every trading day, and by when; see below.",
        examples=[[{"table": "daily_bars", "by": "18:30"}]],
    )
    link: str = Field(
        default="",
        description="Address of the web UI in links. Default: that of the running `mystocks ui`.",
        examples=["https://stocks.example.com"],
    )
    rate_limit: Annotated[Integer, Field(ge=1, le=1000)] = Field(
        default=30,
        description="Messages an hour to each address; what comes beyond is joined and told when the hour allows.",
    )
    group_seconds: Annotated[Integer, Field(ge=0, le=3600)] = Field(
        default=15, description="What happens within these seconds is told in one message."
    )


def written_faults(head: dict[str, Any], tables: frozenset[str], tasks: frozenset[str]) -> Iterator[Fault]:
    """Yield what is wrong with `alerts` as it is written: secrets in the file, unknown tables and tasks."""
    found = head.get("alerts")
    if not isinstance(found, dict):
        return
    for index, url in enumerate(_list(found, "urls")):
        if isinstance(url, str) and _shows_secret(url):
            path: Path = ("alerts", "urls", index)
            yield Fault(
                path, "a secret stands in the file", "Put it into the environment, and write ${NAME} in its place."
            )
    for index, entry in enumerate(_list(found, "expect")):
        for field, known in (("table", tables), ("task", tasks)):
            name = entry.get(field) if isinstance(entry, dict) else None
            if isinstance(name, str) and name not in known:
                yield _unknown(("alerts", "expect", index, field), field, name, known)


def _unknown(path: Path, field: str, name: str, known: frozenset[str]) -> Fault:
    return Fault(path, f"there is no {field} {name!r}", suggest(name, sorted(known), allowed="There are"))


def _list(found: dict[str, Any], key: str) -> list[Any]:
    value = found.get(key)
    return value if isinstance(value, list) else []


def secret_query(name: str) -> bool:
    """Say whether what an address has after `?` under a name is secret; headers are written `+X-Token=` there."""
    name = name.lower()
    return is_secret(name) or name in {"key", "sign"}


def _shows_secret(url: str) -> bool:
    """Say whether an address holds a key or a password that is no variable."""
    if (whole := re.fullmatch(r"\$\{\w+:-([^}]*)\}", url)) is not None:
        return _shows_secret(whole[1])
    # Variables may hold the signs that divide an address: they are taken out while it is divided.
    variables = _VARIABLE.findall(url)
    numbers = iter(range(len(variables)))
    url = _VARIABLE.sub(lambda _: f"\0{next(numbers)}\0", url)
    return any(
        MASK in variables_only(re.sub(r"\0(\d+)\0", lambda at: variables[int(at[1])], part))
        for part in _secret_parts(url)
    )


def _secret_parts(url: str) -> Iterator[str]:
    """Yield the parts of an address that are secret, or look so."""
    scheme, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    yield from (value for name, _, value in (pair.partition("=") for pair in query.split("&")) if secret_query(name))
    front, *path = [part for part in place.split("/") if part] or [""]
    login, _, host = front.rpartition("@")
    user, _, password = login.partition(":")
    match scheme.lower():
        case "ntfy" | "ntfys":
            yield from (password, *_topics(user, host, path))
        case known if keys := _KEYS.get(known):
            yield password
            yield from (part for name, part in (("user", user), ("host", host)) if name in keys)
            yield from (part for at, part in enumerate(path) if {at, at - len(path)} & keys)
            yield from (part for part in path if known == "slack" and _KEY.search(part))
        case known if known in HOSTS:
            yield password
        case _:
            # Some have a sender behind the key: `sendgrid://${KEY}:me@example.com`.
            yield from (part for part in (user, host, *path, password) if _KEY.search(part))
            yield password if "\0" not in user else ""


def _topics(user: str, host: str, path: list[str]) -> Iterator[str]:
    """Yield a token, and the topics of the public ntfy.sh: who knows one reads all of it. A server of one's own has a name."""
    if user.startswith("tk_"):
        yield user
    if host == "ntfy.sh":
        yield from path
    elif not path or not re.search(r"[.:\0]|^localhost$", host):
        yield from (host, *path)
