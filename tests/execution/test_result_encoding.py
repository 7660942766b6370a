"""What a function returns or raises decides how its attempt ended."""

import pytest
from support.load import in_time

from mystocks_dagster.tasks.run import TaskResult


def test_the_seeds_function_gets_and_returns_a_dict(attempt):
    assert attempt("answers.seed", {"batch_size": 1000}).result == TaskResult(metadata={"processed_records": 1000})


def test_none_is_success(attempt):
    assert attempt("answers.nothing").result == TaskResult()


def test_a_dict_without_status_is_success_with_metadata(attempt):
    assert attempt("answers.without_status").result == TaskResult(metadata={"processed": 7})


def test_partial_success_keeps_the_failed_items_and_how_to_run_them_again(attempt):
    result = attempt("answers.partial").result
    assert result.status == "partial_success"
    assert result.failed_items == ("000001.SZ",)
    assert result.retry_params == {"symbols": ["000001.SZ"]}


def test_a_task_result_arrives_as_it_was(attempt):
    from datetime import date

    assert attempt("answers.full").result == TaskResult(
        message="stored",
        rows={"daily_bars": 3},
        days={"daily_bars": (date(2025, 4, 7), date(2025, 4, 8))},
        failed_items=("a", "b"),
        retry_params={"symbols": ["a"]},
        metadata={"spread": 0.5},
    )


def test_an_async_function_is_awaited(attempt):
    assert attempt("answers.waits").result.metadata == {"awaited": True}


def test_values_of_other_types_become_what_json_holds(attempt):
    assert attempt("answers.many_types").result.metadata == {
        "date": "2025-04-07",
        "moment": "2025-04-07T15:00:00+08:00",
        "span": 120.0,
        "money": 12.5,
        "whole": 3,
        "path": "a/b",
        "colour": "red",
        "set": ["a", "b"],
        "tuple": [1, 2],
        "int64": 5,
        "float32": 0.5,
        "bool": True,
        "array": [[1, 2], [3, 4]],
        "day64": "2025-04-07T00:00:00",
        "nanoseconds": "2025-04-07T00:00:00",
        "timestamp": "2025-04-07T00:00:00",
        "nat": None,
        "nan": None,
        "infinite": None,
        "point": {"x": 1},
        "keys": {"2025-04-07": 1, "5": 2},
        "rows": 12,
    }


@pytest.mark.parametrize("status", ["success", "partial_success", "skipped"])
def test_every_other_status_is_no_failure(attempt, status):
    assert attempt("answers.given", {"answer": {"status": status, "message": "why"}}).result == TaskResult(
        status=status, message="why"
    )


def test_status_failed_is_a_failure_with_its_error_and_what_was_done(attempt):
    outcome = attempt(
        "answers.given", {"answer": {"status": "failed", "error": "no rows", "rows": {"stocks": 2}}}
    ).outcome
    assert (outcome.error.type, outcome.error.message, outcome.error.retryable) == ("TaskFailed", "no rows", True)
    assert outcome.result == TaskResult(status="failed", error="no rows", rows={"stocks": 2})


def test_status_failed_without_an_error_says_so(attempt):
    assert "no error" in attempt("answers.given", {"answer": {"status": "failed"}}).error.message


def test_an_unknown_status_is_a_failure_that_names_the_allowed_ones(attempt):
    error = attempt("answers.given", {"answer": {"status": "done"}}).error
    assert error.message == "it returned status 'done'; allowed: success, partial_success, failed, skipped."
    assert not error.retryable


@pytest.mark.parametrize(
    ("function", "names"),
    [
        ("frame", ("tables.bars[1]", "polars.dataframe.frame.DataFrame")),
        ("lock", ("metadata.lock", "_thread.lock")),
        ("itself", ("again.again", "nested too deeply")),
        ("a_list", ("list",)),
        ("generator", ("generator",)),
        ("wrong_rows", ("rows", "many")),
    ],
)
def test_a_result_that_cannot_be_stored_is_a_failure_that_names_key_and_type(attempt, function, names):
    error = attempt(f"answers.{function}").error
    assert error.type == "BadResult"
    assert not error.retryable
    assert all(name in error.message for name in names), error.message


