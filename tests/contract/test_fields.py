"""No field of the file is forgotten: each changes what Dagster is given, or is named here with the place that handles
it."""

import json
from typing import Any

import pytest
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._serdes import serialize_value
from support.project import Folder

from mystocks_dagster.factory.load import load_definitions
from mystocks_dagster.tags import Metadata
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task, TaskFile
from mystocks_dagster.taskfile.schedule import Schedule

CRON = {"schedule_type": "cron", "cron_expression": "0 16 * * 1-5"}
BASE_TASK = {
    "task_id": "one",
    "task_type": "cron",
    "task_module": "quick",
    "task_function": "work",
    "params": {"a": 1},
    "schedule": CRON,
}
#: Task field to a value that must change the definitions.
TASK_EFFECTS: dict[str, Any] = {
    "task_id": "renamed",
    "task_name": "名字",
    "description": "说明",
    "owner": "数据组",
    "task_type": "data_sync",
    "task_module": "quick2",
    "task_function": "work2",
    "params": {"a": 2},
    "enabled": False,
    "priority": "high",
    "schedule": {**CRON, "cron_expression": "0 17 * * 1-5"},
    "dependencies": ["other"],
    "retry_count": 2,
    "retry_delay": 7,
    "auto_restart": True,
    "stop_on_error": False,
    "tags": ["每日"],
    "timeout": 60,
    "max_instances": 2,
}
#: Task field to the place that handles it without changing what Dagster is given.
TASK_ELSEWHERE = {
    "available_after": "the tick and the function; tests/factory/test_schedules.py, tests/tasks/test_requested_days.py",
    "log_level": "execution: the body's own log lines are filtered in its process",
}
SCHEDULE_EFFECTS: dict[str, Any] = {
    "schedule_type": {"schedule_type": "interval", "interval_seconds": 60, "cron_expression": None},
    "enabled": {"enabled": False},
    "cron_expression": {"cron_expression": "5 16 * * 1-5"},
    "timezone": {"timezone": "America/New_York"},
    "trading_days_only": {"trading_days_only": True},
}
SCHEDULE_ELSEWHERE = {
    "interval_seconds": "the intervals' sensor; tests/factory/test_intervals.py",
    "start_time": "the tick; tests/factory/test_schedules.py",
    "end_time": "the tick; tests/factory/test_schedules.py",
    "misfire": "the tick; tests/factory/test_schedules.py, tests/factory/test_intervals.py, tests/daemon/test_time.py",
    "misfire_grace_time": (
        "the tick; tests/factory/test_schedules.py, tests/factory/test_intervals.py, tests/daemon/test_time.py"
    ),
}
GROUP_EFFECTS: dict[str, Any] = {
    "group_id": "renamed_group",
    "group_name": "组名",
    "description": "组的说明",
    "owner": "team:data",
    "tasks": ["other"],
    "execution_mode": "parallel",
    "enabled": False,
    "schedule": {**CRON, "cron_expression": "0 17 * * 1-5"},
}
FILE_ELSEWHERE = {
    "version": "a tag of all runs; tests/contract/test_shown.py",
    "description": "shown by mystocks list; tests/contract/test_shown.py",
    "defaults": "merged into each task while reading; tests/taskfile",
    "task_packages": "resolved while reading; tests/taskfile",
    "alerts": "not read by the definitions yet",
    "tasks": "each one: TASK_EFFECTS",
    "task_groups": "each one: GROUP_EFFECTS",
}


@pytest.fixture
def fingerprint(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function from a task file's tree to all that Dagster is given, without the copies made for people."""
    for module in ("quick", "quick2"):
        folder.write(f"{module}.py", "def work(params):\n    pass\n\n\ndef work2(params):\n    pass\n")
    monkeypatch.setenv("MYSTOCKS_ROOT", str(folder.root))
    monkeypatch.syspath_prepend(str(folder.root))

    def build(task: dict[str, Any], group: dict[str, Any] | None = None) -> str:
        groups = [group or {"group_id": "all", "tasks": [task["task_id"], "other"], "schedule": CRON}]
        other = {"task_id": "other", "task_type": "manual", "task_module": "quick", "task_function": "work"}
        tree = {"task_packages": ["quick", "quick2"], "tasks": [task, other], "task_groups": groups}
        folder.write("tasks.yaml", json.dumps(tree, ensure_ascii=False))
        repository = load_definitions().get_repository_def()
        snapshot = json.loads(serialize_value(RepositorySnap.from_def(repository)))
        return json.dumps(_without_copies(snapshot), sort_keys=True)

    return build


_COPIES = (Metadata.SETTINGS, Metadata.EVALUATION, Metadata.TASKFILE)


def _without_copies(value: Any) -> Any:
    """Drop the settings for people and for the daemon, and the file's hash, which change with every field."""
    if isinstance(value, dict):
        return {key: _without_copies(item) for key, item in value.items() if key not in _COPIES}
    if isinstance(value, list):
        return [_without_copies(item) for item in value if not (isinstance(item, (list, dict)) and _names_copy(item))]
    return value


def _names_copy(item: Any) -> bool:
    text = json.dumps(item)
    return (
        len(text) < 4000
        and any(name in text for name in _COPIES)
        and ("label" in item if isinstance(item, dict) else True)
    )


@pytest.mark.parametrize("field", TASK_EFFECTS)
def test_every_task_field_changes_what_dagster_is_given(fingerprint: Any, field: str) -> None:
    assert fingerprint(BASE_TASK) != fingerprint({**BASE_TASK, field: TASK_EFFECTS[field]})


@pytest.mark.parametrize("field", SCHEDULE_EFFECTS)
def test_every_schedule_field_changes_what_dagster_is_given(fingerprint: Any, field: str) -> None:
    changed = {name: value for name, value in {**CRON, **SCHEDULE_EFFECTS[field]}.items() if value is not None}
    assert fingerprint(BASE_TASK) != fingerprint({**BASE_TASK, "schedule": changed})


@pytest.mark.parametrize("field", GROUP_EFFECTS)
def test_every_group_field_changes_what_dagster_is_given(fingerprint: Any, field: str) -> None:
    group = {"group_id": "all", "tasks": ["one", "other"], "schedule": CRON}
    assert fingerprint(BASE_TASK, group) != fingerprint(BASE_TASK, {**group, field: GROUP_EFFECTS[field]})


def test_the_same_file_gives_the_same_definitions(fingerprint: Any) -> None:
    assert fingerprint(BASE_TASK) == fingerprint(dict(BASE_TASK))


def test_no_field_is_forgotten() -> None:
    assert set(Task.model_fields) == set(TASK_EFFECTS) | set(TASK_ELSEWHERE)
    assert set(Schedule.model_fields) == set(SCHEDULE_EFFECTS) | set(SCHEDULE_ELSEWHERE)
    assert set(Group.model_fields) == set(GROUP_EFFECTS)
    assert set(TaskFile.model_fields) == set(FILE_ELSEWHERE)
