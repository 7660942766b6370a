"""A thousand interval tasks on one daemon: what is due is asked for within seconds."""

import statistics
import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from support.load import in_time
from support.project import Folder, serve, wait_for

SHANGHAI = ZoneInfo("Asia/Shanghai")
QUICK = """
    def nothing(params):
        return None
"""
HEAD = """
    task_packages: [quick]
    defaults: {task_type: cron, task_module: quick, task_function: nothing}
    tasks:
"""
TASK = '      - {{task_id: t{}, schedule: {{schedule_type: interval, interval_seconds: 86400, start_time: "{}"}}}}\n'
RUNS = "{ runsOrError { ... on Runs { results { creationTime tags { key value } } } } }"


def test_a_thousand_intervals_are_asked_for_when_they_are_due(folder: Folder) -> None:
    folder.write("quick.py", QUICK)
    begin = datetime.now(SHANGHAI).replace(microsecond=0)  # noqa: TID251
    # One every five seconds from the time on at which the servers may be up; the others come due tomorrow.
    starts = [begin + timedelta(seconds=30 + 5 * number) for number in range(30)]
    starts += [begin + timedelta(hours=1, seconds=number) for number in range(970)]
    folder.write(
        "tasks.yaml", HEAD + "".join(TASK.format(number, start.isoformat()) for number, start in enumerate(starts))
    )
    with serve(folder) as server:
        up = time.time() + 6

        def late() -> list[float] | None:
            """Return by how many seconds the runs that came due while the daemon was there were late."""
            found = []
            for run in server.graphql(RUNS)["runsOrError"]["results"]:
                due = next(tag["value"] for tag in run["tags"] if tag["key"] == "dagster/mystocks_scheduled_at")
                if (moment := datetime.fromisoformat(due).timestamp()) > up:
                    found.append(run["creationTime"] - moment)
            return found if len(found) >= 4 else None

        measured = wait_for(late, 120, "runs of intervals")
    # The daemon looks every five seconds; were it to ask a sensor for each of a thousand tasks, a look would take more
    # than a minute.
    assert min(measured) >= 0
    assert in_time(statistics.median(measured), 6), measured
