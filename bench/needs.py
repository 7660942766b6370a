"""What a market of a size needs of a machine: `python bench/needs.py [300x10 5500x10 5500x20]` (stocks x years).

For each size a 通达信 archive is generated into a cache folder and loaded with `mystocks bootstrap`: bars, indicators
and signals; then the shipped backtest runs. Memory is the largest sum of the resident sizes of a command and all that
it started, in which shared pages count several times. Processor time and disk can be compared between machines, the
clock can not.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import polars as pl
import psutil
from support.full_size_archive import LAST, full_size_archive

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS

#: Stocks of the archive of full size.
STOCKS = 5500
#: Seconds between two looks at the memory.
_LOOK = 0.1
_MYSTOCKS = [sys.executable, "-m", "mystocks_dagster.cli.main"]


@dataclass(frozen=True)
class Need:
    """What a command needed: seconds by the clock, seconds of the processors, and the largest memory in bytes."""

    seconds: float
    processor: float
    memory: int


def main() -> None:
    """Print a line for each size and step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", default=["300x10", "5500x10", "5500x20"], metavar="STOCKSxYEARS")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir(), "mystocks-bench"))
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB of memory")
    print("stocks years step          million bars   clock  processors     memory   lake on disk")
    for size in arguments.sizes:
        stocks, years = map(int, size.split("x"))
        with tempfile.TemporaryDirectory(dir=arguments.cache.parent) as folder:
            measure(Path(folder), arguments.cache, stocks, years)


def measure(folder: Path, cache: Path, stocks: int, years: int) -> None:
    """Load a market of this size into a new project below `folder`, run the backtest, and print what both needed."""
    archive, actions = full_size_archive(cache, stocks / STOCKS)
    subprocess.run([*_MYSTOCKS, "init", "market"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    root = folder / "market"
    lake = Lake(str(root / "data"), "real")
    lake.upsert("corporate_actions", CORPORATE_ACTIONS.complete(pl.read_parquet(actions)))
    steps = {
        "bootstrap": ["bootstrap", "--years", f"{years}", "--from", str(archive)],
        "backtest": ["run", "run_strategy_backtest"],
    }
    for step, words in steps.items():
        need = _run(root, words)
        bars = lake.scan("daily_bars").select(pl.len()).collect().item()
        disk = sum(file.stat().st_size for file in (root / "data").rglob("*") if file.is_file())
        print(
            f"{stocks:>6,} {years:>5} {step:<14}{bars / 1e6:>12.1f}{need.seconds:>8.0f} s{need.processor:>10.0f} s"
            f"{need.memory / 1e9:>8.2f} GB{disk / 1e9:>12.2f} GB",
            flush=True,
        )


def _run(root: Path, words: list[str]) -> Need:
    environment = {**os.environ, "MYSTOCKS_NOW": f"{LAST + timedelta(days=1)}T18:00:00+08:00"}
    start, memory, processor = time.perf_counter(), 0, dict[int, float]()
    with (root / "output.txt").open("wb") as output:
        process = psutil.Popen([*_MYSTOCKS, *words], cwd=root, env=environment, stdout=output, stderr=output)
        while process.poll() is None:
            used = {one.pid: _used(one) for one in (process, *_children(process))}
            memory = max(memory, sum(size for size, _ in used.values()))
            # By process, as those that end are not always waited for by the one that started them.
            for number, (_, seconds) in used.items():
                processor[number] = max(processor.get(number, 0.0), seconds)
            time.sleep(_LOOK)
    if process.returncode:
        sys.exit((root / "output.txt").read_text(encoding="utf-8"))
    return Need(time.perf_counter() - start, sum(processor.values()), memory)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _used(process: psutil.Process) -> tuple[int, float]:
    """Return the resident bytes and the seconds of the processors."""
    try:
        with process.oneshot():
            times = process.cpu_times()
            return process.memory_info().rss, times.user + times.system
    except psutil.NoSuchProcess:
        return 0, 0.0


if __name__ == "__main__":
    main()
