"""The reference manual and the JSON Schema say what the models say."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mystocks_dagster.taskfile.alerts import Alerts, Expectation
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task, TaskFile
from mystocks_dagster.taskfile.reader import load_text
from mystocks_dagster.taskfile.reference import REFERENCE, SCHEMA, reference_text
from mystocks_dagster.taskfile.schedule import Schedule
from mystocks_dagster.taskfile.schema import schema_text, task_file_schema
from mystocks_dagster.taskfile.yaml.source import parse_text

REMEDY = "run: python -m mystocks_dagster.taskfile.reference"


@pytest.fixture(scope="module")
def invalid() -> Callable[[str], list[str]]:
    """Return the messages of a JSON Schema validator for a task file's text."""
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft7Validator(task_file_schema())
    return lambda text: [error.message for error in validator.iter_errors(parse_text(text, "x").data)]


def test_the_manual_is_in_step_with_the_models():
    assert REFERENCE.read_text(encoding="utf-8") == reference_text(), REMEDY


def test_the_schema_is_in_step_with_the_models():
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), REMEDY


@pytest.mark.parametrize("model", [TaskFile, Task, Schedule, Group, Alerts, Expectation])
def test_every_field_is_in_the_manual_with_its_meaning(model: type[Any]):
    text = reference_text()
    for name, field in model.model_fields.items():
        assert re.search(rf"^\| `{name}` \| .*{re.escape(field.description)}", text, re.MULTILINE), name


def test_every_example_in_the_manual_loads():
    blocks = re.findall(r"```yaml\n(.*?)```", reference_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        assert load_text(block, Path("tasks.yaml"), environment={}).problems == ()


def test_the_schema_is_one(invalid: Callable[[str], list[str]]):
    import jsonschema

    jsonschema.Draft7Validator.check_schema(json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_the_shipped_file_obeys_the_schema(invalid: Callable[[str], list[str]]):
    text = (REFERENCE.parent.parent / "tasks.yaml").read_text(encoding="utf-8")
    assert invalid(text) == []


TASK = "tasks:\n- {task_id: a, task_type: cron, task_module: m, task_function: f, %s}\n"


@pytest.mark.parametrize(
    "line",
    [
        "timeout: '${X}'",
        "enabled: '${X:-true}'",
        "priority: high",
        "priority: 7",
        "tags: ~",
        "params: ~",
        "schedule: ~",
        "timeout: null",
        "schedule: {schedule_type: once, start_time: '2026-10-19T09:00:00'}",
        "schedule: {schedule_type: interval, interval_seconds: '${X}'}",
    ],
)
def test_the_schema_allows_what_the_reader_reads(line: str, invalid: Callable[[str], list[str]]):
    assert invalid(TASK % line) == []


@pytest.mark.parametrize(
    "line",
    [
        "shedule: {}",
        "timeout: soon",
        "timeout: 0",
        "priority: urgent",
        "tags: a",
        "enabled: 1",
        "schedule: {}",
        "schedule: {schedule_type: crom}",
        "schedule: {schedule_type: once, start_time: '09:00'}",
        "schedule: {schedule_type: interval, interval_seconds: 4}",
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(line: str, invalid: Callable[[str], list[str]]):
    assert invalid(TASK % line)


INDICATORS = (
    "tasks:\n- {task_id: a, task_type: manual, task_module: mystocks_dagster.tasks.indicators,"
    " task_function: calculate_technical_indicators, params: {indicators: [%s]}}\n"
)


def test_the_schema_knows_the_indicators_and_their_parameters(invalid: Callable[[str], list[str]]):
    for entry in ("MA", "{name: MA, windows: [5, 250]}", "{name: 趋势, formula: 'MA(C,N)', n: 5}"):
        assert invalid(INDICATORS % entry) == []
    for entry in ("MAA", "{name: MA, windows: [0]}", "{name: CCI, m: 5}", "{name: BOLL, n: 1}", "~", "5"):
        assert invalid(INDICATORS % entry)


def test_defaults_are_tasks_of_which_nothing_is_required(invalid: Callable[[str], list[str]]):
    assert invalid("defaults: {timeout: 5, schedule: {timezone: UTC}}\ntasks: []\n") == []
    assert invalid("defaults: {timeuot: 5}\ntasks: []\n")
    assert invalid("defaults: {task_id: a}\ntasks: []\n")
    assert invalid("defaults:\ntask_groups:\ntasks:\n") == []
    assert invalid("version: 1\n")
