"""What a right file means: defaults, variables, aliases, JSON, and the files of the system that this one replaces."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.taskfile.model import TaskFile, masked_params
from mystocks_dagster.taskfile.reader import check_task_file, content_hash, load_task_file, load_text, read_task_file
from mystocks_dagster.taskfile.yaml.scalars import scalar

Write = Callable[[str], Path]


def _read(path: Path, **environment: str) -> TaskFile:
    return read_task_file(path, environment=environment)


# From the configuration chapter of the document that this system comes from, with its group.
SEED = """
tasks:
  - task_id: "daily_data_sync"
    task_name: "每日股票数据同步"
    task_type: "cron"
    task_module: "app.tasks.data_sync"
    task_function: "sync_daily_stock_data"
    description: "每天收盘后同步当日股票交易数据"
    priority: 200

    schedule:
      schedule_type: "cron"
      cron_expression: "0 16 * * 1-5"
      enabled: true

    params:
      data_source: "akshare"
      include_basic: true
      include_kline: true

    timeout: 3600
    retry_count: 3
    retry_delay: 300

    tags:
      - "daily"
      - "data_sync"
      - "important"

  - task_id: run_strategy_backtest
    task_type: manual
    task_module: app.tasks.backtest
    task_function: run_backtest
    params:
      strategy_id: ""
      start_date: ""
      end_date: ""
      initial_capital: 1000000

task_groups:
  - group_id: "daily_job"
    group_name: "每日数据处理任务组"
    tasks:
      - "daily_data_sync"
    execution_mode: "sequential"  # 顺序执行
    enabled: true
