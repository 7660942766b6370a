"""Time from a launch to the first line of a task, compared with `dagster dev`: `python bench/launch.py [ROUNDS]`.

Both servers run at once, idle but for the launches, which alternate. The task writes the time to a file. With
`dagster dev` the same function is an op of a hand-written job, and the instance has Dagster's defaults. Each round
begins two seconds after the run before it has ended.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from support.servers import Server, dagster_dev, mystocks_ui

MODULE = """
import time
from pathlib import Path


def first_line(params):
    began = Path(__file__).with_name("began")
    began.with_suffix(".part").write_text(repr(time.time()))
    began.with_suffix(".part").rename(began)
"""
TASKS = """
task_packages: [first]
tasks:
  - {task_id: first, task_type: manual, task_module: first, task_function: first_line}
"""
PLAIN = """
import dagster as dg
from first import first_line


@dg.op
def first():
    first_line({})


@dg.job
def first_job():
    first()


defs = dg.Definitions(jobs=[first_job])
"""


def seconds(server: Server, launch: Callable[[], object]) -> tuple[float, float]:
    """Launch once; return the seconds until the launch is answered and until the task's first line."""
    began = server.folder / "began"
    began.unlink(missing_ok=True)
    started = time.time()
    launch()
    answered = time.time() - started
    while not began.exists():
        assert time.time() - started < 120
        time.sleep(0.005)
    first = float(began.read_text())
    unfinished = "{ runsOrError(filter: {statuses: [QUEUED, STARTING, STARTED]}) { ... on Runs { results { id } } } }"
    while server.graphql(unfinished)["runsOrError"]["results"]:
        time.sleep(0.2)
    time.sleep(2)
    return answered, first - started


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            mystocks_ui(folder / "mystocks", {"tasks.yaml": TASKS, "first.py": MODULE}) as own,
            dagster_dev(folder / "plain", {"plain.py": PLAIN, "first.py": MODULE}) as plain,
        ):
            ways: dict[str, tuple[Server, Callable[[], object]]] = {
                "`dagster dev`, GraphQL": (plain, lambda: plain.launch("plain", "first_job")),
                "`mystocks ui`, GraphQL": (own, lambda: own.launch("mystocks", "first")),
                "`mystocks ui`, REST": (own, lambda: own.post("/api/tasks/first/start", {})),
            }
            # The first round of each fills the caches of its server.
            times = [{name: seconds(*way) for name, way in ways.items()} for _ in range(rounds + 1)][1:]
    print(f"median of {rounds} rounds, alternating\n")
    print("| launch | answered | first line of the task | ratio |\n| --- | --- | --- | --- |")
    base = None
    for name in ways:
        answered, first = (statistics.median(column) for column in zip(*(row[name] for row in times), strict=True))
        base = base or first
        print(f"| {name} | {answered:.2f} s | {first:.2f} s | {first / base:.2f} |")


if __name__ == "__main__":
    main()
