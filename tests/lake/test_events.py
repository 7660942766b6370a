"""Events stay true to the bars, in whatever order days arrive, are replaced and go."""

import re
import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mystocks_dagster.errors import LakeError
from mystocks_dagster.lake.events import refresh_events
from mystocks_dagster.lake.loads import complete_days, forget_missing, record_days
from mystocks_dagster.lake.prices import adjusted_bars, unknown_factors
from mystocks_dagster.lake.restore import move_away, restore
from mystocks_dagster.lake.store import Lake

pytestmark = pytest.mark.slow

# Ten trading days over a weekend, the May holiday of 2024 (1 to 5 May) and a make-up Saturday without trading.
DAYS = [date(2024, 4, day) for day in (24, 25, 26, 29, 30)] + [date(2024, 5, day) for day in (6, 7, 8, 9, 10)]
SYMBOLS = ["600000.SH", "000001.SZ", "300750.SZ"]


def naive_events(stored: dict[tuple[str, date], tuple[float, float]]) -> dict[tuple[str, date], float | None]:
    """Say the same as the product, bar by bar: close and previous close by symbol and day."""
    found: dict[tuple[str, date], float | None] = {}
    for (symbol, day), (_, prev_close) in stored.items():
        earlier = [other for name, other in stored if name == symbol and other < day]
        if not earlier:
            continue
        close, _ = stored[symbol, max(earlier)]
        adjacent = DAYS.index(max(earlier)) == DAYS.index(day) - 1
        if abs(prev_close - close) > 0.005:
            found[symbol, day] = prev_close / close if adjacent else None
    return found


@st.composite
def histories(draw: st.DrawFn) -> list[dict[date, dict[str, tuple[float, float]]]]:
    """Some loads, each of some days with bars of some symbols; a later load replaces the days of an earlier one."""
    cents = st.sampled_from([10.0, 10.01, 12.5])
    day = st.dictionaries(st.sampled_from(SYMBOLS), st.tuples(cents, cents), max_size=3)
    return draw(st.lists(st.dictionaries(st.sampled_from(DAYS), day, min_size=1, max_size=6), min_size=1, max_size=4))


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(loads=histories())
def test_events_never_depend_on_the_order_of_loads(tmp_path_factory, make_bars, loads):
    lake = Lake(str(tmp_path_factory.mktemp("lake")), "real")
    stored: dict[tuple[str, date], tuple[float, float]] = {}
    for load in loads:
        frames = [
            make_bars(day, [symbol]).with_columns(close=pl.lit(close), prev_close=pl.lit(prev_close))
            for day, bars in load.items()
            for symbol, (close, prev_close) in bars.items()
        ]
        lake.replace_days("daily_bars", pl.concat([make_bars(DAYS[0], 0), *frames]), list(load))
        refresh_events(lake, list(load))
        stored = {key: bar for key, bar in stored.items() if key[1] not in load}
        stored |= {(symbol, day): bar for day, bars in load.items() for symbol, bar in bars.items()}
        found = {(symbol, day): ratio for symbol, day, ratio in lake.read("adjust_events").iter_rows()}
        assert found == naive_events(stored)


@pytest.fixture
def gap(lake, make_bars) -> Lake:
    """600000 lacks the second day, and its price has moved by then; 000001 was listed on the third."""
    lake.replace_days("daily_bars", make_bars(DAYS[0], ["600000.SH"], 9.0), [DAYS[0]])
    refresh_events(lake, [DAYS[0]])
    for day in (DAYS[2], DAYS[3]):
        lake.replace_days("daily_bars", make_bars(day, ["600000.SH", "000001.SZ"]), [day])
        refresh_events(lake, [day])
    return lake


def test_reads_across_an_unknown_factor_are_refused_with_symbol_day_and_remedy(gap):
    assert unknown_factors(gap).rows() == [("600000.SH", DAYS[2])]
    remedy = re.escape(
        "mystocks backfill daily_data_sync --from 2024-04-25 --to 2024-04-25 --again -p 'symbols=[\"600000.SH\"]'"
    )
    for how in ("hfq", "qfq"):
        with pytest.raises(LakeError, match=rf"600000\.SH cannot be adjusted across 2024-04-26.*{remedy}"):
            adjusted_bars(gap, how)


def test_what_does_not_cross_the_unknown_factor_is_read(gap):
    assert adjusted_bars(gap, "hfq", end=DAYS[1]).height == 1
    assert adjusted_bars(gap, "hfq", symbols=["000001.SZ"]).height == 2
    assert adjusted_bars(gap, "qfq", start=DAYS[2]).height == 4
    assert adjusted_bars(gap, "qfq", end=DAYS[0], anchor=DAYS[0]).height == 1
    with pytest.raises(LakeError, match="cannot be adjusted"):
        adjusted_bars(gap, "qfq", end=DAYS[0])
    with pytest.raises(LakeError, match="cannot be adjusted"):
        adjusted_bars(gap, "qfq", start=DAYS[2], anchor=DAYS[0])