"""


def test_a_file_of_the_former_system_loads_as_it_is(write: Write):
    taskfile = _read(write(SEED))
    task = taskfile.tasks[0]
    assert (task.task_id, task.task_name, task.priority, task.timeout) == (
        "daily_data_sync",
        "每日股票数据同步",
        200,
        3600,
    )
    assert (task.task_module, task.tags) == ("app.tasks.data_sync", ("daily", "data_sync", "important"))
    assert task.schedule is not None
    assert task.schedule.cron_expression == "0 16 * * 1-5"
    assert taskfile.tasks[1].params["start_date"] == ""
    assert taskfile.task_groups[0].tasks == ("daily_data_sync",)


def test_the_former_module_path_is_the_built_in_one(write: Write):
    functions = load_task_file(write(SEED), environment={}).functions
    assert functions["daily_data_sync"].__module__ == "mystocks_dagster.tasks.data_sync"


def test_the_former_systems_json_export_loads(write: Write):
    taskfile = _read(write(SEED))
    tasks = [task.model_dump(mode="json") for task in taskfile.tasks]
    groups = [group.model_dump(mode="json") for group in taskfile.task_groups]
    text = json.dumps({"tasks": tasks, "task_groups": groups}, indent=4)
    assert "\\u6bcf\\u65e5" in text
    again = _read(write(text))
    assert (again.tasks, again.task_groups) == (taskfile.tasks, taskfile.task_groups)


def test_json_may_hold_characters_beyond_the_sixteen_bit_plane(write: Write):
    assert _read(write(json.dumps({"description": "✅ 🚀 完成", "tasks": []}))).description == "✅ 🚀 完成"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3600", 3600), ("1_000", 1000), ("-5", -5), ("0", 0), ("0x1F", 31), ("1.5", 1.5), ("1e3", 1000.0), (".5", 0.5),
        ("000001", "000001"), ("0755", "0755"), ("2025-04-07", "2025-04-07"), ("16:30", "16:30"), ("1.2.3", "1.2.3"),
        (".", "."), ("-", "-"), ("nul", "nul"), ("9" * 50, "9" * 50),
        ("e5", "e5"), ("yes", True), ("Off", False), ("true", True), ("null", None), ("~", None), ("", None),
    ],
)  # fmt: skip
def test_unquoted_text_is_what_people_mean_by_it(text: str, value: object):
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_stock_symbols_keep_their_zeros(write: Write, head: str, task: Callable[..., str]):
    assert _read(write(head + task("params: {symbols: [000001, 000002]}", function="typed"))).tasks[0].params == {
        "symbols": ["000001", "000002"]
    }


def test_a_key_with_everything_below_it_commented_out_is_empty(write: Write, head: str, task: Callable[..., str]):
    [found] = _read(write(head + task("params:\n#  a: 1\ntags:\ndependencies:\nschedule:"))).tasks
    assert (found.params, found.tags, found.dependencies, found.schedule) == ({}, (), (), None)


def test_the_nearest_default_wins(write: Write, head: str, task: Callable[..., str]):
    defaults = (
        "defaults: {timeout: 60, retry_count: 2, tags: [a], schedule: {timezone: UTC}, params: {data_source: akshare,"
        " days: 3}}\n"
    )
    schedule = "schedule: {schedule_type: interval, interval_seconds: 60}"
    first, second, third = _read(
        write(
            defaults + head
            + task(f"timeout: 5\ntags: []\nparams: {{days: 9}}\n{schedule}", task_id="a", function="typed")
            + task("timeout: null", task_id="b")
            + task(task_id="c", kind="manual")
        )
    ).tasks  # fmt: skip
    assert (first.timeout, first.retry_count, first.tags, first.params) == (
        5,
        2,
        (),
        {"data_source": "akshare", "days": 9},
    )
    assert first.schedule is not None
    assert first.schedule.timezone == "UTC"
    assert (second.timeout, second.tags, second.schedule) == (None, ("a",), None)
    assert third.timeout == 60


def test_a_whole_schedule_may_be_a_default_but_not_of_manual_tasks(write: Write, head: str, task: Callable[..., str]):
    defaults = "defaults: {schedule: {schedule_type: interval, interval_seconds: 60}}\n"
    first, second, third = _read(
        write(defaults + head + task(task_id="a") + task(task_id="b", kind="manual") + task("schedule:", task_id="c"))
    ).tasks
    assert first.schedule is not None
    assert (second.schedule, third.schedule) == (None, None)


def test_default_params_go_to_the_functions_that_take_them(write: Write, head: str, task: Callable[..., str]):
    defaults = "defaults: {params: {data_source: simulated, colour: red}}\n"
    typed, plain = _read(write(defaults + head + task(task_id="a", function="typed") + task(task_id="b"))).tasks
    assert typed.params == {"data_source": "simulated"}
    assert plain.params == {"data_source": "simulated", "colour": "red"}


def test_a_wrong_default_is_told_once_where_it_stands(write: Write, head: str, task: Callable[..., str]):
    path = write(
        "defaults:\n  params: {data_source: akshar}\n"
        + head
        + task(task_id="a", function="typed")
        + task(task_id="b", function="typed")
    )
    [problem] = check_task_file(path)
    assert (problem.line, problem.column, problem.path) == (2, 25, "defaults.params.data_source")


def test_variables_come_from_the_environment(write: Write, head: str, task: Callable[..., str]):
    params = (
        "token: a-${TOKEN}-b\n  number: ${LIMIT}\n  other: ${NONE:-x}\n  empty: ${EMPTY:-y}\n  literal: $${NONE} $5"
    )
    lines = "timeout: ${LIMIT}\nparams:\n  " + params
    [found] = _read(write(head + task(lines)), LIMIT="90", TOKEN="s3cret", EMPTY="").tasks
    assert found.timeout == 90
    assert found.params == {"token": "a-s3cret-b", "number": "90", "other": "x", "empty": "y", "literal": "${NONE} $5"}


def test_what_came_from_variables_is_masked_by_what_was_written(write: Write, head: str, task: Callable[..., str]):
    lines = "timeout: ${LIMIT}\nparams: {list: [1, {token: 'a-${TOKEN}'}], other: '${NONE:-x}'}"
    [found] = _read(write(head + task(lines)), LIMIT="90", TOKEN="s3cret").tasks
    assert masked_params(found) == {"list": [1, {"token": "a-${TOKEN}"}], "other": "${NONE:-x}"}
    assert found.masked()["timeout"] == "${LIMIT}"
    assert found.secrets == {"list"}
    assert "s3cret" not in str(found.masked())
    assert found.params["list"][1]["token"] == "a-s3cret"


def test_a_secret_is_not_shown_in_a_problem(write: Write, head: str, task: Callable[..., str]):
    params = "params: {days: '${TOKEN}', symbols: '${TOKEN}', simbols: '${TOKEN}', start: '${TOKEN}'}"
    schedule = (
        "schedule: {schedule_type: '${TOKEN}', cron_expression: '${TOKEN}', timezone: '${TOKEN}', start_time:"
        " '${TOKEN}'}"
    )
    path = write(head + task(f"{params}\n{schedule}\nretry_delay: ${{TOKEN}}\npriority: ${{TOKEN}}", function="typed"))
    problems = check_task_file(path, environment={"TOKEN": "s3cret"})
    assert len(problems) == 10
    assert "s3cret" not in str(problems)


def test_a_secret_that_a_validator_tells_is_not_passed_on(write: Write, head: str, task: Callable[..., str]):
    path = write(head + task("params: {token: '${TOKEN}'}", function="telling"))
    [problem] = check_task_file(path, environment={"TOKEN": "s3cret"})
    assert (problem.line, problem.column, problem.message) == (7, 13, "*** is not known there")


def test_anchors_and_merges_work(write: Write, head: str):
    text = (
        head + "  - &base\n    task_id: a\n    task_type: manual\n    task_module: taskfile_samples.jobs\n"
        "    task_function: plain\n    tags: &t [x]\n"
        "  - <<: *base\n    task_id: b\n  - <<: [{task_id: c, timeout: 5}, *base]\n    tags: *t\n"
    )
    assert [(task.task_id, task.timeout, task.tags) for task in _read(write(text)).tasks] == [
        ("a", None, ("x",)),
        ("b", None, ("x",)),
        ("c", 5, ("x",)),
    ]


def test_a_package_beside_the_task_file_is_found(tmp_path: Path, write: Write):
    (tmp_path / "beside_the_file").mkdir()
    (tmp_path / "beside_the_file" / "work.py").write_text("def run(params):\n    pass\n", encoding="utf-8")
    path = write(
        "task_packages: [beside_the_file]\ntasks:\n"
        "- {task_id: a, task_type: manual, task_module: beside_the_file.work, task_function: run}\n"
    )
    assert load_task_file(path).functions["a"].__module__ == "beside_the_file.work"


def test_a_listed_package_that_this_machine_lacks_is_not_called_outside(write: Write, tmp_path: Path):
    path = write(
        "task_packages: [lacking_here]\ntasks:\n"
        "- {task_id: a, task_type: manual, task_module: lacking_here, task_function: run}\n"
    )
    messages = [problem.message for problem in check_task_file(path)]
    assert set(messages) == {
        f"the package 'lacking_here' was found neither on the Python path nor beside the task file ({tmp_path})"
    }


def test_a_task_file_cannot_import_what_is_not_allowed(write: Write, tmp_path: Path):
    (tmp_path / "not_allowed_here.py").write_text("raise AssertionError('imported')\n", encoding="utf-8")
    path = write("tasks:\n- {task_id: a, task_type: manual, task_module: not_allowed_here, task_function: run}\n")
    assert [problem.message for problem in check_task_file(path)] == ["'not_allowed_here' is outside the task packages"]
    assert "not_allowed_here" not in sys.modules


def test_functions_need_not_be_resolved(write: Write):
    path = write(
        "tasks:\n- {task_id: a, task_type: manual, task_module: nowhere, task_function: run, params: {x: 1}}\n"
    )
    version = load_task_file(path, functions=False)
    assert (version.problems, version.functions) == ((), {})
    assert version.taskfile.tasks[0].params == {"x": 1}


def test_a_version_knows_its_hash_and_lines(write: Write, head: str, task: Callable[..., str]):
    path = write(head + task("tags:\n  - x\n\n# a comment", task_id="a") + "\n" + task(task_id="b"))
    version = load_task_file(path)
    assert version.hash == content_hash(path.read_text(encoding="utf-8"))
    assert version.lines == {"a": (3, 8), "b": (12, 15)}
    assert version.writes == {"a": (), "b": ()}


def _calls(text: str) -> int:
    """Count the calls of Python functions that reading a text takes: a measure of work that no busy machine
    disturbs."""
    count = 0

    def _note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(_note)
    try:
        load_text(text, Path("tasks.yaml"), environment={})
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.slow
def test_work_grows_in_proportion_to_the_number_of_tasks(head: str, task: Callable[..., str]):
    def text(tasks: int) -> str:
        lines = (
            "schedule:\n  schedule_type: cron\n  cron_expression: '0 16 * * 1-5'\nparams:\n  symbols: [a]\ntags: [x,"
            " y]\ndependencies: [%s]"
        )
        return head + "".join(
            task(lines % (f"t{n - 1}" if n else ""), task_id=f"t{n}", function="typed") for n in range(tasks)
        )

    _calls(text(10))
    base, small, large = _calls(text(50)), _calls(text(250)), _calls(text(1250))
    assert (large - small) / 1000 < 1.05 * (small - base) / 200


@pytest.mark.slow
def test_a_thousand_wrong_tasks_are_no_more_than_linear_work_either(head: str, task: Callable[..., str]):
    def text(tasks: int) -> str:
        return head + "".join(
            task(f"dependencies: [x{n}, t{(n + 1) % tasks}]\ntimeuot: 5", task_id=f"t{n}") for n in range(tasks)
        )

    small, large = _calls(text(100)), _calls(text(1000))
    assert large < 15 * small


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("tasks:\n  - {task_id: nightly, task_type: crn}\n", "There are: nightly."),
        ("tasks:\n  - {task_id: nightly, task_type: crn}\n", "Did you mean nightly?"),
        ("tasks: []\n", "The file has none."),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_those_that_are_also_broken_ones(
    write: Write, text: str, named: str
) -> None:
    asked = "nightli" if named.startswith("Did") else "zzz"
    with pytest.raises(UnknownName) as raised:
        load_task_file(write(text), environment={}).find(asked)
    assert str(raised.value).endswith(named)
