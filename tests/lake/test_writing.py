"""Several processes write one table at once, and nothing is lost."""

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from mystocks_dagster.lake.store import Lake

WRITER = """
import sys
from datetime import date, timedelta

import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.market import DAILY_BARS

location, me, rounds, what = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
lake = Lake(location, "real")


def bars(day, symbols):
    price = float(me + 1)
    frame = pl.DataFrame({"symbol": symbols}).with_columns(
        pl.lit(day).alias("date"),
        *(pl.lit(price).alias(name) for name in ("open", "high", "low", "close", "prev_close", "amount", "turnover")),
        pl.lit(1).alias("volume"), pl.lit(False).alias("is_st"), pl.lit(False).alias("suspended"),
    )
    return DAILY_BARS.typed(frame)


print("ready", flush=True)
sys.stdin.readline()
for n in range(rounds):
    own = date(2024, 1, 1) + timedelta(days=20 * me + n)
    shared = date(2024, 9, 2) + timedelta(days=n)
    everyone = [f"{600000 + k}.SH" for k in range(5)]
    if "days" in what:
        lake.replace_days("daily_bars", bars(own, everyone), [own])
    if "upserts" in what:
        lake.upsert("daily_bars", bars(shared, [f"{me:06d}.SZ"]))
    if "same" in what:
        lake.replace_days("daily_bars", bars(shared, everyone[: me + 1]), [shared])
"""


def write_at_once(location: Path, writers: int, rounds: int, what: str) -> Lake:
    """Start all writers, wait until each has imported what it needs, and let them go at the same moment."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(location), str(me), str(rounds), what],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for me in range(writers)
    ]  # fmt: skip
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    return Lake(str(location))


def test_day_replacements_and_upserts_of_four_processes_are_all_there(tmp_path: Path):
    writers, rounds = 4, 6
    lake = write_at_once(tmp_path / "lake", writers, rounds, "days upserts")
    stored = lake.read("daily_bars")
    shared = stored.filter(pl.col("date") >= date(2024, 9, 1))
    assert sorted(shared.select("symbol", "date").rows()) == sorted(
        (f"{me:06d}.SZ", date(2024, 9, 2) + timedelta(days=n)) for me in range(writers) for n in range(rounds)
    )
    own = stored.filter(pl.col("date") < date(2024, 9, 1))
    assert dict(own.group_by("date").agg(pl.len()).rows()) == {
        date(2024, 1, 1) + timedelta(days=20 * me + n): 5 for me in range(writers) for n in range(rounds)
    }
    assert own.select(
        ((pl.col("close") - 1) == ((pl.col("date") - date(2024, 1, 1)).dt.total_days() // 20)).all()
    ).item()


def test_two_writers_of_the_same_day_leave_exactly_one_of_the_two_versions(tmp_path: Path):
    writers, rounds = 3, 6
    lake = write_at_once(tmp_path / "lake", writers, rounds, "same")
    days = (
        lake.read("daily_bars")
        .group_by("date")
        .agg(pl.len(), pl.col("close").n_unique().alias("versions"), pl.col("close").first())
    )
    assert days.height == rounds
    # Writer number n writes n rows at the price n: one version, and all of it.
    assert days["versions"].to_list() == [1] * rounds
    assert days["len"].to_list() == days["close"].to_list()
