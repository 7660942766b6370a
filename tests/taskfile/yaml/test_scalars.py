"""Unquoted text: what is a number, and what only looks like one."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mystocks_dagster.taskfile.problems import Problem
from mystocks_dagster.taskfile.yaml.scalars import finite, scalar

Check = Callable[[str], list[Problem]]

NUMBERS = {
    "1_800": 1800,
    "1_800_000": 1800000,
    "1_0.5": 10.5,
    "1e5": 100000.0,
    ".5": 0.5,
    "5.": 5.0,
    "-1": -1,
    "+1": 1,
    "0": 0,
    "0x1f": 31,
}
TEXTS = [
    "1800_",
    "1__800",
    "2024_",
    "600519_",
    "_1",
    "1_.5",
    "+1_",
    "1_e5",
    "2024__Q",
    "0_1",
    "000001",
    "1:30:00",
    "+",
    "-",
    ".",
    "e5",
    "1.5.2",
]


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers(text: str):
    assert (scalar(text), type(scalar(text))) == (NUMBERS[text], type(NUMBERS[text]))


@pytest.mark.parametrize("text", TEXTS)
def test_what_only_looks_like_a_number_is_text(text: str):
    assert scalar(text) == text


def test_no_short_text_of_number_characters_is_an_exception():
    for length in range(1, 5):
        for characters in itertools.product("0159_.eExX+-", repeat=length):
            scalar("".join(characters))
            finite("".join(characters))


@given(st.text(max_size=40))
def test_no_text_is_an_exception(text: str):
    scalar(text)
    finite(text)


@pytest.mark.parametrize("written", ["1800_", "1__800", "1_.5"])
def test_a_broken_number_where_one_is_needed_is_a_located_mistake(
    written: str, check: Check, head: str, task: Callable[..., str]
):
    [problem] = check(head + task(f"timeout: {written}"))
    assert (problem.line, problem.message) == (7, f"timeout must be a whole number, found '{written}'")


# What YAML reads is not what stands there: the remedy keeps what was written.
WRITTEN = {
    "no": "no",
    "off": "off",
    "1.10": "1.10",
    "1_000": "1_000",
    "null": "null",
    "0x10": "0x10",
    "1e3": "1e3",
    "2026": "2026",
}


@pytest.mark.parametrize("written", WRITTEN)
def test_the_remedy_keeps_what_was_written(written: str, check: Check, head: str, task: Callable[..., str]):
    [problem] = check(head + task(f"tags: [ok, {written}]"))
    assert problem.message == f"entry 2 of tags must be text, found {WRITTEN[written]}"
    assert problem.hint == f'Write it in quotes: "{WRITTEN[written]}".'


def test_an_id_that_is_no(check: Check):
    problems = check(
        "tasks:\n  - task_id: no\n    task_type: manual\n    task_module: app.tasks.maintenance\n    task_function:"
        " cleanup_cache_data\n"
    )
    assert [(one.message, one.hint) for one in problems] == [
        ("task_id must be text, found no", 'Write it in quotes: "no".')
    ]
