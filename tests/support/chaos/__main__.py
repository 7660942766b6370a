"""The long run: `make chaos HOURS=2 SEED=7`. It ends with 1 if a sentence of the verdict is not true."""

import argparse
import random
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from support.chaos.plant import plant
from support.chaos.storm import Storm
from support.chaos.verdict import Verdict, compare_lakes, judge, wait_until_quiet
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
    options.add_argument("--keep", type=Path, help="a folder for the project, which is kept")
    chosen = options.parse_args()
    if compiler() is None:
        print("This needs a C compiler: cc, gcc or clang.")
        return 1
    print(f"seed {chosen.seed}, {chosen.days} days in {chosen.hours} hours, a fault every {chosen.pause} s", flush=True)
    held: Any = nullcontext(chosen.keep) if chosen.keep else tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with held as folder:
        verdict = run(Path(folder), chosen.hours * 3600, chosen.days, chosen.seed, chosen.pause)
    for name, figure in verdict.figures.items():
        print(f"{name}: {figure}")
    for fault in verdict.faults:
        print(f"NOT TRUE: {fault}")
    print("not true" if verdict.faults else "all is true")
    return 1 if verdict.faults else 0


def run(folder: Path, seconds: float, days: int, seed: int, pause: float) -> Verdict:
    """Run a week of so many days under faults in that time, and judge it."""
    week, chance = Week.first(days), random.Random(seed)
    with plant(folder / "stormy", week, chance, zones=ZONES) as stormy:
        storm = Storm(stormy, week, chance, lambda line: print(line, flush=True))
        storm.blow(seconds, pause)
        left = wait_until_quiet(stormy, week, 600)
        verdict = judge(stormy, week)
        verdict.faults += [f"not quiet after ten minutes: {left[:10]} ({len(left)})"] if left else []
    print(f"before the tables are compared: {verdict.faults or 'all is true'}", flush=True)
    verdict.faults += compare_lakes(stormy.folder, week, folder / "quiet")
    verdict.figures = {
        "faults": storm.total,
        **dict(storm.count),
        "leaps of the clock": storm.leaps,
        "starts of the servers": stormy.restarts,
        **verdict.figures,
    }
    return verdict


if __name__ == "__main__":
    sys.exit(main())
