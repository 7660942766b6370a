"""Time of a bootstrap: a 通达信 archive of full size, zip to lake: `python bench/bootstrap.py [--share 1]`.

The archive is generated once, into a cache folder. Only ratios are comparable between machines, so the load is printed
as a multiple of the time in which polars writes the same rows as Parquet, and beside it the time in which DuckDB reads
them from CSV. Each part runs in a process of its own, which also measures its largest memory.
"""

import argparse
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from support.full_size_archive import FIRST, LAST, full_size_archive

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.checked import CheckedSource
from mystocks_dagster.sources.registry import open_source
from mystocks_dagster.sources.tdx.archive import Archive
from mystocks_dagster.tasks.bulk_load import load_history

#: Seconds, seconds of the processors, and rows.
Measure = tuple[float, float, int]
TABLES = ("daily_bars", "index_bars", "etf_bars")


class Watch:
    """A stopwatch of the clock and of the processors, which says more on a busy machine."""

    def __init__(self) -> None:
        self._start = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Return the seconds, and the seconds of the processors."""
        return time.perf_counter() - self._start[0], time.process_time() - self._start[1]


def silent(_done: int, _total: int, _message: str) -> None:
    """Report no progress."""


def load(archive: Path, actions: Path, folder: Path) -> Measure:
    """Load the archive into an empty lake; return its measure."""
    lake = Lake(str(folder), "real")
    lake.upsert("corporate_actions", CORPORATE_ACTIONS.complete(pl.read_parquet(actions)))
    watch = Watch()
    settings = replace(Settings.from_env(), source_options={"tdx": str(archive)})
    source = CheckedSource(open_source("tdx", settings))
    results = load_history(source, lake, FIRST, LAST, reading=silent, writing=silent)
    return *watch.read(), sum(result.rows.get(table, 0) for result in results for table in TABLES)


def frames(archive: Path) -> dict[str, pl.DataFrame]:
    """Return all rows of the archive by table."""
    parts: dict[str, list[pl.DataFrame]] = {}
    for table, frame in Archive(archive).history(list(TABLES), FIRST, LAST, actions=None, progress=silent):
        parts.setdefault(table, []).append(frame)
    return {table: pl.concat(frames) for table, frames in parts.items()}


def write_parquet(archive: Path, _actions: Path, folder: Path) -> Measure:
    """Write the same rows with polars; return its measure."""
    rows = frames(archive)
    folder.mkdir(parents=True)
    watch = Watch()
    for table, frame in rows.items():
        frame.write_parquet(folder / f"{table}.parquet")
    return *watch.read(), sum(frame.height for frame in rows.values())


def decode_and_write(archive: Path, _actions: Path, folder: Path) -> Measure:
    """Decode the archive and write its rows, without checks, events or a log; return its measure.

    What a load costs at least that reads and writes with the same libraries.
    """
    folder.mkdir(parents=True)
    total = 0
    watch = Watch()
    for table, frame in Archive(archive).history(list(TABLES), FIRST, LAST, actions=None, progress=silent):
        frame.write_parquet(folder / f"{table}-{frame['date'][0].year}.parquet")
        total += frame.height
    return *watch.read(), total


def read_csv(archive: Path, _actions: Path, folder: Path) -> Measure:
    """Read the same rows from CSV with DuckDB into a database file; return its measure."""
    folder.mkdir(parents=True)
    total = 0
    for table, frame in frames(archive).items():
        frame.write_csv(folder / f"{table}.csv")
        total += frame.height
        del frame
    watch = Watch()
    with duckdb.connect(str(folder / "bars.duckdb")) as database:
        for table in TABLES:
            database.execute(f"CREATE TABLE {table} AS SELECT * FROM read_csv('{folder / table}.csv')")
    return *watch.read(), total


PARTS: dict[str, Callable[[Path, Path, Path], Measure]] = {
    "lake": load,
    "bare": decode_and_write,
    "parquet": write_parquet,
    "csv": read_csv,
}


def measured(part: str, share: float, cache: Path) -> dict[str, Any]:
    """Run one part in a process of its own, and return its measures."""
    command = [sys.executable, __file__, "--share", f"{share}", "--cache", str(cache), "--part", part]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def run_part(part: str, share: float, cache: Path) -> None:
    """Run one part in this process and print its measures as JSON."""
    logging.disable()
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        seconds, cpu, rows = PARTS[part](*full_size_archive(cache, share), Path(folder, "out"))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    unit = 1 if sys.platform == "darwin" else 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "rows": rows, "gigabytes": usage.ru_maxrss * unit / 1e9}))


def main() -> None:
    """Print the times, the ratios and the largest memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="part of the symbols")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir(), "mystocks-bench"))
    parser.add_argument("--part", choices=PARTS, help="run one part only, and print JSON")
    arguments = parser.parse_args()
    if arguments.part:
        run_part(arguments.part, arguments.share, arguments.cache)
        return
    archive, _ = full_size_archive(arguments.cache, arguments.share)
    print(f"{archive.name}, {archive.stat().st_size:,} bytes, {date(FIRST.year, 1, 1)} to {LAST}")
    labels = {
        "parquet": "polars write_parquet of the same rows",
        "bare": "zip to Parquet: decode and write, nothing checked",
        "lake": "zip to lake: decode, check, derive events, write",
        "csv": "DuckDB reads the same rows from CSV",
    }
    base: dict[str, Any] = {}
    for part, label in labels.items():
        result = measured(part, arguments.share, arguments.cache)
        base = base or result
        times = "".join(f"{result[kind]:9.1f} {kind}{result[kind] / base[kind]:7.2f} x" for kind in ("seconds", "cpu"))
        print(f"{label:<52}{result['rows']:>12,} rows{times}  peak {result['gigabytes']:.2f} GB", flush=True)


if __name__ == "__main__":
    main()
