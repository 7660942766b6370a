"""What people wait for at the prompt, beside `python -c "import dagster"`: `python bench/startup.py [ROUNDS]`.

Whole processes, taken in turns, in a project with the shipped task file and a few runs. Commands that only look need
no Dagster: at most 0.6 of its import. `mystocks run` of a task that does nothing needs it: its first line is printed
when the run is written, which is at most 1.7 of the import; the line after it, when the task's own process starts it.
The last two rows are the import as our programs do it, with `tune_gc`. Only ratios travel between machines; of a
command that starts others, the processor seconds are its own.
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
LOOKING = ("list", "show daily_job", "history", "stats", "next", "data tables", "data head longhubang")
TASK = "  - {task_id: nothing, task_type: manual, task_module: nothing, task_function: nothing}\n"


class Took(NamedTuple):
    """Seconds of the clock, and of the processors: on a busy machine the second says more."""

    clock: float
    cpu: float


def make_project(root: Path) -> dict[str, str]:
    """Make a project with the shipped tasks, and one that does nothing, and two runs; return its environment."""
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


def took(command: list[str], environment: dict[str, str]) -> Took:
    """Run a process to its end."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return Took(time.perf_counter() - started, usage.ru_utime + usage.ru_stime)


def first_lines(environment: dict[str, str]) -> tuple[Took, Took]:
    """Run the task that does nothing; return what the line about the run took, and that of the task's start."""
    started = time.perf_counter()
    with subprocess.Popen([*MYSTOCKS, "run", "nothing"], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        taken = []
        for beginning in ("run ", "▶ nothing"):
            assert process.stdout.readline().startswith(beginning)
            used = psutil.Process(process.pid).cpu_times()
            taken.append(Took(time.perf_counter() - started, used.user + used.system))
        process.communicate()
    return taken[0], taken[1]


def one_round(environment: dict[str, str]) -> Iterator[tuple[str, Took]]:
    yield IMPORT, took([sys.executable, "-c", IMPORT], environment)
    for words in LOOKING:
        yield f"mystocks {words}", took([*MYSTOCKS, *words.split()], environment)
    written, begun = first_lines(environment)
    yield "mystocks run: the run is written", written
    yield "mystocks run: its process starts the task", begun
    yield "import of the definitions", took([sys.executable, "-c", LOAD], environment)
    yield "the same with tune_gc", took([sys.executable, "-c", f"{TUNED}; {LOAD}"], environment)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as folder:
        environment = make_project(Path(folder))
        # The first fills the disk's cache.
        taken = [dict(one_round(environment)) for _ in range(rounds + 1)][1:]
    medians = {
        name: Took(*map(statistics.median, zip(*(one[name] for one in taken), strict=True))) for name in taken[0]
    }
    base = medians[IMPORT]
    print(f"median of {rounds} rounds, taken in turns\n")
    print("| process | seconds | ratio | processor seconds | ratio |\n| --- | --- | --- | --- | --- |")
    for name, one in medians.items():
        print(f"| {name} | {one.clock:.2f} | {one.clock / base.clock:.2f} | {one.cpu:.2f} | {one.cpu / base.cpu:.2f} |")


if __name__ == "__main__":
    main()
