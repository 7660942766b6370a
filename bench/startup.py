"""Time of commands compared with `python -c "import dagster"`: `python bench/startup.py [ROUNDS]`.

It runs whole processes, alternating, in a project with the shipped task file and a few runs. Commands that only read
do not import Dagster: at most 0.6 of its import. `mystocks run` of an empty task imports it: its first line, printed
when the run is written, takes at most 1.7 of the import; the next line is printed when the task's process starts.
The last two rows are the import of the definitions, without and with `tune_gc`. Only ratios are comparable between
machines. The processor seconds of a command do not include those of processes that it starts.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

ROOT = Path(__file__).parent.parent
IMPORT = "import dagster"
LOAD = "import dagster, mystocks_dagster.project.project, mystocks_dagster.factory.load"
TUNED = "from mystocks_dagster.gc_tuning import tune_gc; tune_gc()"
MYSTOCKS = [sys.executable, "-m", "mystocks_dagster.cli.main"]
READ_COMMANDS = ("list", "show daily_job", "history", "stats", "next", "data tables", "data head longhubang")
TASK = "  - {task_id: nothing, task_type: manual, task_module: nothing, task_function: nothing}\n"


class Times(NamedTuple):
    """Wall time and processor time in seconds; on a busy machine processor time is more reliable."""

    clock: float
    cpu: float


def make_project(root: Path) -> dict[str, str]:
    """Make a project with the shipped tasks, an empty task and two runs; return its environment."""
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, root / name)
    text = (ROOT / "tasks.yaml").read_text(encoding="utf-8")
    text = text.replace("\ntasks:\n", f"\ntask_packages: [nothing]\ntasks:\n{TASK}", 1)
    (root / "tasks.yaml").write_text(text, encoding="utf-8")
    (root / "nothing.py").write_text("def nothing(params): return None\n", encoding="utf-8")
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("MYSTOCKS_", "DAGSTER_"))}
    environment = {**bare, "MYSTOCKS_ROOT": str(root), "PYTHONUNBUFFERED": "1"}
    for words in ("run nothing", "run fetch_lhb_data -p data_source=simulated"):
        subprocess.run([*MYSTOCKS, *words.split()], env=environment, stdout=subprocess.DEVNULL, check=True)
    return environment


def measure(command: list[str], environment: dict[str, str]) -> Times:
    """Run a process to its end and return its times."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return Times(time.perf_counter() - started, usage.ru_utime + usage.ru_stime)


def first_lines(environment: dict[str, str]) -> tuple[Times, Times]:
    """Run the empty task; return the times until the line of the run and until that of the task's start."""
    started = time.perf_counter()
    with subprocess.Popen([*MYSTOCKS, "run", "nothing"], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        times = []
        for beginning in ("run ", "▶ nothing"):
            assert process.stdout.readline().startswith(beginning)
            used = psutil.Process(process.pid).cpu_times()
            times.append(Times(time.perf_counter() - started, used.user + used.system))
        process.communicate()
    return times[0], times[1]


def measure_round(environment: dict[str, str]) -> Iterator[tuple[str, Times]]:
    yield IMPORT, measure([sys.executable, "-c", IMPORT], environment)
    for words in READ_COMMANDS:
        yield f"mystocks {words}", measure([*MYSTOCKS, *words.split()], environment)
    written, begun = first_lines(environment)
    yield "mystocks run: the run is written", written
    yield "mystocks run: its process starts the task", begun
    yield "import of the definitions", measure([sys.executable, "-c", LOAD], environment)
    yield "the same with tune_gc", measure([sys.executable, "-c", f"{TUNED}; {LOAD}"], environment)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as folder:
        environment = make_project(Path(folder))
        # The first round fills the disk's cache.
        measured = [dict(measure_round(environment)) for _ in range(rounds + 1)][1:]
    medians = {name: _median([times[name] for times in measured]) for name in measured[0]}
    base = medians[IMPORT]
    print(f"median of {rounds} rounds, alternating\n")
    print("| process | seconds | ratio | processor seconds | ratio |\n| --- | --- | --- | --- | --- |")
    for name, times in medians.items():
        ratios = Times(times.clock / base.clock, times.cpu / base.cpu)
        print(f"| {name} | {times.clock:.2f} | {ratios.clock:.2f} | {times.cpu:.2f} | {ratios.cpu:.2f} |")


def _median(times: list[Times]) -> Times:
    return Times(*map(statistics.median, zip(*times, strict=True)))


if __name__ == "__main__":
    main()
