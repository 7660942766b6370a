"""`alerts` of the task file: what is refused, with its place, and that one mistake leaves the rest."""

from pathlib import Path

import pytest

from mystocks_dagster.taskfile.reader import Version, load_text

SECRET = "2: a secret stands in the file Put it into the environment, and write ${NAME} in its place."


def load(alerts: str, **environment: str) -> Version:
    return load_text(f"alerts:\n{alerts}\ntasks: []\n", Path("tasks.yaml"), environment=environment)


def problems(version: Version) -> list[str]:
    return [f"{one.line}: {one.message} {one.hint}".strip() for one in version.problems]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("  on: [failures]", "2: entry 1 of on cannot be 'failures' Did you mean 'failure'?"),
        ("  rate_limit: 0", "2: rate_limit must be at least 1, found 0"),
        ("  expect: [{table: daily_bars, by: 25:00}]", "2: '25:00' is no time of day Write hours and minutes, such as \"18:30\"."),
        ("  expect: [{by: '18:00'}]", "2: an expectation names a table or a task Write one of the two."),
        ("  expect: [{table: daily_bar, by: '18:00'}]", "2: there is no table 'daily_bar' Did you mean 'daily_bars'?"),
        ("  expect: [{task: nobody, by: '18:00'}]", "2: there is no task 'nobody'"),
        ("  urls: [just text]", "2: this is no address An address begins with the service, such as wecombot:// or mailto://."),
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
