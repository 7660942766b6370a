"""Logs, output and progress reach the caller with nothing lost."""

import json
import logging
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest


def test_log_lines_keep_their_values(attempt):
    logs = attempt("talks.logs").logs
    assert [(line.level, line.logger) for line in logs] == [
        (logging.INFO, "my.module"),
        (logging.WARNING, "root"),
        (logging.INFO, "my.module"),
        (logging.ERROR, "my.module"),
        (25, "my.module"),
        (logging.INFO, "my.module"),
    ]
    assert logs[0].message == "stored 5 rows of daily_bars"
    assert logs[1].message == "root says {'a': 1}"
    assert logs[2].message.startswith("wrong %d [values ('text',) do not fit this text")
    assert logs[3].message.startswith("divided\nTraceback")
    assert logs[3].message.endswith("ZeroDivisionError: division by zero")
    assert logs[4].level_name == "INFO"
    assert logs[5].message.endswith("… (968,000 characters cut)")


def test_a_log_line_says_whose_it_is(attempt):
    line = attempt("talks.logs", attempt=3).logs[0]
    assert (line.task_id, line.run_id, line.attempt) == ("a_task", "run-1", 3)
    assert line.time.utcoffset() == timedelta(hours=8)


@pytest.mark.parametrize(
    ("level", "count"), [("DEBUG", 7), ("INFO", 6), ("warning", 2), (logging.ERROR, 1), ("CRITICAL", 0)]
)
def test_log_level_decides_what_is_forwarded(attempt, level, count):
    assert len(attempt("talks.logs", log_level=level).logs) == count


def test_debug_is_about_the_tasks_own_lines(attempt):
    assert [line.message for line in attempt("talks.library_debug", log_level="DEBUG").logs] == ["mine"]


def test_output_of_the_body_and_its_children_is_passed_on(attempt):
    output = attempt("talks.prints").output
    assert output["stdout"].decode() == "到 stdout\nfrom a grandchild\nno newline at the end"
    assert output["stderr"] == b"to stderr\n"


def test_by_default_output_goes_to_the_callers_own_streams():
    code = (
        "from mystocks_dagster.execution.attempt import run_attempt\nfrom mystocks_dagster.execution.attempt_spec"
        " import AttemptSpec\nbody = AttemptSpec(task_id='t', module='bodies.talks', function='prints',"
        f" task_packages_path=({str(Path(__file__).parent)!r},))\nprint('before')\nrun_attempt(body, on_log=print,"
        " on_progress=print)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.decode() == "before\n到 stdout\nfrom a grandchild\nno newline at the end"
    assert done.stderr == b"to stderr\n"


def test_ten_megabytes_of_output(attempt):
    heard = attempt("talks.ten_megabytes")
    assert heard.result.metadata == {"lines": 100_000}
    assert heard.output["stdout"] == (b"y" * 99 + b"\n") * 100_000


def test_binary_output_and_a_line_without_end(attempt):
    heard = attempt("talks.binary")
    assert heard.result.metadata == {"done": True}
    assert heard.output["stdout"] == bytes(range(256)) * 10 + b"z" * 1_000_000
    assert heard.output["stderr"] == b"\xff\xfe\n"


def test_log_lines_of_forked_workers_do_not_mix(attempt):
    messages = [line.message for line in attempt("talks.many_processes").logs]
    assert sorted(messages) == sorted(f"{number} {index} {'w' * 5000}" for number in range(4) for index in range(50))


def test_progress_comes_at_most_twice_a_second_and_the_last_always(attempt):
    heard = attempt("talks.progress")
    assert heard.progress[0] == (1, 20_000, "symbol 1")
    assert heard.progress[-1] == (20_000, 20_000, "symbol 20000")
    assert len(heard.progress) <= heard.outcome.seconds * 2 + 2


def test_progress_that_had_to_wait_comes_before_the_next_report(attempt):
    assert attempt("talks.slow_progress").progress == [(1, 3, "one"), (2, 3, "two"), (3, 3, "three")]


def test_secret_parameters_are_masked_everywhere(attempt):
    params = {
        "tushare_token": 'ab"cd-1234',
        "nested": {"password": 987654},
        "vendor_id": "from-the-environment",
        "max_tokens": 4096,
    }
    heard = attempt("talks.secrets", params, secret=frozenset({"vendor_id"}))
    shown = heard.logs[0].message + heard.output["stdout"].decode() + json.dumps(heard.result.metadata)
    assert not [value for value in ("cd-1234", "from-the-environment") if value in shown]
    assert "987654" not in heard.logs[0].message
    assert "4096" in shown
    failed = attempt("talks.secrets", {**params, "fail": True}).error
    assert failed.message == "RuntimeError: login with *** failed"
    assert "cd-1234" not in failed.traceback


def test_the_environment_is_inherited_and_the_root_is_set(attempt, tmp_path, monkeypatch):
    (tmp_path / "tasks.yaml").touch()
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    monkeypatch.delenv("MYSTOCKS_ROOT", raising=False)
    monkeypatch.setenv("MYSTOCKS_LAKE", "s3://bucket/lake")
    found = attempt("talks.environment", {"names": ["MYSTOCKS_LAKE", "MYSTOCKS_ROOT"]}).result.metadata
    assert found == {"MYSTOCKS_LAKE": "s3://bucket/lake", "MYSTOCKS_ROOT": str(tmp_path)}


def test_a_light_function_starts_without_dagster_pandas_or_polars(attempt):
    loaded = set(attempt("talks.modules").result.metadata["modules"])
    assert not loaded & {"dagster", "pandas", "polars", "deltalake", "pydantic", "akshare", "asyncio", "numpy"}


def test_the_caller_needs_no_dagster():
    code = (
        "import sys, mystocks_dagster.execution.attempt, mystocks_dagster.execution.heartbeat; print('dagster' in"
        " sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "False\n"
