"""`alerts` of the task file: what is refused, with its place, and that one mistake leaves the rest."""

from pathlib import Path

import pytest

from mystocks_dagster.taskfile.reader import Version, load_text

SECRET = "2: the file contains a secret Put it into an environment variable, and write ${NAME} instead."


def load(alerts: str, **environment: str) -> Version:
    return load_text(f"alerts:\n{alerts}\ntasks: []\n", Path("tasks.yaml"), environment=environment)


def problems(version: Version) -> list[str]:
    return [f"{one.line}: {one.message} {one.hint}".strip() for one in version.problems]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("  on: [failures]", "2: entry 1 of on cannot be 'failures' Did you mean 'failure'?"),
        ("  rate_limit: 0", "2: rate_limit must be at least 1, found 0"),
        (
            "  expect: [{table: daily_bars, by: 25:00}]",
            "2: '25:00' is not a time of day Write hours and minutes, such as \"18:30\".",
        ),
        ("  expect: [{by: '18:00'}]", "2: an expectation needs a table or a task Write exactly one of the two."),
        ("  expect: [{table: daily_bar, by: '18:00'}]", "2: there is no table 'daily_bar' Did you mean 'daily_bars'?"),
        ("  expect: [{task: nobody, by: '18:00'}]", "2: there is no task 'nobody'"),
        (
            "  urls: [just text]",
            "2: this is not an address An address begins with the service, such as wecombot:// or mailto://.",
        ),
        ("  urls: ['wecombot://693a91f6']", SECRET),
        (
            "  urls: ['mailtos://me:hunter2@example.com']",
            SECRET,
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(line: str, told: str) -> None:
    assert problems(load(line)) == [told]


def test_a_wrong_field_leaves_the_others() -> None:
    version = load("  urls: ['json://host/']\n  rate_limit: 0\n  group_seconds: 3")
    assert version.taskfile.alerts.urls == ("json://host/",)
    assert version.taskfile.alerts.group_seconds == 3
    assert version.taskfile.alerts.rate_limit == 30


def test_a_time_of_day_needs_no_quotes() -> None:
    version = load("  expect: [{table: daily_bars, by: 18:30}]")
    assert problems(version) == []
    assert version.taskfile.alerts.expect[0].by == "18:30"


def test_addresses_take_variables() -> None:
    version = load("  urls: ['wecombot://${KEY}']", KEY="secret-key")
    assert problems(version) == []
    assert version.taskfile.alerts.urls == ("wecombot://secret-key",)


@pytest.mark.parametrize(
    "url",
    [
        "jsons://h/x?token=abcdef12",
        "jsons://h/x?+X-Auth-Token=abcdef12",
        "json://user:hunter2x@host/",
        "mailto://user:${PW:-hunter2x}@smtp.example.cn",
        "dingtalk://literalsecret@${TOKEN}",
        "dingtalk://${SECRET}@literaltoken",
        "ntfy://tokenliteral/topic",
        "ntfy://topic",
        "ntfys://ntfy.sh/topic",
        "ntfy://tk_abcdef@ntfy.example.cn/topic",
        "gotify://host/AbCdEfGh",
        "gotifys://host:8080/below/AbCdEfGh",
        "wecombot://${K:-693a91f6}",
        "wecombot://693a91f6-7abc${REST}",
        "${WHOLE:-wecombot://693a91f6}",
        "bark://api.example.cn/devicekey",
        "tgram://123456:abcdef/${CHAT}",
        "discord://123456/abcdef",
        "slack://${A}/${B}/TIiajkdnlazkcOXrIdevi7FQ",
        "mmost://chat.example.cn/3ccdd113474722377935511fc85d3dd4",
    ],
)
def test_each_secret_part_of_an_address_is_judged(url: str) -> None:
    names = ("PW", "SECRET", "TOKEN", "K", "REST", "WHOLE", "CHAT", "A", "B")
    assert problems(load(f"  urls: ['{url}']", **dict.fromkeys(names, "json://x"))) == [SECRET]


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1:8080/hook",
        "jsons://hooks.example.cn/stocks2026/hook?page=1",
        "json://${HOST:-127.0.0.1}:8080/hook",
        "${WHOLE:-json://127.0.0.1:8080/hook}",
        "mailto://user:${PW}@smtp.example.cn?to=a@b.cn",
        "mailto://127.0.0.1:2525?from=a@b.cn&to=c@d.cn",
        "mailtos://${USER}:${PW}@smtp.example.cn?to=a@b.cn&pass=${PW}",
        "dingtalk://${SECRET}@${TOKEN}/13800000000",
        "wecombot://${K}",
        "tgram://bot${TOKEN}/-1001234567",
        "slack://${TOKEN}/#general",
        "slack://bot@${A}/${B}/${C}/general",
        "gotify://push.example.cn:8080/${TOKEN}",
        "ntfy://ntfy.example.cn/stocks",
        "ntfy://localhost/stocks",
        "ntfys://ntfy.sh/${TOPIC}",
        "bark://api.example.cn/${KEY}",
        "discord://123456/${TOKEN}",
        "sendgrid://${KEY}:me@example.cn",
        "mqtt://broker-01.example.cn/stocks",
        "syslog://",
    ],
)
def test_an_address_without_secrets_is_taken(url: str) -> None:
    names = ("PW", "USER", "HOST", "SECRET", "TOKEN", "TOPIC", "K", "KEY", "WHOLE", "A", "B", "C")
    assert problems(load(f"  urls: ['{url}']", **dict.fromkeys(names, "json://x"))) == []
