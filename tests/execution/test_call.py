"""A function gets what its signature asks for."""

from datetime import date
from pathlib import Path

import pytest


def test_a_model_and_a_run(attempt, tmp_path, monkeypatch):
    (tmp_path / "tasks.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MYSTOCKS_ROOT", raising=False)
    params = {"symbols": ["600000.SH"], "start_date": date(2025, 4, 7)}
    heard = attempt(
        "signatures.model_and_run", params, attempt=2, days=(date(2025, 4, 8),), source_override="simulated"
    )
    assert heard.result.metadata == {
        "symbols": ["600000.SH"],
        "year": 2025,
        "task": "a_task",
        "run": "run-1",
        "attempt": 2,
        "days": ["2025-04-08"],
        "source": "simulated",
        "root": str(tmp_path),
    }
    assert heard.progress == [(1, 1, "one")]
    assert [line.message for line in heard.logs] == ["typed 2025-04-07"]


@pytest.mark.parametrize(
    ("function", "params", "answer"),
    [
        ("only_model", {"symbols": ["a"]}, {"symbols": ["a"]}),
        ("only_run", {}, {"task": "a_task"}),
        ("dict_and_run", {"a": 1}, {"both": [1, "a_task"]}),
        ("keyword_only", {"a": 1}, {"both": [1, "a_task"]}),
        ("positional_only", {"a": 1}, {"a": 1}),
        ("with_default", {"a": 1}, {"limit": 5}),
        ("anything", {"a": 1}, {"args": 1, "a": 1}),
        ("name_for_the_type_checker", {"a": 1}, {"a": 1}),
        ("none", {}, {"ok": True}),
    ],
)
def test_every_accepted_signature(attempt, function, params, answer):
    assert attempt(f"signatures.{function}", params).result.metadata == answer


@pytest.mark.parametrize(
    ("function", "params", "says"),
    [
        ("three", {}, "has a parameter 'database', which no task gets"),
        ("none", {"a": 1}, "takes no parameters, but the task has a"),
        ("only_model", {"start_date": "yesterday"}, "params.start_date: Input should be a valid date"),
        ("only_model", {"sybmols": []}, "params.sybmols is unknown; allowed: symbols, start_date, api_token"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_before_any_work_and_not_retried(attempt, function, params, says):
    error = attempt(f"signatures.{function}", params).error
    assert (error.type, error.retryable) == ("InvalidParams", False)
    assert says in error.message


def test_a_secrets_wrong_value_is_not_shown(attempt):
    message = attempt("signatures.only_model", {"api_token": "abc" * 60}).error.message
    assert "params.api_token" in message
    assert "abc" not in message


@pytest.mark.parametrize(
    ("name", "says"),
    [("nowhere.x", "no module 'bodies.nowhere'"), ("answers.sede", "has no function 'sede'")],
)
def test_an_unknown_function_is_not_retried(attempt, name, says):
    error = attempt(name).error
    assert (error.type, error.retryable) == ("UnknownName", False)
    assert says in error.message


def test_a_parameter_that_cannot_travel_is_named(attempt):
    from mystocks_dagster.errors import InvalidParams

    with pytest.raises(InvalidParams, match=r"params\.a\[0\] is a object"):
        attempt("answers.seed", {"a": [object()]})


def test_paths_and_dates_travel_as_text(attempt):
    answer = {"day": date(2025, 4, 7), "path": Path("a")}
    assert attempt("answers.given", {"answer": answer}).result.metadata == {"day": "2025-04-07", "path": "a"}


def test_two_megabytes_of_parameters_arrive(attempt):
    answer = {"symbols": [f"{number:06d}.SZ" for number in range(200_000)]}
    assert len(attempt("answers.given", {"answer": answer}).result.metadata["symbols"]) == 200_000
