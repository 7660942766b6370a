"""A day of a market under dozens of faults: the same week for longer is `make chaos`."""

import random
from pathlib import Path

import pytest
from support.chaos.plant import plant
from support.chaos.storm import Storm
from support.chaos.verdict import compare_lakes, judge, wait_until_quiet
from support.chaos.week import Week
from support.chaos.world import compiler

SEED, SECONDS, PAUSE, FAULTS = 14, 45, 1.2, 12


@pytest.mark.skipif(compiler() is None, reason="a clock of its own needs a C compiler: cc, gcc or clang")
@pytest.mark.timeout(900)  # on a busy machine the servers take a minute to start, and are killed some times
def test_a_bad_day_loses_no_start_no_row_and_no_process(tmp_path: Path) -> None:
    week, chance = Week.first(days=1), random.Random(SEED)
    with plant(tmp_path / "stormy", week, chance, zones=("Asia/Shanghai", "America/New_York")) as stormy:
        storm = Storm(stormy, week, chance, print, rest=8)
        storm.blow(SECONDS, PAUSE, least=FAULTS)
        assert wait_until_quiet(stormy, week, 200) == []
        verdict = judge(stormy, week)
        verdict.faults += compare_lakes(stormy, week, tmp_path / "quiet")
    assert verdict.faults == []
