"""Locks by name that hold on all machines of a database."""

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.postgres import empty_database
from support.project import wait_for

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.shared.locks import Holders, Lock

#: Each needs a server.
pytestmark = pytest.mark.slow

HOLD = """
import sys
from mystocks_dagster.shared.locks import Lock

lock = Lock(sys.argv[1], sys.argv[2], "another machine")
print(lock.take(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def url(postgres: Any) -> str:
    return empty_database(postgres, "locks")


@pytest.fixture
def other(url: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock `one`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, url, "one"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "True\n"
    yield process
    process.kill()
    process.wait()


def test_a_lock_is_free_again_when_its_process_is_killed(url: str, other: subprocess.Popen[str]) -> None:
    mine, holders = Lock(url, "one", "me"), Holders(url)
    assert not mine.take()
    assert holders.of(["one", "two"]) == {"one": ["another machine"]}
    other.kill()
    assert mine.take(patience=20)
    assert holders.of(["one"]) == {"one": ["me"]}
    mine.release()
    wait_for(lambda: holders.of(["one"]) == {}, 60, "the lock to be given back")


def test_several_hold_a_shared_lock_and_each_is_named(url: str) -> None:
    first, second = (Lock(url, "machines", name, shared=True) for name in ("first", "second"))
    assert first.take()
    assert second.take()
    assert Holders(url).of(["machines"]) == {"machines": ["first", "second"]}
    first.release()
    second.release()


def test_after_an_outage_it_is_taken_again_unless_another_has_it(url: str, postgres: Any) -> None:
    mine, holders = Lock(url, "one", "me"), Holders(url)
    assert mine.take()
    assert holders.of(["one"]) == {"one": ["me"]}
    postgres.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'locks';")
    assert mine.keep()
    assert holders.of(["one"]) == {"one": ["me"]}
    postgres.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'locks';")
    thief = Lock(url, "one", "a thief")
    assert thief.take(patience=10)
    assert not mine.keep()
    thief.release()


def test_a_database_that_does_not_answer_is_named_without_its_password() -> None:
    started = time.monotonic()
    with pytest.raises(InstanceError, match=r"does not answer.*dagster\.yaml") as raised:
        Lock("postgresql://me:secret@127.0.0.1:1/stocks", "one", "me").take(patience=5)
    assert "secret" not in str(raised.value)
    assert time.monotonic() - started < 5


def test_a_lock_that_was_given_back_is_free_at_once(url: str) -> None:
    mine, holders = Lock(url, "one", "me"), Holders(url)
    for _ in range(50):
        assert mine.take()
        assert holders.of(["one"]) == {"one": ["me"]}
        mine.release()
        assert holders.of(["one"]) == {}
