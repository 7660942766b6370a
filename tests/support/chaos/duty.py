"""The tasks of the project under faults. Copied into its folder, where they write down what they did.

A line is one write to a file opened for appending, so those of several processes do not mix.
"""

import fcntl
import json
import os
import time
from dataclasses import replace
from pathlib import Path

from mystocks_dagster.tasks.market_data import (
    CapitalFlowParams,
    LonghubangParams,
    fetch_capital_flow_data,
    fetch_longhubang_data,
)
from mystocks_dagster.tasks.run import TaskResult, declares

#: On another disk than lake and instance, which may be full.
NOTES = Path(__file__).parent / "notes"
#: The lake of what the upstream's real client gives, which may not be among simulated rows.
ASKED = Path(__file__).parent / "asked"


def _note(run, what):
    line = json.dumps({"task": run.task_id, "run": run.run_id, "pid": os.getpid(), "what": what}) + "\n"
    with (NOTES / f"{run.task_id}.jsonl").open("a") as file:
        file.write(line)


def work(params, run):
    """Work for a moment; as many at once as there are starts."""
    _note(run, "begun")
    time.sleep(0.3)
    _note(run, "done")


@declares(writes=("own_marks",))
def work_alone(params, run):
    """Work for a moment, alone, because it writes a table: a second one at the same time is written down."""
    with (NOTES / "own_marks.alone").open("w") as mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _note(run, "not alone")
            return {"status": "failed", "error": "another one works at the same time"}
        _note(run, "begun")
        time.sleep(1)
        _note(run, "done")
    return {"status": "success"}


def watch(params, run):
    """Live until it is stopped."""
    with (NOTES / f"{run.task_id}.alone").open("w") as mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _note(run, "not alone")
            raise RuntimeError("another one lives") from None
        _note(run, "begun")
        while True:
            time.sleep(0.5)


@declares(writes=("own_billboard",))
def ask_billboard(params, run):
    """Ask the upstream for 龙虎榜 of all days since the first, also for those that are stored."""
    return _ask(fetch_longhubang_data, LonghubangParams(start_date=params["since"], force=True), run)


@declares(writes=("own_flows",))
def ask_flows(params, run):
    """Ask the upstream's lists for the capital flow of the session that closed last: they have no other one."""
    return _ask(fetch_capital_flow_data, CapitalFlowParams(flow_types=["sector"], force=True), run)


def _ask(fetch, params, run):
    _note(run, "begun")
    result = fetch(params, replace(run, settings=run.settings.of_file(lake=str(ASKED), source="akshare")))
    _note(run, "done")
    return TaskResult(status=result.status, message=result.message)