def test_only_the_rows_behind_an_unknown_factor_are_left_out(gap):
    rows = adjusted_bars(gap, unknown="leave_out").select("symbol", "date").rows()
    assert rows == [("000001.SZ", DAYS[2]), ("000001.SZ", DAYS[3]), ("600000.SH", DAYS[0])]
    near = adjusted_bars(gap, "qfq", symbols=["600000.SH"], unknown="leave_out")
    assert near["date"].to_list() == [DAYS[2], DAYS[3]]
    assert adjusted_bars(gap, "qfq", symbols=["600000.SH"], anchor=DAYS[1], unknown="leave_out")["date"].to_list() == [
        DAYS[0]
    ]


def test_filling_the_gap_makes_the_factor_known(gap, make_bars):
    gap.replace_days("daily_bars", make_bars(DAYS[1], ["600000.SH"], 20.0), [DAYS[1]])
    refresh_events(gap, [DAYS[1]])
    # The filled day states 20 against 10 before, the day after states 10 against its 20.
    assert gap.read("adjust_events").sort("date").rows() == [
        ("600000.SH", DAYS[1], 20 / 9),
        ("600000.SH", DAYS[2], 0.5),
    ]
    frame = adjusted_bars(gap, symbols=["600000.SH"], columns=["close", "factor"])
    assert frame["factor"].to_list() == pytest.approx([1.0, 0.45, 0.9, 0.9])
    assert frame["close"].to_list() == pytest.approx([9.0] * 4)


def test_adjusted_reads_take_columns_and_windows(gap):
    frame = adjusted_bars(gap, symbols=["000001.SZ"], start=DAYS[3], columns=["symbol", "close"])
    assert frame.rows() == [("000001.SZ", 10.0)]


@pytest.mark.slow
def test_a_new_day_reads_some_weeks_of_the_market_and_older_bars_of_returning_symbols_only(
    lake, make_bars, monkeypatch
):
    old, new = date(2019, 3, 1), DAYS[-1]
    for day, symbols in (
        (old, ["600000.SH", "600001.SH"]),
        (DAYS[0], ["600001.SH"]),
        *((day, ["600001.SH"]) for day in DAYS[1:-1]),
    ):
        lake.replace_days("daily_bars", make_bars(day, symbols), [day])
        refresh_events(lake, [day])
    lake.replace_days("daily_bars", make_bars(new, ["600000.SH", "600001.SH"]), [new])
    read, asked = Lake.scan, []

    def scan(self, table, **terms):
        if table == "daily_bars":
            asked.append((terms.get("start"), terms.get("end"), terms.get("symbols"), terms["columns"]))
        return read(self, table, **terms)

    monkeypatch.setattr(Lake, "scan", scan)
    refresh_events(lake, [new])
    for start, _, symbols, columns in asked:
        if "close" in columns:
            assert symbols == ["600000.SH"] or start >= date(2024, 3, 31)
        else:
            assert start >= date(2024, 1, 1)
    assert (None, date(2023, 3, 30), ["600000.SH"]) in [terms[:3] for terms in asked], "it came back after years"


@pytest.fixture
def split(lake, make_bars) -> Lake:
    """600000 was split 1:2 on the third day; the table of events was written before with none in it."""
    for day, price, before in zip(DAYS[:4], (10.0, 10.0, 5.0, 5.0), (10.0, 10.0, 5.0, 5.0), strict=True):
        lake.replace_days(
            "daily_bars", make_bars(day, ["600000.SH"], price).with_columns(prev_close=pl.lit(before)), [day]
        )
        refresh_events(lake, [day])
        record_days(lake, "daily_bars", {day: 1}, source="test")
    assert lake.read("adjust_events").rows() == [("600000.SH", DAYS[2], 0.5)]
    return lake


@pytest.mark.slow
def test_an_earlier_version_of_the_events_does_not_lose_what_happened_in_the_bars(split):
    done = restore(split, "adjust_events", 0)
    assert (done.rows, done.days, done.derived) == (1, (), True)
    assert adjusted_bars(split, "hfq")["close"].to_list() == [10.0] * 4


@pytest.mark.slow
def test_events_that_are_moved_away_are_derived_again_at_once(split):
    done = move_away(split, "adjust_events")
    assert (done.version, done.rows, done.days, done.derived) == (None, 1, (), True)
    assert adjusted_bars(split, "hfq")["close"].to_list() == [10.0] * 4


@pytest.mark.slow
def test_an_earlier_version_of_the_bars_gets_its_events_although_their_table_is_missing(split):
    shutil.rmtree(Path(split.location, "adjust_events"))
    assert not restore(split, "daily_bars", 3).derived
    assert split.read("adjust_events").rows() == [("600000.SH", DAYS[2], 0.5)]


@pytest.mark.slow
def test_no_day_of_a_table_that_is_gone_counts_as_loaded(split, make_bars):
    shutil.rmtree(Path(split.location, "daily_bars"))
    assert complete_days(split, "daily_bars") == {}
    forget_missing(split)
    split.replace_days("daily_bars", make_bars(DAYS[0], ["600000.SH"]), [DAYS[0]])
    assert complete_days(split, "daily_bars") == {}
