"""Many cron tasks due in the same minute, compared with `dagster dev`.

`python bench/cron.py [TASKS] [LIMIT] [START] [SERVER]`: one server after the other has the same number of tasks that do
nothing, all due in one minute of the real clock. It prints when the last run was asked for, when the last one had
ended, and whether each task ran exactly once. With `dagster dev` the tasks are hand-written jobs and schedules, and the
instance has Dagster's defaults. LIMIT is the longest time for all runs in minutes, START the seconds that a server has
to start.

`dagster dev` is observed for at most three times as long as `mystocks ui` took: if some of its runs have not ended by
then, ours took less than a third. SERVER measures one of them alone: mystocks or dagster.
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from support.servers import Server, dagster_dev, mystocks_ui

MODULE = "def nothing(params):\n    return None\n"
RUNS = """query($cursor: String) { runsOrError(limit: 500, cursor: $cursor) { ... on Runs { results {
  runId pipelineName status creationTime endTime } } } }"""


def own_files(tasks: int, cron: str) -> Mapping[str, str]:
    schedule = f"{{schedule_type: cron, cron_expression: '{cron}', timezone: UTC}}"
    lines = "\n".join(f"  - {{task_id: task_{number:04}}}" for number in range(tasks))
    defaults = f"{{task_type: cron, task_module: first, task_function: nothing, schedule: {schedule}}}"
    return {
        "first.py": MODULE,
        "tasks.yaml": f"task_packages: [first]\ndefaults: {defaults}\ntasks:\n{lines}\n",
    }


def plain_files(tasks: int, cron: str) -> Mapping[str, str]:
    definitions = f"""
import dagster as dg


def make(number):
    @dg.op(name=f"op_{{number:04}}")
    def nothing():
        return None

    @dg.job(name=f"task_{{number:04}}")
    def job():
        nothing()

    return job


jobs = [make(number) for number in range({tasks})]
running = dg.DefaultScheduleStatus.RUNNING
schedules = [dg.ScheduleDefinition(job=job, cron_schedule={cron!r}, default_status=running) for job in jobs]
defs = dg.Definitions(jobs=jobs, schedules=schedules)
"""
    return {"plain.py": definitions}


def runs(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while page := server.graphql(RUNS, cursor=found[-1]["runId"] if found else None)["runsOrError"]["results"]:
        found += page
    return [run for run in found if run["pipelineName"].startswith("task_")]


def measure(name: str, server: Server, due: datetime, tasks: int, minutes: float) -> float:
    """Print a line of the table, and return the seconds after which the last run had ended, or the limit."""
    late = f"{name} was ready {server.seconds:.0f} s after its start: give it more time by START"
    assert time.time() < due.timestamp(), late
    limit = due.timestamp() + 60 * minutes
    while time.time() < limit:
        time.sleep(5)
        found = runs(server) if time.time() > due.timestamp() else []
        if len(found) >= tasks and all(run["endTime"] for run in found):
            break
    found = runs(server)
    counted = Counter(run["pipelineName"] for run in found)
    asked = max((run["creationTime"] for run in found), default=0) - due.timestamp()
    ended = [run for run in found if run["endTime"]]
    last = max((run["endTime"] for run in ended), default=0) - due.timestamp()
    twice = sum(number > 1 for number in counted.values())
    print(
        f"| {name} | {server.seconds:.0f} s | {len(counted)}, the last after {asked:.0f} s | "
        f"{sum(run['status'] == 'SUCCESS' for run in ended)}, the last after {last:.0f} s | "
        f"{tasks - len(counted)} | {twice} |",
        flush=True,
    )
    return last if len(ended) >= tasks else 60 * minutes


def main() -> None:
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 60
    start = float(sys.argv[3]) if len(sys.argv) > 3 else 90 + tasks / 5
    print("| server | ready after | asked for | succeeded | missed | twice |\n| --- | --- | --- | --- | --- | --- |")
    both = (("`mystocks ui`", own_files, mystocks_ui), ("`dagster dev`", plain_files, dagster_dev))
    alone = sys.argv[4] if len(sys.argv) > 4 else ""
    for name, files, serve in (server for server in both if alone in server[0]):
        ready = datetime.fromtimestamp(time.time() + start, UTC)
        due = ready.replace(second=0, microsecond=0) + timedelta(minutes=1)
        cron = f"{due.minute} {due.hour} {due.day} {due.month} *"
        with tempfile.TemporaryDirectory() as folder, serve(Path(folder) / "project", files(tasks, cron)) as server:
            minutes = min(minutes, 3 * measure(name, server, due, tasks, minutes) / 60)


if __name__ == "__main__":
    main()
