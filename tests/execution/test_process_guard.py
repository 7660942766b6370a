"""Whatever a function does, all of its processes are gone when they must be."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from support.load import in_time
from support.project import wait_for

from mystocks_dagster.execution import process_guard


@pytest.fixture
def timeout(attempt) -> float:
    """A timeout in seconds that no function reaches before it has begun: several times what a start takes here and
    now."""
    return round(0.5 + 4 * attempt("answers.nothing").outcome.seconds, 1)


def cancelled(event, pids, count):
    """Set the event as soon as so many processes of the function have begun."""
    pids(count)
    event.set()


@pytest.mark.parametrize(
    ("function", "processes"),
    [
        ("sleeps", 1),
        ("waits_for_a_socket", 1),
        ("computes_in_c", 1),
        ("matches_for_ever", 1),
        ("ignores_sigterm", 1),
        ("stopped_itself", 1),
        ("has_a_family", 4),
    ],
)
def test_timeout_stops_it_within_five_seconds(attempt, pids, gone, timeout, function, processes):
    heard = attempt(f"hangs.{function}", {"pids": str(pids.file)}, timeout=timeout)
    assert (heard.error.type, heard.error.message, heard.error.retryable) == (
        "TaskTimedOut",
        f"timed out after {timeout:g} s",
        True,
    )
    assert heard.outcome.seconds >= timeout
    assert in_time(heard.outcome.seconds - timeout, 5)
    assert gone(pids(processes))
    if function in ("computes_in_c", "matches_for_ever"):
        assert f"in {function}".encode() in heard.output["stderr"], "where it stood is shown even in machine code"


def test_a_timeout_says_where_the_function_stood(attempt, pids, timeout):
    heard = attempt("hangs.sleeps", {"pids": str(pids.file)}, timeout=timeout)
    assert heard.error.traceback.splitlines()[-1].endswith("stopped by SIGTERM")
    assert "time.sleep(300)" in heard.error.traceback
    assert "execution/task_process.py" not in heard.error.traceback


def test_a_function_may_tidy_up_when_it_is_stopped(attempt, pids, timeout, tmp_path):
    heard = attempt("hangs.tidies", {"pids": str(pids.file), "tidied": str(tmp_path / "tidied")}, timeout=timeout)
    assert heard.error.type == "TaskTimedOut"
    assert (tmp_path / "tidied").read_text() == "tidied"


def test_a_function_that_swallows_the_stop_is_still_timed_out(attempt, pids, timeout):
    assert attempt("hangs.swallows", {"pids": str(pids.file)}, timeout=timeout).error.type == "TaskTimedOut"


def test_a_result_in_time_is_no_timeout(attempt):
    assert attempt("answers.nothing", timeout=30).result.status == "success"


def test_what_a_function_leaves_running_is_ended_and_said(attempt, pids, gone):
    heard = attempt("hangs.has_a_family", {"pids": str(pids.file), "seconds": 0})
    assert heard.result.status == "success"
    assert heard.logs[-1].message == "3 of the processes that it started outlived it and were ended"
    assert gone(pids(4))


@pytest.mark.parametrize("kind", ["event", "callable"])
def test_cancelling_stops_all_of_it(attempt, pids, gone, kind):
    event = threading.Event()
    threading.Thread(target=cancelled, args=(event, pids, 4)).start()
    heard = attempt(
        "hangs.has_a_family", {"pids": str(pids.file)}, should_stop=event if kind == "event" else event.is_set
    )
    assert (heard.error.type, heard.error.retryable) == ("TaskStopped", False)
    assert in_time(heard.outcome.seconds, 1 + 5)
    assert gone(pids(4))


def test_an_interruption_of_the_waiting_thread_stops_all_of_it_and_goes_on(attempt, pids, gone):
    def interrupt():
        pids(4)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        attempt("hangs.has_a_family", {"pids": str(pids.file)})
    assert gone(pids(4))


def test_an_error_in_a_callback_stops_all_of_it_and_goes_on(attempt, pids, gone):
    def broken():
        if pids.file.exists():
            raise RuntimeError("callback")
        return False

    with pytest.raises(RuntimeError, match="callback"):
        attempt("hangs.sleeps", {"pids": str(pids.file)}, should_stop=broken)
    assert gone(pids())


CALLER = """
import os, sys, time
from mystocks_dagster.execution.attempt import run_attempt
from mystocks_dagster.execution.attempt_spec import AttemptSpec
body = AttemptSpec(task_id="t", module="bodies.hangs", function=sys.argv[1], params={"pids": sys.argv[2]},
    task_packages_path=(sys.argv[3],))
