"""Start and memory of `mystocks ui` compared with `dagster dev`: `python bench/servers.py [ROUNDS] [TASKS]`.

Each has a project with so many tasks (default one), which in `dagster dev` are hand-written jobs. The servers start in
turns, never two at once. Memory is that of the started process and all below it, a minute after the first page: the
resident sizes, in which shared pages count several times, and the proportional ones (Linux), in which they count once.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
from support.servers import Server, dagster_dev, mystocks_ui

FIRST = "def nothing(params):\n    return None\n"
PLAIN = """
import dagster as dg


def make(number):
    @dg.op(name=f"op_{number:04}")
    def nothing():
        return None

    @dg.job(name=f"task_{number:04}")
    def job():
        nothing()

    return job


defs = dg.Definitions(jobs=[make(number) for number in range(TASKS)])
"""


def own_files(tasks: int) -> Mapping[str, str]:
    lines = "\n".join(f"  - {{task_id: task_{number:04}}}" for number in range(tasks))
    defaults = "{task_type: manual, task_module: first, task_function: nothing}"
    return {"first.py": FIRST, "tasks.yaml": f"task_packages: [first]\ndefaults: {defaults}\ntasks:\n{lines}\n"}


def plain_files(tasks: int) -> Mapping[str, str]:
    return {"plain.py": PLAIN.replace("TASKS", str(tasks))}


def memory(server: Server) -> tuple[int, float, float]:
    """Return the number of processes, and their resident and proportional sizes in MB."""
    number, resident, proportional = 0, 0.0, 0.0
    for process in server.processes():
        try:
            sizes = process.memory_full_info()
        except psutil.Error:  # it has just ended
            continue
        number += 1
        resident += sizes.rss / 1e6
        proportional += getattr(sizes, "pss", sizes.rss) / 1e6
    return number, resident, proportional


def measure(
    serve: Callable[[Path, Mapping[str, str]], AbstractContextManager[Server]], files: Mapping[str, str]
) -> tuple[float, ...]:
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder) / "project", files) as server:
        time.sleep(60)
        return server.seconds, *memory(server)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    tasks = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    sides = {"`dagster dev`": (dagster_dev, plain_files(tasks)), "`mystocks ui`": (mystocks_ui, own_files(tasks))}
    found = [{name: measure(serve, files) for name, (serve, files) in sides.items()} for _ in range(rounds)]
    print(f"median of {rounds} rounds, {tasks} tasks\n")
    print("| servers | first page | processes | resident | proportional |\n| --- | --- | --- | --- | --- |")
    for name in sides:
        page, number, resident, own = (
            statistics.median(column) for column in zip(*(r[name] for r in found), strict=True)
        )
        print(f"| {name} | {page:.1f} s | {number:.0f} | {resident:.0f} MB | {own:.0f} MB |")


if __name__ == "__main__":
    main()
