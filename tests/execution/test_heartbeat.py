"""A process is recognised although its number may be given away."""

import dataclasses
import json
import os
import subprocess

import psutil
import pytest

from mystocks_dagster.execution.heartbeat import ProcessIdentity


def test_the_present_process_is_alive():
    identity = ProcessIdentity.current()
    assert identity.pid == os.getpid()
    assert identity.alive()


def test_it_survives_being_stored():
    identity = ProcessIdentity.current()
    assert ProcessIdentity.from_dict(json.loads(json.dumps(identity.to_dict()))) == identity


def test_an_ended_process_is_dead_even_while_it_is_a_zombie():
    process = subprocess.Popen(["sleep", "60"])
    identity = ProcessIdentity.of(process.pid)
    assert identity.alive()
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
    assert not identity.alive()
    process.wait()
    assert not identity.alive()


@pytest.mark.parametrize("other", [{"start_time": 1.0}, {"boot_id": "another"}])
def test_the_same_number_in_another_process_or_boot_is_not_it(other):
    assert not dataclasses.replace(ProcessIdentity.current(), **other).alive()


def test_a_number_that_no_process_has():
    process = subprocess.Popen(["true"])
    process.wait()
    with pytest.raises(ProcessLookupError):
        ProcessIdentity.of(process.pid)
