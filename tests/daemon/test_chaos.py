"""A day of a market under dozens of faults: the same week for longer is `make chaos`."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from support.chaos.lakes import compare_lakes, differences, quiet_week
from support.chaos.plant import plant
from support.chaos.storm import Storm
from support.chaos.verdict import judge, wait_until_quiet
from support.chaos.week import Week
from support.chaos.world import compiler

SEED, SECONDS, PAUSE, FAULTS = 14, 30, 0.8, 12


@pytest.mark.skipif(compiler() is None, reason="a clock of its own needs a C compiler: cc, gcc or clang")
@pytest.mark.timeout(900)  # on a busy machine the servers take a minute to start, and are killed some times
def test_a_bad_day_loses_no_start_no_row_and_no_process(tmp_path: Path) -> None:
    week, chance = Week.first(days=1), random.Random(SEED)
    with (
        ThreadPoolExecutor(1) as aside,
        plant(tmp_path / "stormy", week, chance, zones=("Asia/Shanghai", "America/New_York")) as stormy,
    ):
        quiet = aside.submit(quiet_week, week, tmp_path / "quiet")
        storm = Storm(stormy, week, chance, print, rest=6)
        storm.blow(SECONDS, PAUSE, least=FAULTS)
        assert wait_until_quiet(stormy, week, 200) == []
        verdict = judge(stormy, week)
        compare_lakes(verdict, stormy, week, quiet.result())
    assert verdict.faults == []


def test_lakes_differ_by_a_row_and_by_the_last_day_of_what_can_be_asked_for_on_its_day_only() -> None:
    days = [date(2026, 4, 27), date(2026, 4, 28)]
    bars, flows = (pl.DataFrame({"date": days, "value": [1.0, value]}) for value in (2.0, 3.0))
    week = {"daily_bars": bars, "capital_flow_sector": flows}

    def found(**tables: pl.DataFrame) -> list[str]:
        return list(differences({**week, **tables}, week, days))

    assert found() == found(capital_flow_sector=flows[1:]) == []
    assert found(daily_bars=bars[1:]) == ["daily_bars: 1 rows, 2 in a quiet week"]
    assert found(capital_flow_sector=flows[:1]) == ["capital_flow_sector of 2026-04-28: 0 rows, 1 in a quiet week"]
    wrong = flows.with_columns(value=pl.lit(0.0))
    assert [line.partition(":")[0] for line in found(capital_flow_sector=wrong)] == [
        f"capital_flow_sector of {day}" for day in days
    ]
