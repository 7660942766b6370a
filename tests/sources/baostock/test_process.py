"""The process of baostock's client lives no longer than its caller, and never answers late."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import psutil
import pytest
from standin.baostock import BaostockServer
from standin.market import Market

from mystocks_dagster.sources.baostock.process import ClientProcess, Unanswered

pytestmark = pytest.mark.slow

DAY = "2025-04-07"


@pytest.fixture(scope="module")
def running() -> Iterator[BaostockServer]:
    with BaostockServer(Market.small(date.fromisoformat(DAY))) as server:
        yield server


@pytest.fixture
def server(running: BaostockServer) -> BaostockServer:
    running.reset()
    return running


@pytest.fixture
def process(server: BaostockServer) -> Iterator[ClientProcess]:
    process = ClientProcess(*_address(server), 20.0)
    yield process
    process.close()


def _address(server: BaostockServer) -> tuple[str, int]:
    host, port = server.address.split(":")
    return host, int(port)


def _gone(pid: int) -> bool:
    due = time.monotonic() + 20
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > due:
            return False
        time.sleep(0.02)
    return True


def test_it_has_no_dagster_and_what_the_client_prints_is_no_answer(process: ClientProcess):
    answer = process.call("login")
    assert (answer["code"], answer["printed"]) == ("0", "login success!")
    assert process.pid is not None
    modules = {file.path for file in psutil.Process(process.pid).memory_maps()}
    assert not [path for path in modules if "/dagster" in path or "/grpc" in path]


def test_a_call_that_passes_its_deadline_ends_the_process_and_the_next_call_has_a_new_one(server: BaostockServer):
    process = ClientProcess(*_address(server), 20.0)
    process.call("login")
    pid = process.pid
    process._deadline = 0.2
    server.fault("hang")
    with pytest.raises(Unanswered, match=r"did not answer within 0\.2 s"):
        process.call("query_daily_adjust_factor", date=DAY)
    assert pid is not None
    assert _gone(pid)
    assert process.pid is None
    server.reset()
    process._deadline = 20.0
    assert process.call("login")["code"] == "0"
    process.close()


def test_a_process_that_was_killed_is_named(process: ClientProcess, server: BaostockServer):
    process.call("login")
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    _gone(process.pid)
    with pytest.raises(Unanswered, match="the process of its client ended with code -9"):
        process.call("login")


def test_it_is_gone_when_its_handle_is_gone(server: BaostockServer):
    process = ClientProcess(*_address(server), 20.0)
    process.call("login")
    pid = process.pid
    del process
    assert pid is not None
    assert _gone(pid)


def test_no_process_is_left_when_the_caller_is_killed_within_a_call(
    server: BaostockServer, start: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MYSTOCKS_BAOSTOCK", server.address)
    server.fault("hang", "query_trade_dates")
    caller = start("source.trading_days()")
    due = time.monotonic() + 60
    while "query_trade_dates" not in server.calls():
        assert time.monotonic() < due
        time.sleep(0.02)
    (child,) = psutil.Process(caller.pid).children()
    caller.kill()
    caller.wait()
    assert _gone(child.pid)
