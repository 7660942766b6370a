"""The table of the contract is complete and true: every field and every failure has a row, and every test that it
names exists."""

import pytest
from support import matrix

CHAPTERS = matrix.read()


@pytest.mark.parametrize("chapter", matrix.MODELS)
def test_every_field_of_a_model_has_a_row_and_no_row_is_about_a_field_that_is_gone(chapter: str) -> None:
    assert {row.name for row in CHAPTERS[chapter]} == set(matrix.MODELS[chapter].model_fields)


def test_the_twelve_failures_are_twelve() -> None:
    rows = CHAPTERS["Twelve failures of the earlier implementation"]
    assert [row.name for row in rows] == [str(number) for number in range(1, 13)]


def test_every_row_says_what_it_does_and_names_a_test_that_exists() -> None:
    known = {
        f"{path.relative_to(matrix.TESTS)}::{name}"
        for path in matrix.TESTS.rglob("test_*.py")
        for name in matrix.functions(path)
    }
    for chapter, rows in CHAPTERS.items():
        for row in rows:
            assert row.does, f"{chapter}, {row.name}: say what it does"
            assert row.tests, f"{chapter}, {row.name}: no test proves it"
            assert set(row.tests) <= known, f"{chapter}, {row.name}: there is no test {sorted(set(row.tests) - known)}"


def test_the_page_is_in_step_with_the_matrix() -> None:
    assert matrix.PAGE.read_text(encoding="utf-8") == matrix.page(), "write it again: python tests/support/matrix.py"
