"""In and out: as YAML or JSON, without loss and without secrets."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mystocks_dagster.taskfile.edit.serialization import export_text, import_file, replacing, to_dict
from mystocks_dagster.taskfile.edit.splice import merge_patch
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.reader import load_text, read_task_file
from mystocks_dagster.taskfile.yaml.dump import dump, text_of
from mystocks_dagster.taskfile.yaml.source import parse_text

Write = Callable[..., Path]

TEXT = """\
# kept
task_packages: [taskfile_samples]
defaults: {timeout: 60}
tasks:
  - task_id: a   # the first
    task_name: 任务一
    task_type: cron
    task_module: taskfile_samples.jobs
    task_function: plain
    timeout: ${LIMIT:-90}
    schedule: {schedule_type: once, start_time: 2026-10-19T09:00:00, enabled: "${ON:-true}"}
    params:
      token: x-${TOKEN}
      symbols: [000001, "600000"]
task_groups:
  - group_id: g
    tasks: [a]
"""
ENVIRONMENT = {"TOKEN": "s3cret"}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_an_export_reads_back_as_the_same_file(form: str, write: Write, tmp_path: Path):
    path = write(TEXT)
    text = export_text(path, form)  # type: ignore[arg-type]
    again = tmp_path / f"exported.{form}"
    again.write_text(text, encoding="utf-8")
    assert read_task_file(again) == read_task_file(path)
    assert "s3cret" not in text
    assert ("# the first" in text) is (form == "yaml")


def test_an_export_of_json_as_yaml_is_yaml(write: Write, tmp_path: Path):
    path = tmp_path / "tasks.json"
    path.write_text(export_text(write(TEXT), "json"), encoding="utf-8")
    text = export_text(path, "yaml")
    assert text.startswith("task_packages:\n  - taskfile_samples\n")
    assert load_text(text, tmp_path / "x.yaml").taskfile == read_task_file(path)


def test_an_export_can_be_imported_into_an_empty_file(write: Write, tmp_path: Path):
    source, target = write(TEXT), write("# mine\ntasks: []\n", "other.yaml")
    exported = tmp_path / "export.json"
    exported.write_text(export_text(source, "json"), encoding="utf-8")
    edit = import_file(target, exported)
    assert edit.after.startswith("# mine\n")
    ours, theirs = read_task_file(target), read_task_file(source)
    assert (ours.tasks, ours.task_groups, ours.task_packages) == (
        theirs.tasks,
        theirs.task_groups,
        theirs.task_packages,
    )
    assert import_file(target, exported).diff == ""


def test_an_import_takes_what_the_file_says_of_itself_where_ours_says_nothing(write: Write):
    head = 'version: "2.1"\ndescription: 每日数据\nalerts: {urls: ["json://127.0.0.1:9/x"], group_seconds: 5}\n'
    source, target = write(head + TEXT, "theirs.yaml"), write("version: 7\n# mine\ntasks: []\n", "other.yaml")
    exported = write(export_text(source, "json"), "export.json")
    import_file(target, exported)
    ours, theirs = read_task_file(target), read_task_file(source)
    assert ours.model_copy(update={"version": theirs.version, "defaults": theirs.defaults}) == theirs
    assert ours.version == 7
    assert import_file(target, exported).diff == ""


def test_of_the_defaults_a_task_is_given_what_its_function_takes(write: Write):
    theirs = write(
        "task_packages: [taskfile_samples]\ndefaults: {params: {nosuch: 1, days: 4}}\ntasks:\n"
        "- {task_id: t, task_type: manual, task_module: taskfile_samples.jobs, task_function: typed}\n",
        "theirs.yaml",
    )  # fmt: skip
    target = write("tasks: []\n", "ours.yaml")
    import_file(target, theirs)
    assert read_task_file(target).tasks == read_task_file(theirs).tasks
    assert read_task_file(target).tasks[0].params == {"days": 4}


def test_an_import_replaces_what_has_the_same_id_and_keeps_comments(write: Write):
    path = write(TEXT)
    incoming = write(
        "task_packages: [taskfile_samples]\ntasks:\n"
        "- {task_id: a, task_type: cron, task_module: taskfile_samples.jobs, task_function: plain, timeout: 5}\n"
        "- {task_id: b, task_type: manual, task_module: taskfile_samples.jobs, task_function: plain}\n",
        "incoming.yaml",
    )  # fmt: skip
    before = import_file(path, incoming, dry_run=True)
    assert path.read_text(encoding="utf-8") == TEXT
    assert import_file(path, incoming).after == before.after
    first, second = read_task_file(path).tasks
    assert (first.timeout, first.schedule, first.params, second.task_id) == (5, None, {}, "b")
    assert "- task_id: a   # the first\n" in path.read_text(encoding="utf-8")


def test_an_import_of_a_wrong_file_changes_nothing(write: Write):
    path, incoming = write(TEXT), write("tasks:\n- {task_id: z, task_type: manul}\n", "incoming.yaml")
    with pytest.raises(TaskFileError, match=r"incoming\.yaml:2:27: task_type cannot be 'manul'"):
        import_file(path, incoming)
    assert path.read_text(encoding="utf-8") == TEXT


def test_an_entry_is_written_without_defaults_and_with_its_variables(write: Write):
    assert to_dict(read_task_file(write(TEXT)).tasks[0]) == {
        "task_id": "a",
        "task_name": "任务一",
        "task_type": "cron",
        "task_module": "taskfile_samples.jobs",
        "task_function": "plain",
        "params": {"token": "x-${TOKEN}", "symbols": ["000001", "600000"]},
        "schedule": {
            "schedule_type": "once",
            "enabled": "${ON:-true}",
            "cron_expression": None,
            "interval_seconds": None,
            "timezone": "Asia/Shanghai",
            "start_time": "2026-10-19T09:00:00+08:00",
            "end_time": None,
            "trading_days_only": False,
            "misfire": "latest",
            "misfire_grace_time": None,
        },
        "timeout": "${LIMIT:-90}",
    }


_TEXTS = st.text(max_size=12) | st.sampled_from(
    ["yes", "0755", "1e3", "a: b", "# c", "- x", "${A}", "每日，同步。", "2025-01-01", "~", " x", "x ", "é\x85\u2028"]
)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.dictionaries(_TEXTS.filter(lambda key: key != "<<"), _VALUES, max_size=4).filter(bool))
def test_whatever_is_written_reads_back_as_the_same_values(value: dict[str, object]):
    assert parse_text(dump(value), "x").data == value


@settings(max_examples=60, deadline=None)
@given(_VALUES.filter(lambda value: value not in ({}, None)))
def test_one_line_reads_back_as_the_same_value(value: object):
    assert parse_text(f"key: {text_of(value)}\n", "x").data == {"key": value}


_FLAT = st.dictionaries(
    st.sampled_from("abc"),
    st.integers(0, 3)
    | st.lists(st.integers(0, 2), max_size=2)
    | st.dictionaries(st.sampled_from("xy"), st.integers(0, 2)),
)


@given(_FLAT, _FLAT)
def test_replacing_turns_one_entry_into_the_other(old: dict[str, object], new: dict[str, object]):
    assert merge_patch(old, replacing(old, new)) == new
    assert replacing(new, new) == {}


def test_json_of_the_former_system_is_what_json_dumps_writes(write: Write):
    task = {
        "task_id": "t",
        "task_name": "测试",
        "task_type": "cron",
        "task_module": "taskfile_samples.jobs",
        "task_function": "plain",
        "description": None,
        "priority": 500,
        "schedule": {
            "schedule_type": "cron", "cron_expression": "0 16 * * *", "interval_seconds": None, "start_time": None,
            "end_time": None,
            "enabled": True,
        },
        "params": {"a": None},
        "timeout": None,
        "dependencies": [],
        "tags": [],
    }  # fmt: skip
    exported = {"export_time": "2025-10-01T12:00:00.000001", "tasks": [task], "task_groups": []}
    incoming = write(json.dumps({"task_packages": ["taskfile_samples"], **exported}), "export.json")
    path = write(TEXT)
    import_file(path, incoming)
    assert [task.task_name for task in read_task_file(path).tasks] == ["任务一", "测试"]
