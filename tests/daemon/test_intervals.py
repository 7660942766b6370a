"""A thousand interval tasks on one daemon: what is due is asked for within seconds."""

import statistics
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from support.project import Folder, serve, wait_for

SHANGHAI = ZoneInfo("Asia/Shanghai")
#: So many of the thousand come due while the test looks.
SOON = 8
QUICK = """
    def nothing(params):
        return None
"""


def test_a_thousand_intervals_are_asked_for_when_they_are_due(folder: Folder) -> None:
    folder.write("quick.py", QUICK)
    begin = datetime.now(SHANGHAI).replace(microsecond=0)  # noqa: TID251
    starts = [begin + timedelta(seconds=60 + 3 * number) for number in range(SOON)]
    starts += [begin + timedelta(hours=1, seconds=number) for number in range(SOON, 1000)]
    head = "task_packages: [quick]\ndefaults: {task_type: cron, task_module: quick, task_function: nothing}\ntasks:\n"
    task = '- {{task_id: t{}, schedule: {{schedule_type: interval, interval_seconds: 86400, start_time: "{}"}}}}\n'
    folder.write("tasks.yaml", head + "".join(task.format(number, start.isoformat()) for number, start in enumerate(starts)))
    with serve(folder) as server:
        query = "{ runsOrError { ... on Runs { results { jobName creationTime tags { key value } } } } }"

        def asked() -> list[dict[str, object]] | None:
            found = server.graphql(query)["runsOrError"]["results"]
            return found if len(found) >= SOON else None

        late = []
        for run in wait_for(asked, 150, f"{SOON} runs"):
            due = datetime.fromisoformat(next(tag["value"] for tag in run["tags"] if tag["key"] == "mystocks/scheduled_at"))
            late.append(run["creationTime"] - due.timestamp())
    # The daemon looks every five seconds; a sensor for each of a thousand tasks would make a look half a minute long.
    assert min(late) >= 0
    assert statistics.median(late) <= 6, late
