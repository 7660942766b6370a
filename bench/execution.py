"""What one attempt costs beside `multiprocessing` spawn of the same function: `python bench/execution.py [ROUNDS]`.

Both start a fresh interpreter for each call. Ours adds the guard, the forwarded logs and output and the certainty that
nothing is left behind. Only the ratio travels to another machine.
"""

import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FunctionType


def nothing() -> None:
    """Stands for a task that needs no library."""


def lake() -> None:
    """Stands for a task that reads or writes tables."""
    import deltalake  # noqa: F401
    import polars  # noqa: F401
    import pydantic  # noqa: F401


def attempt(function: FunctionType) -> None:
    from mystocks_dagster.execution.attempt import run_attempt
    from mystocks_dagster.execution.attempt_spec import AttemptSpec

    body = AttemptSpec(
        task_id="bench",
        module=Path(__file__).stem,
        function=function.__name__,
        task_packages_path=(str(Path(__file__).parent),),
    )
    outcome = run_attempt(body, on_log=print, on_progress=print)
    if outcome.error:
        raise SystemExit(outcome.error.message)


def spawn(function: FunctionType) -> None:
    process = multiprocessing.get_context("spawn").Process(target=function)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"spawn ended with {process.exitcode}")


def seconds(way: Callable[[FunctionType], None], function: FunctionType) -> float:
    started = time.perf_counter()
    way(function)
    return time.perf_counter() - started


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    print(f"median of {rounds} rounds, taken in turns\n")
    print("| function | spawn | attempt | ratio |\n| --- | --- | --- | --- |")
    for function in (nothing, lake):
        taken = [(seconds(spawn, function), seconds(attempt, function)) for _ in range(rounds + 1)][
            1:
        ]  # the first fills the disk's cache
        plain, ours = (statistics.median(column) for column in zip(*taken, strict=True))
        print(f"| {function.__name__} | {plain * 1000:.0f} ms | {ours * 1000:.0f} ms | {ours / plain:.2f} |")


if __name__ == "__main__":
    main()
