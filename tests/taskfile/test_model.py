"""The values of a task file: defaults, closed and frozen models, times with zones, ids for Dagster."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from mystocks_dagster.taskfile.alerts import Alerts
from mystocks_dagster.taskfile.edit.serialization import to_dict
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.literal_secrets import literal_secrets
from mystocks_dagster.taskfile.model import PRIORITIES, Task, TaskFile
from mystocks_dagster.taskfile.names import DAGSTER_NAMES
from mystocks_dagster.taskfile.reader import load_text
from mystocks_dagster.taskfile.schedule import Schedule

LEAST = {"task_id": "a-b", "task_type": "cron", "task_module": "m", "task_function": "f"}


def test_defaults_are_the_ones_that_are_documented():
    task = Task(**LEAST)
    assert task.model_dump(exclude=set(LEAST)) == {
        "task_name": "a-b",
        "description": "",
        "owner": "",
        "params": {},
        "available_after": None,
        "enabled": True,
        "priority": 500,
        "schedule": None,
        "max_instances": 1,
        "dependencies": (),
        "timeout": None,
        "retry_count": 0,
        "retry_delay": 60,
        "auto_restart": False,
        "stop_on_error": True,
        "tags": (),
        "log_level": "INFO",
    }
    assert Schedule(schedule_type="cron", cron_expression="* * * * *").model_dump() == {
        "schedule_type": "cron",
        "enabled": True,
        "cron_expression": "* * * * *",
        "interval_seconds": None,
        "timezone": "Asia/Shanghai",
        "start_time": None,
        "end_time": None,
        "trading_days_only": False,
        "misfire": "latest",
        "misfire_grace_time": None,
    }


@pytest.mark.parametrize("model", [TaskFile, Task, Schedule, Group, Alerts])
def test_every_field_is_described_and_every_model_closed(model: type[BaseModel]):
    assert [name for name, field in model.model_fields.items() if not field.description] == []
    assert model.model_config["extra"] == "forbid"
    assert model.model_config["frozen"] is True


def test_values_cannot_be_changed():
    with pytest.raises(ValidationError):
        Task(**LEAST).timeout = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "number"),
    [("critical", 100), ("high", 200), ("normal", 500), ("low", 800), ("batch", 900), (1, 1), (999, 999)],
)
def test_priorities_have_names(name: str | int, number: int):
    assert Task(**LEAST, priority=name).priority == number
    assert PRIORITIES.get(str(name), number) == number


def test_dashes_become_underscores_in_dagster():
    assert Task(**LEAST).dagster_name == "a_b"
    assert Group(group_id="x-y", tasks=("a",)).dagster_name == "x_y"


def test_the_names_that_dagster_reserves_are_known():
    from dagster._core.definitions.utils import DISALLOWED_NAMES

    assert DAGSTER_NAMES == DISALLOWED_NAMES


def test_a_time_without_offset_is_in_the_schedules_zone():
    schedule = Schedule(schedule_type="once", start_time="2025-10-17T09:00:00")
    assert schedule.start_time == datetime(2025, 10, 17, 1, tzinfo=UTC)
    schedule = Schedule(schedule_type="once", timezone="America/New_York", start_time="2025-07-01 09:00")
    assert schedule.start_time == datetime(2025, 7, 1, 13, tzinfo=UTC)
    schedule = Schedule(schedule_type="once", timezone="America/New_York", start_time="2025-12-01 09:00")
    assert schedule.start_time == datetime(2025, 12, 1, 14, tzinfo=UTC)


def test_a_time_with_offset_keeps_it():
    schedule = Schedule(schedule_type="once", start_time="2025-10-17T09:00:00+00:00")
    assert schedule.start_time == datetime(2025, 10, 17, 9, tzinfo=UTC)
    assert schedule.model_dump(mode="json")["start_time"] == "2025-10-17T09:00:00Z"


def test_once_has_an_hour_of_grace_and_the_others_no_limit():
    assert Schedule(schedule_type="once", start_time="2025-10-17T09:00:00").grace == timedelta(hours=1)
    assert Schedule(schedule_type="interval", interval_seconds=5).grace is None
    assert Schedule(schedule_type="interval", interval_seconds=5, misfire_grace_time=90).grace == timedelta(seconds=90)


@pytest.mark.parametrize(
    "wrong",
    [
        {"schedule_type": "cron"},
        {"schedule_type": "once", "start_time": "2025-10-17T09:00:00", "interval_seconds": 5},
        {"schedule_type": "cron", "cron_expression": "61 * * * *"},
        {"schedule_type": "interval", "interval_seconds": 4},
    ],
)
def test_a_model_made_in_python_is_checked_like_one_from_a_file(wrong: dict[str, object]):
    with pytest.raises(ValidationError):
        Schedule(**wrong)  # type: ignore[arg-type]


def test_a_manual_task_made_in_python_has_no_schedule_either():
    with pytest.raises(ValidationError, match="never scheduled"):
        Task(**{**LEAST, "task_type": "manual"}, schedule=Schedule(schedule_type="interval", interval_seconds=5))


@pytest.mark.parametrize(
    ("enabled", "schedule", "active"),
    [(True, None, True), (False, None, False), (True, False, False), (False, True, False)],
)
def test_a_task_is_active_when_it_and_its_schedule_are(enabled: bool, schedule: bool | None, active: bool):
    made = None if schedule is None else Schedule(schedule_type="interval", interval_seconds=5, enabled=schedule)
    assert Task(**LEAST, enabled=enabled, schedule=made).active is active


def test_a_secret_that_stands_in_the_file_is_not_shown_but_written_as_it_is():
    params = {
        "password": "hunter2x",
        "login": {"api_key": 12345, "user": "me"},
        "max_tokens": 5,
        "token": None,
        "use_token": True,
    }
    task = Task(**LEAST, params=params)
    shown = {
        "password": "***",
        "login": {"api_key": "***", "user": "me"},
        "max_tokens": 5,
        "token": None,
        "use_token": True,
    }
    assert task.masked()["params"] == shown
    assert task.secrets == {"password", "login"}
    assert to_dict(task)["params"] == params


def test_of_a_secret_with_variables_only_these_are_shown(tmp_path: Path):
    text = f"tasks:\n- {json.dumps({**LEAST, 'params': {'token': 'abcdefgh${A}', 'password': '${B:-hunter2x}', 'url': 'http://${A}/'}})}\n"
    task = load_text(text, tmp_path / "tasks.yaml", functions=False, environment={"A": "from-outside"}).taskfile.tasks[
        0
    ]
    assert task.masked()["params"] == {"token": "***${A}", "password": "${B:-***}", "url": "http://${A}/"}
    assert to_dict(task)["params"] == {"token": "abcdefgh${A}", "password": "${B:-hunter2x}", "url": "http://${A}/"}


def test_a_secret_that_stands_in_the_file_is_warned_of_with_its_line(tmp_path: Path):
    file = tmp_path / "tasks.yaml"
    file.write_text(
        "defaults:\n  params: {api_key: '${KEY:-abc}'}\n"
        "tasks:\n  - task_id: a\n    params:\n      url: http://x/\n      login:\n        password: hunter2x\n"
        "      token: Bearer ${TOKEN}\n"
    )
    hint = "warning: the file contains a secret. Put it into an environment variable, and write ${NAME} instead."
    assert [str(one) for one in literal_secrets(file)] == [f"{file}:2:21: {hint}", f"{file}:8:19: {hint}"]


@pytest.mark.parametrize(("text", "valid"), [("17:30", True), ("+1 09:00", True), ("5 pm", False), ("25:00", False)])
def test_a_time_of_publication_is_hours_and_minutes_or_on_a_later_trading_day(tmp_path: Path, text: str, valid: bool):
    task = f'{{task_id: one, task_type: manual, task_module: m, task_function: f, available_after: "{text}"}}'
    version = load_text(f"tasks:\n  - {task}\n", tmp_path / "tasks.yaml", functions=False)
    if valid:
        assert version.taskfile.tasks[0].available_after == text
        return
    (problem,) = version.problems
    assert (problem.line, problem.path) == (2, "tasks[0].available_after")
    assert '"17:30" or "+1 09:00"' in problem.hint