if sys.argv[4] == "forks":  # a copy of the caller that holds its pipes open
    import threading
    threading.Timer(0.5, lambda: os.fork() or time.sleep(60)).start()
run_attempt(body, on_log=print, on_progress=print)
"""


def copies_of(caller: int) -> list[psutil.Process]:
    """Return the children of a process that run its own command."""
    process = psutil.Process(caller)
    return [child for child in process.children() if command_of(child) == process.cmdline()]


def command_of(process: psutil.Process) -> list[str]:
    """Return the command line of a process; empty when it has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.parametrize("forks", ["alone", "forks"])
@pytest.mark.parametrize("function", ["has_a_family", "ignores_sigterm"])
def test_a_killed_caller_leaves_no_orphans(pids, gone, function, forks):
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER, function, str(pids.file), str(Path(__file__).parent), forks]
    )
    started = pids(4 if function == "has_a_family" else 1)
    family = psutil.Process(caller.pid).children(recursive=True)
    copies = wait_for(lambda: copies_of(caller.pid), 60, "the copy of the caller") if forks == "forks" else []
    assert len(copies) == len(copies_of(caller.pid)) == (1 if forks == "forks" else 0)
    caller.kill()
    caller.wait()
    assert gone([*started, *(one.pid for one in family if one not in copies)], within=5)
    for one in copies:
        one.kill()


STEP = """
import multiprocessing, sys, time
from mystocks_dagster.execution.attempt import run_attempt
from mystocks_dagster.execution.attempt_spec import AttemptSpec
body = AttemptSpec(task_id="t", module="bodies.hangs", function="sleeps", params={"pids": sys.argv[1]},
    task_packages_path=(sys.argv[2],))
def step():
    run_attempt(body, on_log=print, on_progress=print)
if __name__ == "__main__":
    multiprocessing.get_context("fork").Process(target=step).start()
    time.sleep(60)
"""


def test_a_steps_process_stops_its_task_when_the_run_worker_is_killed(pids, gone):
    worker = subprocess.Popen([sys.executable, "-c", STEP, str(pids.file), str(Path(__file__).parent)])
    started = pids()
    family = psutil.Process(worker.pid).children(recursive=True)
    worker.kill()
    worker.wait()
    assert gone([*started, *(one.pid for one in family)], within=5)


def test_a_killed_guard_takes_the_body_with_it(attempt, pids, gone):
    heard = attempt("hangs.kills_its_guard", {"pids": str(pids.file)})
    assert (heard.error.type, heard.error.retryable) == ("TaskCrashed", True)
    assert "guard" in heard.error.message
    assert gone(pids(2))


def test_a_guard_that_is_stuck_is_killed_with_all_of_it(attempt, pids, gone, timeout):
    heard = attempt("hangs.stops_its_guard", {"pids": str(pids.file)}, timeout=timeout)
    assert heard.error.type == "TaskCrashed"
    assert in_time(heard.outcome.seconds - timeout, 5)
    assert gone(pids(), within=2)  # the body dies of its guard's death, some moments after it


def test_two_attempts_at_once_do_not_disturb_each_other(attempt):
    heard = {}

    def run(number):
        heard[number] = attempt("answers.given", {"answer": {"number": number}})

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: one.result.metadata for number, one in heard.items()} == {
        number: {"number": number} for number in range(6)
    }


def test_an_attempt_leaves_no_open_descriptor(attempt):
    attempt("answers.nothing")
    before = psutil.Process().num_fds()
    for name in ("answers.nothing", "answers.exits", "answers.key_error"):
        attempt(name)
    assert psutil.Process().num_fds() == before


@pytest.fixture
def elsewhere(monkeypatch):
    """The guard's module as it is where there is neither /proc nor a subreaper."""
    monkeypatch.setattr(sys, "platform", "darwin")
    spec = importlib.util.spec_from_file_location("guard_elsewhere", process_guard.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_proc_the_tree_is_read_from_ps(elsewhere):
    child = subprocess.Popen(
        [sys.executable, "-c", "import subprocess; subprocess.run(['sleep', '60'])"], start_new_session=True
    )
    try:
        while not (grandchildren := psutil.Process(child.pid).children()):
            time.sleep(0.05)
        parents, groups = elsewhere.processes()
        assert parents[child.pid] == os.getpid()
        assert parents[grandchildren[0].pid] == child.pid
        assert groups[grandchildren[0].pid] == child.pid
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
