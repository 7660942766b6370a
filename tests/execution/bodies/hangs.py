"""Functions that do not end by themselves; each writes the ids of its processes to the file `params["pids"]`."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


def _note(params, *pids):
    with Path(params["pids"]).open("a") as file:
        file.writelines(f"{pid}\n" for pid in (os.getpid(), *pids))


def sleeps(params):
    _note(params)
    time.sleep(300)


def tidies(params):
    _note(params)
    try:
        time.sleep(300)
    finally:
        Path(params["tidied"]).write_text("tidied")


def swallows(params):
    _note(params)
    try:
        time.sleep(300)
    except BaseException:
        return {"status": "success"}


def waits_for_a_socket(params):
    _note(params)
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    client.recv(1)


def computes_in_c(params):
    _note(params)
    return sum(range(10**13))


def matches_for_ever(params):
    _note(params)
    re.match(r"(a+)+$", "a" * 60 + "b")


def ignores_sigterm(params):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _note(params)
    while True:
        time.sleep(1)


def has_a_family(params):
    """A child, a grandchild in a session of its own that ignores SIGTERM, and an orphan of a double fork."""
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
    child = subprocess.Popen(["sleep", "300"])
    grandchild = subprocess.Popen([sys.executable, "-c", stubborn], start_new_session=True)
    middle = os.fork()
    if middle == 0:
        os.setsid()
        orphan = os.fork()
        if orphan == 0:
            time.sleep(300)
        _note(params, orphan)
        os._exit(0)
    os.waitpid(middle, 0)
    _note(params, child.pid, grandchild.pid)
    time.sleep(params.get("seconds", 300))


def stopped_itself(params):
    _note(params)
    os.kill(os.getpid(), signal.SIGSTOP)


def kills_its_guard(params):
    child = subprocess.Popen(["sleep", "300"], start_new_session=True)
    _note(params, child.pid)
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(300)


def stops_its_guard(params):
    _note(params)
    os.kill(os.getppid(), signal.SIGSTOP)
    time.sleep(300)
