"""Where messages go and what they tell: `alerts` of the task file."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from mystocks_dagster.taskfile.problems import Fault, Path, suggest
from mystocks_dagster.taskfile.schedule import Closed, Integer, fault, nothing_is, once_each

Kind = Literal["failure", "recovery", "late", "missed", "daemon", "broken_file"]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: Services whose address is nothing but a key: written out in the file, it is a secret that everybody reads.
_KEYED = frozenset(
    {"wecombot", "dingtalk", "feishu", "lark", "slack", "tgram", "discord", "schan", "pushplus", "wxpusher", "bark", "barks", "pover"}
)


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
        default=None, description="A table of the lake: the trading day's rows must have been written.", examples=["daily_bars"]
    )
    task: str | None = Field(
        default=None, description="Or a task: it must have ended well on the trading day.", examples=["daily_data_sync"]
    )
    by: Annotated[str, AfterValidator(_time_of_day)] = Field(description="Time of day in Shanghai, hours and minutes.", examples=["18:30"])

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

    urls: Annotated[tuple[Annotated[str, AfterValidator(_address)], ...], nothing_is(()), AfterValidator(once_each)] = Field(
        default=(),
        description="Apprise addresses: 企业微信 `wecombot://`, 钉钉 `dingtalk://`, 飞书 `feishu://`, e-mail `mailtos://`, webhooks "
        "`jsons://` and a hundred others. Secrets stand in the environment.",
        examples=[["wecombot://${WECOM_BOT_KEY}"]],
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
        default=30, description="Messages an hour to each address; what comes beyond is joined and told when the hour allows."
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
            yield Fault(path, "a secret stands in the file", "Put it into the environment, and write ${NAME} in its place.")
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


def _shows_secret(url: str) -> bool:
    """Say whether an address holds a key or a password that is no variable."""
    scheme, _, rest = url.partition("://")
    if scheme.lower() in _KEYED:
        return bool(rest) and "${" not in rest
    try:
        password = urlsplit(url).password
    except ValueError:
        return False
    return bool(password) and "${" not in url.partition("@")[0]
