"""The long run: `make chaos HOURS=2 SEED=7`. It ends with 1 if a sentence of the verdict is not true."""

import argparse
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from support.chaos.lakes import compare_lakes, quiet_week
from support.chaos.plant import plant
from support.chaos.storm import Storm
from support.chaos.verdict import Verdict, judge, wait_until_quiet
from support.chaos.week import Week
from support.chaos.world import compiler

ZONES = ("Asia/Shanghai", "UTC", "America/New_York", "Australia/Lord_Howe")


def main() -> int:
    """Run the week and print its figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hours", type=float, default=2)
    options.add_argument("--seed", type=int, default=int(time.time()) % 10_000)
    options.add_argument("--days", type=int, default=7)
    options.add_argument("--pause", type=float, default=4, help="seconds between two faults")
    options.add_argument("--storage", choices=["sqlite", "postgres"], default="sqlite", help="where the history is")
    options.add_argument("--lake", choices=["folder", "s3"], default="folder", help="where the tables are")
    options.add_argument("--keep", type=Path, help="a folder for the project, which is kept")
    chosen = options.parse_args()
    if compiler() is None:
        print("This needs a C compiler: cc, gcc or clang.")
        return 1
    print(f"seed {chosen.seed}, {chosen.days} days in {chosen.hours} hours, a fault every {chosen.pause} s", flush=True)
    held: Any = nullcontext(chosen.keep) if chosen.keep else tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with held as folder:
        verdict = run(Path(folder), chosen)
    for name, figure in verdict.figures.items():
        print(f"{name}: {figure}")
    for fault in verdict.faults:
        print(f"NOT TRUE: {fault}")
    print("not true" if verdict.faults else "all is true")
    return 1 if verdict.faults else 0


def run(folder: Path, chosen: argparse.Namespace) -> Verdict:
    """Run a week under faults, and judge it."""
    week, chance = Week.first(chosen.days, asks=True), random.Random(chosen.seed)
    with (
        ThreadPoolExecutor(1) as aside,
        plant(folder / "stormy", week, chance, zones=ZONES, storage=chosen.storage, lake=chosen.lake) as stormy,
    ):
        quiet = aside.submit(quiet_week, week, folder / "quiet")
        storm = Storm(stormy, week, chance, lambda line: print(line, flush=True))
        storm.blow(chosen.hours * 3600, chosen.pause)
        left = wait_until_quiet(stormy, week, 600)
        verdict = judge(stormy, week)
        verdict.faults += [f"not quiet after ten minutes: {left[:10]} ({len(left)})"] if left else []
        print(f"before the tables are compared: {verdict.faults or 'all is true'}", flush=True)
        compare_lakes(verdict, stormy, week, quiet.result())
    verdict.figures = {
        "faults": storm.total,
        **dict(storm.count),
        "leaps of the clock": storm.leaps,
        "starts of the servers": stormy.restarts,
        "requests that met a ban": dict(stormy.upstream.refused) if stormy.upstream else {},
        **verdict.figures,
    }
    return verdict


if __name__ == "__main__":
    sys.exit(main())
