"""What a short program that imports Dagster costs with `tune_gc` beside Python's own collector: `python bench/startup.py [ROUNDS]`.

Run workers and commands are such programs. Both load the same and end; only the ratio travels to another machine.
"""

import statistics
import subprocess
import sys
import time

LOAD = "import dagster, mystocks_dagster.project.project, mystocks_dagster.factory.load"
WAYS = {
    "Python's own": LOAD,
    "tune_gc": f"from mystocks_dagster.gc_tuning import tune_gc; tune_gc(); {LOAD}",
}


def seconds(program: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.perf_counter() - started


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    taken = [[seconds(program) for program in WAYS.values()] for _ in range(rounds + 1)][
        1:
    ]  # the first fills the disk's cache
    own, ours = (statistics.median(column) for column in zip(*taken, strict=True))
    print(f"median of {rounds} rounds, taken in turns\n")
    print("| Python's own | tune_gc | ratio |\n| --- | --- | --- |")
    print(f"| {own:.2f} s | {ours:.2f} s | {ours / own:.2f} |")


if __name__ == "__main__":
    main()
