"""The bar before each bar, in random markets, against a loop over each symbol's bars."""

import random
from datetime import date

import polars as pl
import pytest

from mystocks_dagster.market.bars_before import ABSENT, SETTLED, BarsBefore
from mystocks_dagster.market.calendar import shanghai

DAYS = shanghai().sessions(date(2024, 1, 2), date(2024, 3, 15))
Row = tuple[str, date, float]


def market(seed: int) -> list[Row]:
    """Bars of symbols that rest now and then, of which some begin late and some end early, in order."""
    walk = random.Random(seed)
    rows = []
    for at in range(walk.randint(1, 12)):
        begin, end = sorted(walk.sample(range(len(DAYS)), 2))
        rows += [(f"60000{at:x}.SH", day, walk.random()) for day in DAYS[begin:end] if walk.random() > 0.1]
    return rows


def framed(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"symbol": pl.String, "date": pl.Date, "close": pl.Float64}, orient="row")


def expected(frame: list[Row], stored: list[Row]) -> tuple[list[float | None], list[date | None], list[bool]]:
    """Return the close and day of the bar before each bar of the frame, and whether it is settled."""
    closes, days, settled = [], [], []
    for symbol, day, _ in frame:
        earlier = sorted((day_before, close) for name, day_before, close in frame + stored
                         if name == symbol and day_before < day)  # fmt: skip
        closes.append(earlier[-1][1] if earlier else None)
        days.append(earlier[-1][0] if earlier else None)
        settled.append(len(earlier) >= SETTLED)
    return closes, days, settled


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("case", ["a year after the stored bars", "a gap between them", "days in any order"])
def test_the_bar_before_is_the_last_one_of_the_symbol(case: str, seed: int):
    rows = market(seed)
    walk = random.Random(seed)
    first = walk.randrange(len(DAYS))
    inside = {*walk.sample(DAYS, 20)} if case == "a gap between them" else {*DAYS[first:]}
    frame = [row for row in rows if row[1] in inside]
    stored = [row for row in rows if row[1] not in inside]
    walk.shuffle(stored)
    if case == "days in any order":
        walk.shuffle(frame)
    before = BarsBefore(framed(frame), framed(stored))
    closes, days, settled = expected(frame, stored)
    assert before.column("close").to_list() == closes
    assert [None if at == ABSENT else before.loaded[int(at)] for at in before.place_before] == days
    assert before.settled.tolist() == settled
    values = before.bars["close"]
    at = pl.int_range(len(frame), eager=True).to_numpy()
    assert [None if row < 0 else values[int(row)] for row in before.rows_before(at)] == closes


def test_the_first_bars_of_a_market_have_none_before():
    before = BarsBefore(framed([("600000.SH", DAYS[0], 1.0)]), framed([]))
    assert before.column("close").to_list() == [None]
    assert before.settled.tolist() == [False]