def test_a_result_of_4_mb_arrives_and_one_of_6_mb_is_refused(attempt):
    assert len(attempt("answers.large", {"size": 4_000_000}).result.metadata["text"]) == 4_000_000
    assert "too large" in attempt("answers.large", {"size": 6_000_000}).error.message


def test_what_the_source_does_not_offer_is_skipped(attempt):
    assert attempt("answers.not_offered").result == TaskResult(
        status="skipped", message="recorded has no capital_flow_stock."
    )


@pytest.mark.parametrize(
    ("function", "kind", "message", "retryable"),
    [
        ("unavailable", "SourceUnavailable", "push2.eastmoney.com refused the connection.", True),
        ("changed", "SourceChanged", "no column 收盘.", False),
        ("key_error", "KeyError", "KeyError: 'close'", True),
        ("type_error", "TypeError", "TypeError: object of type 'int' has no len()", False),
        ("nothing_came", "TypeError", "TypeError: 'NoneType' object is not subscriptable", True),
        ("not_allowed", "PermissionError", "PermissionError: [Errno 13] Permission denied: '/x'", False),
        ("not_there_yet", "FileNotFoundError", "FileNotFoundError: [Errno 2] No such file or directory: '/x'", True),
        (
            "wrong_column",
            "polars.exceptions.ColumnNotFoundError",
            "polars.exceptions.ColumnNotFoundError: closing",
            False,
        ),
        ("mute", "bodies.answers.Mute", "bodies.answers.Mute: (its message cannot be shown: ValueError)", True),
        ("leaves", "SystemExit", "the function called sys.exit(3) instead of returning.", True),
        ("interrupted", "KeyboardInterrupt", "KeyboardInterrupt", True),
        ("cancelled", "asyncio.exceptions.CancelledError", "asyncio.exceptions.CancelledError", True),
        (
            "missing_library",
            "ModuleNotFoundError",
            "ModuleNotFoundError: No module named 'a_library_that_nobody_installed'",
            False,
        ),
    ],
)
def test_an_exception_is_a_failure_that_says_whether_a_retry_can_mend_it(attempt, function, kind, message, retryable):
    error = attempt(f"answers.{function}").error
    assert (error.type, error.message, error.retryable) == (kind, message, retryable)


def test_the_traceback_holds_the_users_frames_and_none_of_ours(attempt):
    trace = attempt("answers.caused").error.traceback
    assert "in key_error" in trace
    assert "in caused" in trace
    assert "mystocks_dagster/execution" not in trace


@pytest.mark.parametrize(
    ("function", "message"),
    [("exits", "exit code 7"), ("segfault", "SIGSEGV"), ("killed", "SIGKILL")],
)
def test_a_process_that_dies_is_a_failure_that_says_of_what(attempt, function, message):
    error = attempt(f"answers.{function}").error
    assert (error.type, error.retryable) == ("TaskCrashed", True)
    assert message in error.message


def test_a_crash_in_machine_code_leaves_the_python_stack_on_stderr(attempt):
    assert b"in segfault" in attempt("answers.segfault").output["stderr"]


def test_a_function_that_closes_descriptors_loses_neither_logs_nor_result(attempt, tmp_path):
    heard = attempt("answers.closes_descriptors", {"file": str(tmp_path / "mine")})
    assert heard.result.metadata == {"closed": True}
    assert [line.message for line in heard.logs] == ["after closing"]
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_function_that_closes_its_output_loses_no_result(attempt):
    assert attempt("answers.closes_output").result.metadata == {"closed": True}


def test_a_thread_left_behind_delays_a_result_but_does_not_hold_it(attempt):
    heard = attempt("answers.thread_that_stays")
    assert heard.result.metadata == {"done": True}
    assert in_time(heard.outcome.seconds, 9)
    assert "5 s after its result" in heard.logs[-1].message


def test_only_the_tasks_own_process_gives_the_result(attempt):
    assert attempt("answers.forks_and_both_return").result.metadata == {"from": "parent"}


def test_the_outcome_knows_process_memory_and_time(attempt):
    outcome = attempt("answers.nothing").outcome
    assert outcome.pid > 1
    assert 5e6 < outcome.peak_rss < 500e6
    assert outcome.seconds > 0.01
    assert in_time(outcome.seconds, 5)
