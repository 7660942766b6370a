"""Time of an attempt compared with `multiprocessing` spawn of the same function: `python bench/execution.py [ROUNDS]`.

Both start a new interpreter for each call. An attempt also has the process guard, forwards logs and output, and leaves
no process behind. Only the ratio is comparable between machines.
"""

import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FunctionType


def nothing() -> None:
    """A task that imports no library."""


def lake() -> None:
    """A task that reads or writes tables."""
    import deltalake  # noqa: F401
    import polars  # noqa: F401
    import pydantic  # noqa: F401


def attempt(function: FunctionType) -> None:
    from mystocks_dagster.execution.attempt import run_attempt
    from mystocks_dagster.execution.attempt_spec import AttemptSpec

    spec = AttemptSpec(
        task_id="bench",
        module=Path(__file__).stem,
        function=function.__name__,
        task_packages_path=(str(Path(__file__).parent),),
    )
    outcome = run_attempt(spec, on_log=print, on_progress=print)
    if outcome.error:
        raise SystemExit(outcome.error.message)


def spawn(function: FunctionType) -> None:
    process = multiprocessing.get_context("spawn").Process(target=function)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"spawn ended with {process.exitcode}")


def seconds(run: Callable[[FunctionType], None], function: FunctionType) -> float:
    started = time.perf_counter()
    run(function)
    return time.perf_counter() - started


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    print(f"median of {rounds} rounds, alternating\n")
    print("| function | spawn | attempt | ratio |\n| --- | --- | --- | --- |")
    for function in (nothing, lake):
        times = [(seconds(spawn, function), seconds(attempt, function)) for _ in range(rounds + 1)]
        # The first round fills the disk's cache.
        base, own = (statistics.median(column) for column in zip(*times[1:], strict=True))
        print(f"| {function.__name__} | {base * 1000:.0f} ms | {own * 1000:.0f} ms | {own / base:.2f} |")


if __name__ == "__main__":
    main()
