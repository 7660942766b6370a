"""Rows are written in the background, one write at a time, and no error of a write is lost."""

from threading import Event

import pytest

from mystocks_dagster.tasks.background_write import BackgroundWrite


def test_the_next_write_begins_when_the_one_before_is_done():
    done, first = list[str](), Event()

    def slow() -> None:
        first.wait(10)
        done.append("first")

    with BackgroundWrite() as writes:
        writes.begin(slow)
        assert done == []  # the caller goes on
        first.set()
        writes.begin(lambda: done.append("second"))
    assert done == ["first", "second"]


def test_an_error_of_a_write_is_raised_by_the_next_one():
    done = list[str]()
    with BackgroundWrite() as writes:
        writes.begin(lambda: {}["missing"])
        with pytest.raises(KeyError, match="missing"):
            writes.begin(lambda: done.append("second"))
    assert done == []


def test_an_error_of_the_last_write_is_raised_at_the_end():
    with pytest.raises(KeyError, match="missing"), BackgroundWrite() as writes:
        writes.begin(lambda: {}["missing"])


def test_when_the_caller_fails_the_write_is_finished():
    done = list[str]()

    def load() -> None:
        with BackgroundWrite() as writes:
            writes.begin(lambda: done.append("first"))
            raise ValueError("the source failed")

    with pytest.raises(ValueError, match="source"):
        load()
    assert done == ["first"]
