"""Each kind of mistake: where it is told to be, what was found, and what is allowed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mystocks_dagster.taskfile.problems import Problem
from mystocks_dagster.taskfile.reader import check_task_file

Check = Callable[[str], list[Problem]]

# The task starts in line 3 (see `head` and `task`), its own lines in line 7; keys stand in column 5.
IN_A_TASK = {
    "unknown key": ("shedule: {}", 7, 5, "tasks[0].shedule", "unknown key 'shedule'", "Did you mean 'schedule'?"),
    "key known elsewhere": (
        "depends_on: []",
        7,
        5,
        "tasks[0].depends_on",
        "unknown key 'depends_on'",
        "Did you mean 'dependencies'?",
    ),
    "text for a number": (
        "timeout: soon",
        7,
        14,
        "tasks[0].timeout",
        "timeout must be a whole number, found 'soon'",
        "",
    ),
    "number in quotes": (
        'retry_count: "3"',
        7,
        18,
        "tasks[0].retry_count",
        "retry_count must be a whole number, found '3'",
        "Write it without quotes.",
    ),
    "fraction": ("timeout: 1.5", 7, 14, "tasks[0].timeout", "timeout must be a whole number, found 1.5", ""),
    "true for a number": ("timeout: true", 7, 14, "tasks[0].timeout", "timeout must be a whole number, found true", ""),
    "number for true": (
        "auto_restart: 1",
        7,
        19,
        "tasks[0].auto_restart",
        "auto_restart must be true or false, found 1",
        "",
    ),
    "owner whose address is cut off": (
        "owner: data@",
        7,
        12,
        "tasks[0].owner",
        "'data@' cannot be an owner: it has an @ and is not an e-mail address",
        "Write a name such as 数据组 or team:data, or an e-mail address such as data@example.com.",
    ),
    "team without a name": (
        'owner: "team:"',
        7,
        12,
        "tasks[0].owner",
        "'team:' cannot be an owner: it is blank",
        "Write a name such as 数据组 or team:data, or an e-mail address such as data@example.com.",
    ),
    "number for text": (
        "description: 7",
        7,
        18,
        "tasks[0].description",
        "description must be text, found 7",
        'Write it in quotes: "7".',
    ),
    "text for a list": (
        "tags: daily",
        7,
        11,
        "tasks[0].tags",
        "tags must be a list, found 'daily'",
        "Write ['daily'].",
    ),
    "texts with commas for a list": (
        "tags: 日线,核心, daily",
        7,
        11,
        "tasks[0].tags",
        "tags must be a list, found '日线,核心, daily'",
        "Write ['日线', '核心', 'daily'].",
    ),
    "number for a list of texts": (
        "tags: 600519",
        7,
        11,
        "tasks[0].tags",
        "tags must be a list, found 600519",
        "Write ['600519'].",
    ),
    "number in a list": (
        "tags: [a, 5]",
        7,
        15,
        "tasks[0].tags[1]",
        "entry 2 of tags must be text, found 5",
        'Write it in quotes: "5".',
    ),
    "list for a mapping": ("params: [1]", 7, 13, "tasks[0].params", "params must be a mapping, found a list", ""),
    "negative": ("retry_count: -1", 7, 18, "tasks[0].retry_count", "retry_count must be at least 0, found -1", ""),
    "absurd": (
        "timeout: 99999999999",
        7,
        14,
        "tasks[0].timeout",
        "timeout must be at most 2592000, found 99999999999",
        "",
    ),
    "zero instances": (
        "max_instances: 0",
        7,
        20,
        "tasks[0].max_instances",
        "max_instances must be at least 1, found 0",
        "",
    ),
    "unknown priority": (
        "priority: hihg",
        7,
        15,
        "tasks[0].priority",
        "unknown priority 'hihg'",
        "Did you mean 'high'? Or a number from 1 (first) to 999 (last).",
    ),
    "priority too low": ("priority: 1000", 7, 15, "tasks[0].priority", "priority must be at most 999, found 1000", ""),
    "unknown log level": (
        "log_level: info",
        7,
        16,
        "tasks[0].log_level",
        "log_level cannot be 'info'",
        "Did you mean 'INFO'?",
    ),
    "listed twice": ("tags: [a, b, a]", 7, 11, "tasks[0].tags", "'a' is listed twice", "Keep one of them."),
    "depends on nothing": (
        "dependencies: [synk]",
        7,
        20,
        "tasks[0].dependencies[0]",
        "there is no task 'synk'",
        "Did you mean 'sync'?",
    ),
    "depends on itself": (
        "dependencies: [sync]",
        7,
        20,
        "tasks[0].dependencies[0]",
        "the dependencies form a cycle: sync -> sync",
        "Remove one of them.",
    ),
    "not finite": (
        "params: {x: .inf}",
        7,
        17,
        "",
        ".inf is not a finite number",
        "Put it in quotes to write text.",
    ),
    "unset variable": (
        "params: {token: 'a ${HOME_TOKN} b'}",
        7,
        24,
        "tasks[0].params.token",
        "the environment variable HOME_TOKN is not set",
        "Did you mean ${HOME_TOKEN}?",
    ),
    "half a variable": (
        "params: {token: '${OOPS'}",
        7,
        22,
        "tasks[0].params.token",
        "'${OOPS' is not a variable",
        "Write ${NAME} or ${NAME:-default}; $${ stands for a literal ${.",
    ),
    "variable in a default": (
        "params: {token: '${OUT:-${BASE}}'}",
        7,
        22,
        "tasks[0].params.token",
        "a default can hold neither another variable nor braces",
        "Write ${OUT:-text} with text without braces, or set OUT.",
    ),
    "variable in public": (
        "description: at ${SHORT}",
        7,
        21,
        "tasks[0].description",
        "description cannot contain a variable: it is visible to everybody",
        "Write the text itself.",
    ),
    "variable of a wrong value": (
        "timeout: ${SHORT}s",
        7,
        14,
        "tasks[0].timeout",
        "timeout must be a whole number, found a value from the environment",
        "",
    ),
}


@pytest.mark.parametrize("kind", IN_A_TASK)
def test_a_mistake_in_a_task_is_told_with_its_place(kind: str, check: Check, head: str, task: Callable[..., str]):
    lines, line, column, path, message, hint = IN_A_TASK[kind]
    problems = check(head + task(lines))
    assert [(one.line, one.column, one.path, one.message, one.hint) for one in problems] == [
        (line, column, path, message, hint)
    ]


# The schedule's lines start in line 8, column 7.
IN_A_SCHEDULE = {
    "hour": (
        'schedule_type: cron\ncron_expression: "0 25 * * *"',
        9,
        27,
        "cron_expression",
        "hour 25 is outside 0-23",
        "Hour is 0-23: *, 5, 1-5, */5 or 1,3,5.",
    ),
    "minute, unquoted": (
        "schedule_type: cron\ncron_expression: 60 16 * * *",
        9,
        24,
        "cron_expression",
        "minute 60 is outside 0-59",
        "Minute is 0-59: *, 5, 1-5, */5 or 1,3,5.",
    ),
    "weekday": (
        "schedule_type: cron\ncron_expression: '0 16 * * 1-8'",
        9,
        34,
        "cron_expression",
        "day-of-week 8 is outside 0-7 (1 is Monday, 0 and 7 are Sunday)",
        "Day-of-week is 0-7 (1 is Monday, 0 and 7 are Sunday): *, 5, 1-5, */5 or 1,3,5.",
    ),
    "every field at once": (
        "schedule_type: cron\ncron_expression: '60 24 0 13 x'",
        9,
        25,
        "cron_expression",
        (
            "minute 60 is outside 0-59; hour 24 is outside 0-23; day-of-month 0 is outside 1-31; month 13 is outside"
            " 1-12; day-of-week 'x' cannot be read"
        ),
        "Minute is 0-59: *, 5, 1-5, */5 or 1,3,5.",
    ),
    "six fields": (
        "schedule_type: cron\ncron_expression: '0 0 16 * * 1'",
        9,
        25,
        "cron_expression",
        "a cron expression has five fields, found 6",
        "minute hour day-of-month month day-of-week, such as '30 16 * * 1-5'.",
    ),
    "nickname": (
        "schedule_type: cron\ncron_expression: '@daily'",
        9,
        25,
        "cron_expression",
        "@daily is not one of the five fields",
        "Write '0 0 * * *'.",
    ),
    "zone": (
        "schedule_type: interval\ninterval_seconds: 60\ntimezone: Asia/Shanghia",
        10,
        17,
        "timezone",
        "unknown time zone 'Asia/Shanghia'",
        "Did you mean 'Asia/Shanghai'?",
    ),
    **{
        f"a zone as {zone or 'nothing'}": (
            f"schedule_type: interval\ninterval_seconds: 60\ntimezone: {zone!r}",
            10,
            17,
            "timezone",
            f"unknown time zone {zone!r}",
            "Write Asia/Shanghai, or a name such as America/New_York.",
        )
        for zone in ("GMT+8", "UTC+8", "+08:00", "CST", "Asia/Beijing", "北京时间", "")
    },
    "a folder of zones": (
        "schedule_type: interval\ninterval_seconds: 60\ntimezone: Asia",
        10,
        17,
        "timezone",
        "unknown time zone 'Asia'",
        None,
    ),
    "no cron": (
        "schedule_type: cron",
        8,
        22,
        "schedule_type",
        "schedule_type cron needs cron_expression",
        'Add cron_expression, such as "30 16 * * 1-5".',
    ),
    "no interval": (
        "schedule_type: interval",
        8,
        22,
        "schedule_type",
        "schedule_type interval needs interval_seconds",
        "Add interval_seconds, such as 3600.",
    ),
    "no start": (
        "schedule_type: once",
        8,
        22,
        "schedule_type",
        "schedule_type once needs start_time",
        'Add start_time, such as "2026-10-19T09:00:00".',
    ),
    "no type": (
        "cron_expression: '0 0 * * *'",
        8,
        7,
        "schedule_type",
        "schedule_type is missing",
        "Add schedule_type, such as cron.",
    ),
    "unknown type": (
        "schedule_type: crom",
        8,
        22,
        "schedule_type",
        "schedule_type cannot be 'crom'",
        "Did you mean 'cron'?",
    ),
    "a line that does nothing": (
        "schedule_type: cron\ncron_expression: '0 0 * * *'\ninterval_seconds: 60",
        10,
        7,
        "interval_seconds",
        "interval_seconds has no effect with schedule_type cron",
        "Remove it, or change schedule_type.",
    ),
    "interval too short": (
        "schedule_type: interval\ninterval_seconds: 4",
        9,
        25,
        "interval_seconds",
        "interval_seconds must be at least 5, found 4",
        "",
    ),
    "a time without a date": (
        "schedule_type: once\nstart_time: '09:00'",
        9,
        19,
        "start_time",
        "a time without a date: '09:00'",
        "Write date and time, such as 2026-10-19T09:00:00 or 2026-10-19T09:00:00+08:00.",
    ),
    "a date without a time": (
        "schedule_type: once\nstart_time: 2026-10-19",
        9,
        19,
        "start_time",
        "a date without a time: '2026-10-19'",
        None,
    ),
    "no such day": (
        "schedule_type: once\nstart_time: 2026-02-30T09:00:00",
        9,
        19,
        "start_time",
        "this is not a date and time: '2026-02-30T09:00:00'",
        None,
    ),
    "no such year": (
        "schedule_type: once\nstart_time: 0001-01-01T09:00:00",
        9,
        19,
        "start_time",
        "year 1 is out of range (2000-2100)",
        "Check the year.",
    ),
    "ends before it starts": (
        (
            "schedule_type: interval\ninterval_seconds: 60\nstart_time: 2026-10-19T09:00:00\nend_time:"
            " 2026-10-19T09:00:00+09:00"
        ),
        11,
        17,
        "end_time",
        "end_time 2026-10-19T09:00:00+09:00 is not after start_time 2026-10-19T09:00:00+08:00",
        "This would never fire.",
    ),
    "misfire": (
        "schedule_type: interval\ninterval_seconds: 60\nmisfire: lates",
        10,
        16,
        "misfire",
        "misfire cannot be 'lates'",
        "Did you mean 'latest'?",
    ),
}


@pytest.mark.parametrize("kind", IN_A_SCHEDULE)
def test_a_mistake_in_a_schedule_is_told_with_its_place(kind: str, check: Check, head: str, task: Callable[..., str]):
    lines, line, column, field, message, hint = IN_A_SCHEDULE[kind]
    indented = "\n".join(f"  {one}" for one in lines.splitlines())
    [problem] = check(head + task(f"schedule:\n{indented}"))
    assert (problem.line, problem.column, problem.path, problem.message) == (
        line,
        column,
        f"tasks[0].schedule.{field}",
        message,
    )
    assert hint is None or problem.hint == hint


# `params` of the function `typed` stand in line 8, column 7.
IN_PARAMS = {
    "not taken": ("simbols: []", 8, 7, "simbols", "typed takes no parameter 'simbols'", "Did you mean 'symbols'?"),
    "not allowed": (
        "data_source: akshar",
        8,
        20,
        "data_source",
        "data_source cannot be 'akshar'",
        "Did you mean 'akshare'?",
    ),
    "wrong type": (
        "symbols: [000001, 600000]",
        8,
        25,
        "symbols[1]",
        "entry 2 of symbols must be text, found 600000",
        'Write it in quotes: "600000".',
    ),
    "out of range": ("days: 31", 8, 13, "days", "days must be at most 30, found 31", ""),
    "no date": ("start: soon", 8, 14, "start", None, ""),
}


@pytest.mark.parametrize("kind", IN_PARAMS)
def test_params_that_the_function_does_not_take_are_told(kind: str, check: Check, head: str, task: Callable[..., str]):
    lines, line, column, field, message, hint = IN_PARAMS[kind]
    [problem] = check(head + task(f"params:\n  {lines}", function="typed"))
    assert (problem.line, problem.column, problem.path, problem.hint) == (
        line,
        column,
        f"tasks[0].params.{field}",
        hint,
    )
    assert message in (None, problem.message)


NAMES = {
    "daily.sync": "an id is letters, digits, _ and -, and starts with a letter",
    "9to5": "an id is letters, digits, _ and -, and starts with a letter",
    "每日": "an id is letters, digits, _ and -, and starts with a letter",
    "config": "Dagster reserves this name",
    "in": "Dagster reserves this name",
    "statistics": "/api/tasks/statistics is a call of the REST interface",
    "daily_bars": "daily_bars is a table of the lake; name what the task does, such as sync_daily_bars",
    "sync__asset": "names that end in __asset are created by the project itself",
}


@pytest.mark.parametrize("name", NAMES)
def test_an_id_that_cannot_be_is_refused_with_the_reason(name: str, check: Check, head: str, task: Callable[..., str]):
    [problem] = check(head + task(task_id=f'"{name}"'))
    assert (problem.line, problem.column, problem.message) == (3, 14, f"{name!r} cannot be an id: {NAMES[name]}")


FUNCTIONS = {
    "outside": ("os", "system", "task_module", 15, "'os' is outside the task packages"),
    "outside, hidden": (
        "taskfile_samples.jobs.os",
        "system",
        "task_module",
        15,
        "there is no module 'taskfile_samples.jobs.os'",
    ),
    "unknown module": (
        "taskfile_samples.jbos",
        "plain",
        "task_module",
        15,
        "there is no module 'taskfile_samples.jbos'",
    ),
    "built in": (
        "mystocks_dagster.tasks.data_sinc",
        "x",
        "task_module",
        15,
        "there is no module 'mystocks_dagster.tasks.data_sinc'",
    ),
    "not tasks": (
        "mystocks_dagster.settings",
        "find_root",
        "task_module",
        15,
        "'mystocks_dagster.settings' is outside the task packages",
    ),
    "unknown function": (
        "taskfile_samples.jobs",
        "plian",
        "task_function",
        17,
        "taskfile_samples.jobs has no function 'plian'",
    ),
    "private": (
        "taskfile_samples.jobs",
        "_hidden",
        "task_function",
        17,
        "taskfile_samples.jobs has no function '_hidden'",
    ),
    "a class": (
        "taskfile_samples.jobs",
        "Params",
        "task_function",
        17,
        "taskfile_samples.jobs.Params is not a task function",
    ),
    "imported": (
        "taskfile_samples.jobs",
        "Field",
        "task_function",
        17,
        "taskfile_samples.jobs.Field is not a task function",
    ),
    "raises": (
        "taskfile_samples.raises",
        "f",
        "task_module",
        15,
        "taskfile_samples.raises cannot be imported: ZeroDivisionError: division by zero",
    ),
    "exits": (
        "taskfile_samples.exits",
        "f",
        "task_module",
        15,
        "taskfile_samples.exits cannot be imported: SystemExit: 3",
    ),
    "imports what is not there": (
        "taskfile_samples.needs",
        "f",
        "task_module",
        15,
        "taskfile_samples.needs cannot be imported: ModuleNotFoundError: No module named 'no_such_package_of_mine'",
    ),
}


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_a_function_that_cannot_be_run_is_told(kind: str, check: Check):
    module, function, field, column, message = FUNCTIONS[kind]
    entry = f"- task_id: a\n  task_type: manual\n  task_module: {module}\n  task_function: {function}\n"
    text = f"task_packages: [taskfile_samples]\ntasks:\n{entry}"
    [problem] = check(text)
    line = 5 if field == "task_module" else 6
    column = text.splitlines()[line - 1].index(": ") + 3
    assert (problem.line, problem.column, problem.path, problem.message) == (line, column, f"tasks[0].{field}", message)
    assert problem.hint


def test_near_names_are_offered_for_modules_and_functions(check: Check):
    text = (
        "task_packages: [taskfile_samples]\ntasks:\n- {task_id: a, task_type: manual, task_module: %s, task_function:"
        " %s}\n"
    )
    hints = [
        check(text % names)[0].hint
        for names in (
            ("taskfile_samples.jbos", "plain"),
            ("app.tasks.data_sinc", "x"),
            ("taskfile_samples.jobs", "plian"),
        )
    ]
    assert hints == [
        "Did you mean 'taskfile_samples.jobs'?",
        "Did you mean 'mystocks_dagster.tasks.data_sync'?",
        "Did you mean 'plain'?",
    ]


def test_an_error_inside_a_module_names_its_file_and_line(check: Check, head: str, task: Callable[..., str]):
    [problem] = check((head + task()).replace("taskfile_samples.jobs", "taskfile_samples.raises"))
    assert "taskfile_samples/raises.py:2" in problem.hint
    [problem] = check((head + task()).replace("taskfile_samples.jobs", "taskfile_samples.typo"))
    assert "cannot be imported: SyntaxError" in problem.message
    assert "taskfile_samples/typo.py:1" in problem.hint


@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("os", "os holds no tasks: it belongs to Python itself"),
        ("mystocks_dagster.settings", "mystocks_dagster.settings holds no tasks: it belongs to this project"),
        ("my-tasks", "a package is written like my_tasks or company.tasks"),
    ],
)
def test_a_package_that_can_hold_no_tasks_is_refused(package: str, message: str, check: Check):
    [problem] = check(f"task_packages:\n  - {package}\ntasks: []\n")
    assert (problem.line, problem.column, problem.path, problem.message) == (2, 5, "task_packages[0]", message)


def test_a_package_that_is_nowhere_is_told_with_the_folder(check: Check, tmp_path):
    [problem] = check("task_packages: [nowhere_to_be_found]\ntasks: []\n")
    assert (
        problem.message
        == "the package 'nowhere_to_be_found' was found neither on the Python path nor beside the task file"
        f" ({tmp_path})"
    )


def test_a_manual_task_cannot_have_a_schedule(check: Check, head: str, task: Callable[..., str]):
    [problem] = check(head + task("schedule: {schedule_type: interval, interval_seconds: 60}", kind="manual"))
    assert (problem.line, problem.column, problem.message) == (7, 5, "a manual task is never scheduled")


def test_a_snapshot_cannot_be_caught_up(check: Check, head: str, task: Callable[..., str]):
    schedule = "schedule:\n  schedule_type: cron\n  cron_expression: '0 16 * * *'\n  misfire: all"
    [problem] = check(head + task(schedule, function="snapshot"))
    assert (problem.line, problem.column, problem.path) == (10, 16, "tasks[0].schedule.misfire")
    assert (
        problem.message
        == "misfire cannot be all: snapshot takes a snapshot of the present, which cannot be made up for"
    )
    assert check(head + task(schedule)) == []


def test_params_for_a_function_without_any_are_told(check: Check, head: str, task: Callable[..., str]):
    [problem] = check(head + task("params: {a: 1}", function="nothing"))
    assert (problem.line, problem.column, problem.message) == (7, 5, "nothing takes no parameters")


def test_a_validator_that_breaks_is_a_problem_of_the_file(check: Check, head: str, task: Callable[..., str]):
    [problem] = check(head + task("params: {value: 1}", function="fragile"))
    assert problem.message == "Fragile cannot check these params: KeyError: 1"


def test_missing_fields_are_told_at_the_entry(check: Check):
    problems = check("tasks:\n  - task_name: x\n")
    assert [(one.line, one.column, one.message) for one in problems] == [
        (2, 5, "task_id is missing"),
        (2, 5, "task_type is missing"),
        (2, 5, "task_module is missing"),
        (2, 5, "task_function is missing"),
    ]
    assert problems[0].hint == "Add task_id, such as daily_data_sync."


def test_a_key_that_occurs_twice_is_told_with_both_lines(check: Check, head: str, task: Callable[..., str]):
    [problem] = check(head + task("timeout: 5\npriority: high\ntimeout: 6"))
    assert (problem.line, problem.column, problem.path, problem.message) == (
        9,
        5,
        "tasks[0].timeout",
        "the key 'timeout' occurs twice",
    )
    assert problem.hint == "It is already in line 7; keep one of them."


def test_ids_are_unique_over_tasks_and_groups(check: Check, head: str, task: Callable[..., str]):
    problems = check(head + task() + task() + "task_groups:\n  - group_id: sync\n    tasks: [sync]\n")
    assert [(one.line, one.column, one.message, one.hint) for one in problems] == [
        (7, 14, "the id 'sync' is used twice", "It is already used in line 3; rename one of them."),
        (12, 15, "the id 'sync' is used twice", "It is already used in line 3; rename one of them."),
    ]


def test_ids_that_differ_only_in_dashes_are_refused(check: Check, head: str, task: Callable[..., str]):
    [problem] = check(head + task(task_id="a-b") + task(task_id="a_b"))
    assert (problem.line, problem.column, problem.message) == (7, 14, "'a_b' and 'a-b' (line 3) differ only in - and _")


def test_circles_are_printed(check: Check, head: str, task: Callable[..., str]):
    first = (
        task("dependencies: [b]", task_id="a")
        + task("dependencies: [c]", task_id="b")
        + task("dependencies: [d, a]", task_id="c")
    )
    second = task(task_id="d") + task("dependencies: [f]", task_id="e") + task("dependencies: [e]", task_id="f")
    problems = check(head + first + second)
    assert [(one.line, one.column, one.message) for one in problems] == [
        (7, 20, "the dependencies form a cycle: a -> b -> c -> a"),
        (26, 20, "the dependencies form a cycle: e -> f -> e"),
    ]


def test_group_members_must_be_tasks(check: Check, head: str, task: Callable[..., str]):
    groups = (
        "task_groups:\n- group_id: one\n  tasks: [sync, snyc]\n- group_id: two\n  tasks: [one]\n- group_id: three\n "
        " tasks: []\n"
    )
    problems = check(head + task() + groups)
    assert [(one.line, one.column, one.path, one.message) for one in problems] == [
        (9, 17, "task_groups[0].tasks[1]", "there is no task 'snyc'"),
        (11, 11, "task_groups[1].tasks[0]", "'one' is a group, not a task"),
        (13, 10, "task_groups[2].tasks", "tasks is empty"),
    ]


FILES = {
    "nothing": ("", 1, 1, "the task file is empty"),
    "only comments": ("# nothing\n", 1, 1, "the task file is empty"),
    "a list": ("- a\n", 1, 1, "a task file is a mapping with `tasks:` in it"),
    "text": ("hello\n", 1, 1, "a task file is a mapping with `tasks:` in it"),
    "no tasks": ("version: 1\n", 1, 1, "the file has no `tasks`"),
    "tasks is no list": ("tasks:\n  a: 1\n", 2, 3, "tasks must be a list"),
    "an entry is no mapping": ("tasks:\n  - a\n", 2, 5, "entry 1 of tasks must be a mapping"),
    "unknown key": ("descripton: x\ntasks: []\n", 1, 1, "unknown key 'descripton'"),
    "tasks twice": ("tasks: []\ntasks: []\n", 2, 1, "the key 'tasks' occurs twice"),
    "default of a wrong type": (
        "defaults:\n  timeout: soon\ntasks: []\n",
        2,
        12,
        "timeout must be a whole number, found 'soon'",
    ),
    "default id": ("defaults:\n  task_id: a\ntasks: []\n", 2, 3, "an id cannot be a default"),
    "tab": ("tasks:\n\t- a: b\n", 2, 1, "a tab in the indentation"),
    "tab after spaces": ("tasks:\n  - task_id: a\n  \ttask_type: b\n", 3, 3, "a tab in the indentation"),
    "quote not closed": (
        'tasks:\n  - task_id: "a\n',
        3,
        1,
        "this is not YAML: found unexpected end of stream while scanning a quoted scalar (line 2)",
    ),
    "wrong indentation": (
        "tasks:\n  - a: 1\n b: 2\n",
        3,
        2,
        "this is not YAML: did not find expected key while parsing a block mapping (line 1)",
    ),
    "colon in text": (
        "description: a: b\ntasks: []\n",
        1,
        15,
        "this is not YAML: mapping values are not allowed in this context",
    ),
    "two documents": ("tasks: []\n---\ntasks: []\n", 2, 1, "a second YAML document starts here"),
    "python object": (
        "tasks: !!python/object/apply:os.system [ls]\n",
        1,
        8,
        "the YAML tag !!python/object/apply:os.system is not allowed",
    ),
    "own tag": ("tasks: !mine []\n", 1, 8, "the YAML tag !mine is not allowed"),
    "unknown alias": ("tasks: *all\n", 1, 8, "*all is undefined: there is no &all above it"),
    "alias of itself": ("tasks: &all [*all]\n", 1, 14, "*all refers to a value that contains it"),
    "too deep": ("tasks: " + "[" * 60 + "\n", 1, 47, "more than 40 levels of nesting"),
    "control character": ("tasks: []\ndescription: a\x07\n", 2, 1, "a character that is not allowed in text: #x0007"),
    "a list as key": ("? [a]\n: b\n", 1, 3, "a key must be text"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_mistake_in_the_file_is_told_with_its_place(kind: str, check: Check):
    text, line, column, message = FILES[kind]
    [problem] = check(text)
    assert (problem.line, problem.column, problem.message) == (line, column, message)


def test_a_bomb_of_aliases_ends_at_once(check: Check):
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for name, inner in zip("bcdefghi", "abcdefgh", strict=True):
        bomb += f"{name}: &{name} [{', '.join([f'*{inner}'] * 9)}]\n"
    [problem] = check(bomb + "tasks: []\n")
    assert problem.message == "aliases add more than 20,000 values"


def test_a_value_without_text_is_told_at_its_key(check: Check, head: str, task: Callable[..., str]):
    [problem] = check(head + task("stop_on_error:"))
    assert (problem.line, problem.column, problem.message) == (
        7,
        5,
        "stop_on_error must be true or false, found nothing",
    )


def test_nothing_can_wait_for_a_supervisor(check: Check, head: str, task: Callable[..., str]):
    watcher = task(task_id="watch", kind="supervisor")
    group = "task_groups:\n  - group_id: all\n    tasks: [sync, watch]\n"
    dependency, member = check(head + task("dependencies: [watch]") + watcher + group)
    message = "'watch' is a supervisor: a run that waits for it never ends"
    hint = "Leave it out: it is kept alive by itself while it is enabled."
    assert (dependency.line, dependency.column, dependency.path) == (7, 20, "tasks[0].dependencies[0]")
    assert (member.line, member.column, member.path) == (14, 19, "task_groups[0].tasks[1]")
    assert {(one.message, one.hint) for one in (dependency, member)} == {(message, hint)}


def test_a_supervisor_may_depend_on_tasks_that_end(check: Check, head: str, task: Callable[..., str]):
    assert check(head + task() + task("dependencies: [sync]", task_id="watch", kind="supervisor")) == []


@pytest.mark.parametrize("name", ["MYSTOCKS_NOT_SET", "MYSTOCKS_MY_KEY"])
def test_a_variable_that_only_has_the_prefix_of_ours_is_not_taken_for_one_of_them(tmp_path: Path, name: str) -> None:
    path = tmp_path / "tasks.yaml"
    path.write_text(f"tasks:\n  - {{task_id: a, params: {{x: '${{{name}}}'}}}}\n", encoding="utf-8")
    ours = {"MYSTOCKS_TASKS": "tasks.yaml", "MYSTOCKS_LAKE": "data"}
    hints = [problem.hint for problem in check_task_file(path, environment=ours) if name in problem.message]
    assert hints == [f"Set it, or give a default: ${{{name}:-default}}."]


@pytest.mark.parametrize("character", ["\\0", "\\e", "\\u202E", "\\u2066", "\\n", "\\t", "\\u200F", "\\x9B"])
@pytest.mark.parametrize(
    ("field", "place"),
    [
        ('task_name: "a{}b"', "task_name"),
        ('tags: [daily, "a{}b"]', "tags"),
        ('description: "a{}b"', "description"),
    ],
)
def test_a_name_that_would_steer_my_terminal_is_refused_with_its_place(
    field: str, place: str, character: str, check: Check, head: str, task: Callable[..., str]
):
    text = head + task(field.format(character))
    if place == "description" and character in ("\\n", "\\t"):
        assert check(text) == []
        return
    [problem] = check(text)
    [line] = [number for number, line in enumerate(text.splitlines(), start=1) if field[:8] in line]
    assert problem.line == line
    assert problem.message.startswith(f"{place} contains the control character U+")
    assert problem.message.isprintable()
    assert "Remove it" in problem.hint


def test_a_group_is_named_in_one_line_and_full_width_blanks_and_emoji_are_no_fault(
    check: Check, head: str, task: Callable[..., str]
):
    text = head + task('task_name: "每日\u3000同步 👨\u200d👩\u200d👧"')
    assert check(text) == []
    assert check(head + task("task_name: >\n      每日\n      同步")) == []
    [problem] = check(text + 'task_groups:\n  - {group_id: all, tasks: [sync], group_name: "晚\\e[2J"}\n')
    assert problem.message == "group_name contains the control character U+001B"
