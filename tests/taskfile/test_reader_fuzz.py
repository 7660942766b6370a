"""Thousands of damaged task files: each ends in a valid TaskFile or in located problems, quickly, and never
otherwise."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mystocks_dagster.taskfile.model import TaskFile
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.reader import check_task_file, load_text, read_task_file
from mystocks_dagster.taskfile.yaml.source import parse_text

pytestmark = pytest.mark.slow

RICH = """\
version: 1.0
description: 每日任务
defaults: {timeout: 60, params: {data_source: akshare}, schedule: {timezone: Asia/Shanghai}}
task_packages: [taskfile_samples]
alerts: {urls: ["json://${HOST:-localhost}"]}
tasks:
  - &a
    task_id: a-one
    task_type: cron
    task_module: taskfile_samples.jobs
    task_function: typed
    priority: high
    schedule:
      schedule_type: cron   # 收盘后
      cron_expression: "30 16 * * 1-5"
      start_time: 2026-10-19T09:00:00
      misfire: all
    params: {symbols: [000001, "600000"], token: "${TOKEN}"}
    tags: [x, y]
  - {<<: *a, task_id: b, task_type: manual, schedule: null, dependencies: [a-one], max_instances: 2}
  - task_id: c
    task_type: data_sync
    task_module: app.tasks.data_sync
    task_function: sync_daily_stock_data
    schedule: {schedule_type: interval, interval_seconds: 5, enabled: false}
    dependencies: [b]
    description: |
      two
      lines
task_groups:
  - group_id: g
    tasks: [a-one, c]
    execution_mode: parallel
