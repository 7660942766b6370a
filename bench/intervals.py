"""A thousand interval tasks for an hour, on one `mystocks ui`: `python bench/intervals.py [TASKS] [MINUTES] [PERIOD]`.

Each task starts once in PERIOD minutes, an hour by default, and their starts are spread evenly over it. The starts that
are due are counted from the task file alone. It prints how many of them were asked for once, never and twice, by how
many seconds they were late, how their runs ended, and what the servers held at the beginning and at the end. Dagster
has no schedule by interval, so there is no rival.
"""

import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from support.servers import Server, mystocks_ui

MODULE = "def nothing(params):\n    return None\n"
RUNS = """query($cursor: String) { runsOrError(limit: 500, cursor: $cursor) { ... on Runs { results {
  runId status creationTime tags { key value } } } } }"""
#: Seconds that a server has to start, until it has settled, and that the last starts may be late.
START, SETTLED, LATE = 120, 60, 900


def files(first: datetime, tasks: int, period: timedelta) -> Mapping[str, str]:
    defaults = "{task_type: cron, task_module: first, task_function: nothing}"
    lines = "\n".join(
        f"  - {{task_id: t{number:04}, schedule: {{schedule_type: interval, timezone: UTC, "
        f"interval_seconds: {period.total_seconds():.0f}, start_time: '{start.isoformat()}'}}}}"
        for number, start in enumerate(starts(first, tasks, period))
    )
    return {
        "first.py": MODULE,
        "tasks.yaml": f"task_packages: [first]\ndefaults: {defaults}\ntasks:\n{lines}\n",
    }


def starts(first: datetime, tasks: int, period: timedelta) -> list[datetime]:
    """Return the first start of each task, in whole seconds."""
    return [first + timedelta(seconds=int(number * period.total_seconds() / tasks)) for number in range(tasks)]


def due(first: datetime, tasks: int, period: timedelta, end: datetime) -> set[tuple[str, float]]:
    """Return the task and time of each start before `end`."""
    return {
        (f"t{number:04}", (start + turn * period).timestamp())
        for number, start in enumerate(starts(first, tasks, period))
        for turn in range(int((end - first) / period) + 1)
        if start + turn * period < end
    }


def runs(server: Server) -> list[dict[str, Any]]:
    """Return all runs, each with its tags as a dictionary."""
    found: list[dict[str, Any]] = []
    while page := server.graphql(RUNS, cursor=found[-1]["runId"] if found else None)["runsOrError"]["results"]:
        found += page
    return [run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]


def start_of(run: Mapping[str, Any]) -> tuple[str, float]:
    """Return the task of a run, and the time at which it was due."""
    return run["tags"]["mystocks/task_id"], datetime.fromisoformat(
        run["tags"]["dagster/mystocks_scheduled_at"]
    ).timestamp()


def held(processes: Sequence[psutil.Process]) -> str:
    """Return the memory and open files of those of the processes that live."""
    memory, descriptors, number = 0, 0, 0
    for process in processes:
        with suppress(psutil.Error):
            memory += process.memory_full_info().pss
            descriptors += process.num_fds()
            number += 1
    return f"{number} processes, {memory / 1e6:,.0f} MB, {descriptors} descriptors"


def main() -> None:
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 60
    period = timedelta(minutes=float(sys.argv[3]) if len(sys.argv) > 3 else 60)
    first = datetime.fromtimestamp(int(time.time()), UTC) + timedelta(seconds=START)
    end = first + timedelta(minutes=minutes)
    with (
        tempfile.TemporaryDirectory() as folder,
        mystocks_ui(Path(folder) / "project", files(first, tasks, period)) as server,
    ):
        assert time.time() < first.timestamp(), f"the servers took {server.seconds:.0f} s to start"
        servers = server.processes()
        time.sleep(first.timestamp() + SETTLED - time.time())
        before = held(servers)
        time.sleep(max(0.0, end.timestamp() - time.time()))
        expected = due(first, tasks, period, end)
        while not expected <= {*map(start_of, found := runs(server))} and time.time() < end.timestamp() + LATE:
            time.sleep(10)
        after = held(servers)
    asked = Counter(map(start_of, found))
    late = sorted(run["creationTime"] - start_of(run)[1] for run in found)
    print(f"{len(expected)} starts were due in {minutes:g} minutes, of {tasks} tasks")
    print(f"asked for once: {sum(asked[start] == 1 for start in expected)}")
    print(f"missed: {sum(start not in asked for start in expected)}")
    print(f"twice: {sum(number > 1 for number in asked.values())}")
    print(f"late: {statistics.median(late):.1f} s in the median, {late[-1]:.1f} s at most")
    print(f"runs: {dict(Counter(run['status'] for run in found))}")
    print(f"the servers at the beginning: {before}\nand at the end: {after}")


if __name__ == "__main__":
    main()
