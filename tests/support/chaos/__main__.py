"""The long run: `make chaos HOURS=2 SEED=7`. It ends with 1 if a sentence of the verdict is not true."""

import argparse
import random
import sys
import tempfile
import time
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from support.chaos.plant import plant
from support.chaos.storm import Storm
from support.chaos.verdict import Verdict, differences, judge, quiet_lake, tables, wait_until_quiet
from support.chaos.week import Week
from support.chaos.world import SHANGHAI, compiler
from support.project import make_folder

#: The Monday of a week with a holiday on its Thursday, at the end of which a month begins: 30 April to 6 May 2026.
BEGIN = datetime(2026, 4, 27, tzinfo=SHANGHAI)
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
    week, chance = Week(BEGIN, days), random.Random(seed)
    with plant(folder / "stormy", week, chance, zones=ZONES) as stormy:
        storm = Storm(stormy, week, chance, lambda line: print(line, flush=True))
        storm.blow(seconds, pause)
        left = wait_until_quiet(stormy, week, 600)
        verdict = judge(stormy, week)
        verdict.faults += [f"not quiet after ten minutes: {left[:10]} ({len(left)})"] if left else []
    # A last sync, as on the next evening, completes what failed on the last one.
    quiet = make_folder(folder / "quiet")
    (quiet.root / "duty.py").write_bytes((stormy.folder.root / "duty.py").read_bytes())
    quiet.write("tasks.yaml", week.tasks())
    quiet.env = {name: value for name, value in stormy.folder.env.items() if name.startswith("MYSTOCKS_")}
    calm = quiet_lake(quiet, week)
    stormy.folder.env = dict(quiet.env)
    stormy.folder.mystocks("run", "daily", timeout=170)
    verdict.faults += differences(tables(stormy.folder), calm)
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