"""
#: What breaks readers: YAML's own signs, wrong types, extreme numbers, strange characters.
NASTY = [
    "", "~", "null", "true", "-1", "0", "1e999", ".nan", "9" * 400, "0x" + "f" * 99, "1_0", "[]", "{}", "[[[[", "{{",
    "*a", "&a",
    "!!python/name:os.system", "!!binary aGk=", "!!int x", "<<: *a", "? x", "---", "...", "%YAML 1.1", "|", ">-", "'",
    '"', "`", "@x",
    "#", ": ", "- ", "\t", "\x00", "\x85", "\u2028", "\ufeff", "\N{RIGHT-TO-LEFT OVERRIDE}", "e\u0301", "𝒳", "每",
    "${", "${X}", "${:-}",
    "$${X}", "${TOKEN:-${TOKEN}}", "a" * 300, "a.b.c", "..", "../x", "os", "task_id: a-one", "tasks:", "tasks: 5",
    "- a", "2026-10-19",
    "09:00", "0 0 31 2 *", "*/0 * * * *", "Asia", "a-one", "g", "[a-one, a-one]", "0001-01-01T00:00:00Z",
    "2026-10-19T09:00:00+99:99",
    "{a: {b: [1, {c: 2}]}}", "!x", "1:30", "=", "yes", "\r", "\r\n", "\n", "\n\n  ", "  ", "]", "}", ",", "schedule",
    "params",
    "1_", "5__0", "1_.5", "：", "\u3000", "\u200b", "“", "０", "${A:-${B}}", "0 0 */2 * 3",
]  # fmt: skip


def _damaged(text: str, random_: random.Random) -> str:
    """Return the text with one to four injuries."""
    for _ in range(random_.choice((1, 1, 1, 2, 4))):
        text = random_.choice(INJURIES)(text, random_)
    return text


def _put_in(text: str, random_: random.Random) -> str:
    at = random_.randrange(len(text) + 1)
    return text[:at] + random_.choice(NASTY) + text[at:]


def _cut_out(text: str, random_: random.Random) -> str:
    at = random_.randrange(len(text) + 1)
    return text[:at] + text[at + random_.choice((1, 1, 2, 8, 80)) :]


def _cut_off(text: str, random_: random.Random) -> str:
    return text[: random_.randrange(len(text) + 1)]


def _repeat(text: str, random_: random.Random) -> str:
    at = random_.randrange(len(text) + 1)
    chunk = text[at : at + random_.choice((1, 10, 100))]
    return text[:at] + chunk * random_.choice((2, 3, 30)) + text[at:]


def _another_value(text: str, random_: random.Random) -> str:
    lines = text.split("\n")
    at = random_.randrange(len(lines))
    key, colon, _ = lines[at].partition(": ")
    lines[at] = f"{key}{colon}{random_.choice(NASTY)}"
    return "\n".join(lines)


def _another_order(text: str, random_: random.Random) -> str:
    lines = text.split("\n")
    one, other = random_.randrange(len(lines)), random_.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return "\n".join(lines)


def _another_indent(text: str, random_: random.Random) -> str:
    lines = text.split("\n")
    at = random_.randrange(len(lines))
    lines[at] = (
        random_.choice((" ", "  ", "\t", "    ")) + lines[at]
        if random_.random() < 0.5
        else lines[at][random_.choice((1, 2, 4)) :]
    )
    return "\n".join(lines)


def _another_character(text: str, random_: random.Random) -> str:
    at = random_.randrange(len(text) + 1)
    return (
        text[:at]
        + chr(random_.choice((random_.randrange(128), random_.randrange(0x3000), random_.randrange(0xD800))))
        + text[at + 1 :]
    )


INJURIES = (
    _put_in,
    _cut_out,
    _cut_off,
    _repeat,
    _another_value,
    _another_value,
    _another_order,
    _another_indent,
    _another_character,
)


def _read(text: str) -> str:
    """Return `valid` or `problems`; anything else fails."""
    started = time.process_time()  # the machine may be busy; what counts is the work
    try:
        version = load_text(text, Path("tasks.yaml"), environment={"TOKEN": "s3cret"})
        lines, problems = parse_text(text, "tasks.yaml").lines, version.problems
        assert isinstance(version.taskfile, TaskFile)
    except TaskFileError as error:
        lines, problems = list(error.source_lines), error.problems
        assert problems
    assert time.process_time() - started < 1
    for problem in problems:
        assert 1 <= problem.line <= len(lines) + 1
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1 if problem.line <= len(lines) else True
        assert problem.message
        assert "s3cret" not in str(problem)
        assert problem.render(lines).count("\n") <= 3
    return "problems" if problems else "valid"


def test_the_file_before_the_damage_is_right():
    assert _read(RICH) == "valid"


@pytest.mark.parametrize("batch", range(4))
def test_a_damaged_file_is_a_task_file_or_located_problems(batch: int):
    random_ = random.Random(batch)
    ends = {"valid": 0, "problems": 0}
    for _ in range(1000):
        text = _damaged(RICH, random_)
        try:
            ends[_read(text)] += 1
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error} with this file:\n{text!r}") from error
    # Both ends are reached, or the damage is too small or too great to say anything.
    assert min(ends.values()) > 40


def test_any_bytes_are_a_task_file_or_a_located_problem(write: Callable[[str], Path]):
    random_ = random.Random(1)
    path = write("")
    whole = RICH.encode()
    for _ in range(300):
        at = random_.randrange(len(whole))
        path.write_bytes(whole[:at] + random_.randbytes(random_.choice((1, 2, 20))) + whole[at + 1 :])
        for problem in check_task_file(path, environment={"TOKEN": "s3cret"}):
            assert problem.line >= 1
            assert problem.message


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "? " * 100_000,
        "tasks: [" + "1," * 100_000 + "]",
        "tasks:\n" + "- {}\n" * 5_000,
        "tasks:\n" + "- a: 1\n" * 5_000,
        "tasks: []\n" + "".join(f"k{n}: 1\n" for n in range(5_000)),
        "tasks: []\n" + "k: 1\n" * 5_000,
        "tasks: []\nx: " + "&a " * 10_000,
        "tasks: []\nx: '" + "a\n" * 100_000,
        "tasks: []\nx: |\n" + " a\n" * 100_000,
        "tasks: []\ndescripton: " + "x" * 1_000_000,
        "tasks:\n- task_id: " + "x" * 1_000_000,
        "tasks:\n- {task_id: a, schedule: {schedule_type: cron, cron_expression: '" + "1," * 100_000 + "'}}",
        "tasks:\n- {task_id: a, dependencies: [" + ", ".join(f"n{n}" for n in range(3_000)) + "]}",
        "tasks:\n"
        + "".join(f"- {{task_id: t{n}, dependencies: [{', '.join(f't{m}' for m in range(60))}]}}\n" for n in range(60)),
        "x: &x {" + ", ".join(f"k{n}: {n}" for n in range(2_000)) + "}\ntasks:\n" + "- *x\n" * 2_000,
        "x: &x {" + ", ".join(f"k{n}: {n}" for n in range(2_000)) + "}\ntasks:\n" + "- {<<: *x}\n" * 2_000,
    ],
    ids=lambda text: text[:30].replace("\n", " "),
)
def test_files_made_to_do_harm_end_quickly(text: str, write: Callable[[str], Path]):
    started = time.process_time()
    path = write("")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TaskFileError) as caught:
        read_task_file(path, environment={})
    assert len(str(caught.value)) < 100_000
    # Half a second of a quiet processor; one whose caches and clock others share counts several times that.
    assert time.process_time() - started < 3
