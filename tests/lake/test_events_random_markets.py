"""Random markets, loaded in any order and with gaps: no event is ever false, no doubt too large."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mystocks_dagster.lake.events import derive_unknown, refresh_events
from mystocks_dagster.lake.loads import complete_days, record_days
from mystocks_dagster.lake.prices import adjusted_bars
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import TradingCalendar, shanghai
from mystocks_dagster.market.tables.market import DAILY_BARS

pytestmark = pytest.mark.slow

# Twelve trading days around the May holiday of 2024 (1 to 5 May).
DAYS = shanghai().sessions(date(2024, 4, 22), date(2024, 5, 10))
SYMBOLS = [f"60000{n}.SH" for n in range(6)]
Key = tuple[str, date]


@dataclass(frozen=True)
class Market:
    """What happened: every bar of every symbol, and the true ratio of each ex-dividend day."""

    bars: pl.DataFrame
    ratios: dict[Key, float]


def load(lake: Lake, bars: pl.DataFrame, day: date, symbols: Sequence[str] | None = None) -> None:
    """Load a day as the daily sync does: completely, or the bars of some symbols."""
    frame = bars.filter(date=day)
    if symbols is not None:
        lake.upsert("daily_bars", frame.filter(pl.col("symbol").is_in(list(symbols))))
        refresh_events(lake, [day])
        return
    lake.replace_days("daily_bars", frame, [day])
    refresh_events(lake, [day], complete={*complete_days(lake, "daily_bars"), day})
    record_days(lake, "daily_bars", {day: frame.height}, source="recorded")


def make_market(seed: int) -> Market:
    """Let prices walk in cents; a symbol rests for some days, and now and then a share goes ex-dividend."""
    dice = random.Random(seed)
    rows, ratios = [], {}
    for symbol in SYMBOLS:
        close, listed = dice.randrange(500, 5000), dice.choice([0, 0, 0, 4])
        rests = set(range(start := dice.randrange(1, len(DAYS) - 3), start + dice.choice([0, 0, 1, 3])))
        for at, day in enumerate(DAYS[listed:], listed):
            before = close
            if dice.random() < 0.12 and at > listed:
                before = close - dice.randrange(20, 200)
                ratios[symbol, day] = before / close
            resting = at in rests and at > listed
            close = before if resting else max(300, before + dice.choice([-3, -1, 0, 0, 1, 2, 5]))
            low, high = min(before, close) / 100, max(before, close) / 100
            traded = (0, 0.0) if resting else (1000, 1000 * low)
            rows.append((symbol, day, before / 100, high, low, close / 100, before / 100, *traded, 1.0, False, resting))
    columns = [name for name in DAILY_BARS.dtypes if name != "actions_known"]
    return Market(DAILY_BARS.complete(pl.DataFrame(rows, schema=columns, orient="row")).cast(DAILY_BARS.dtypes), ratios)


def expected(stored: pl.DataFrame, market: Market, complete: set[date], last: date) -> dict[Key, float | None]:
    """Say by hand what must be known: `stored` bars, `complete` days, a calendar that ends on `last`."""
    named = stored["suspended"].any()
    closes = {
        (symbol, day): (close, before)
        for symbol, day, close, before in stored.select("symbol", "date", "close", "prev_close").iter_rows()
    }
    found: dict[Key, float | None] = {}
    for (symbol, day), (_, before) in closes.items():
        earlier = [other for name, other in closes if name == symbol and other < day]
        if not earlier or abs(before - closes[symbol, max(earlier)][0]) < 0.006:
            continue
        between = [max(earlier) + timedelta(days=n) for n in range(1, (day - max(earlier)).days)]
        trading = [d for d in between if (d in DAYS if d <= last else d.weekday() < 5)]
        sure = all(d in complete and not named for d in trading)
        true = 1.0
        for ex_day in (ex_day for name, ex_day in market.ratios if name == symbol and max(earlier) < ex_day <= day):
            true *= market.ratios[symbol, ex_day]
        found[symbol, day] = true if sure else None
    return found


def stored_events(lake: Lake) -> dict[Key, float | None]:
    return {(symbol, day): ratio for symbol, day, ratio in lake.read("adjust_events").iter_rows()}


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10_000),
    order=st.permutations(DAYS),
    held_back=st.sets(st.sampled_from(DAYS), max_size=3),
    style=st.sampled_from(["all suspended bars", "none", "some"]),
    last=st.sampled_from([DAYS[-1], DAYS[-1], DAYS[5], DAYS[2]]),
)
def test_whatever_is_missing_no_event_is_false_and_all_that_is_known_is_there(
    tmp_path_factory, seed, order, held_back, style, last
):
    market, folder = make_market(seed), tmp_path_factory.mktemp("lake")
    dice = random.Random(seed)
    kept = {"all suspended bars": 1.0, "none": 0.0, "some": 0.5}[style]
    given_bars = market.bars.filter(
        pl.Series([not rests or dice.random() < kept for rests in market.bars["suspended"]])
    )
    calendar = TradingCalendar.from_days(shanghai().sessions(date(2024, 1, 2), last), last=last)
    lake = Lake(str(folder / "lake"), "real")
    loaded: set[date] = set()
    with patch("mystocks_dagster.lake.events.shanghai", lambda: calendar):
        for day in [*(day for day in order if day not in held_back), *held_back]:
            load(lake, given_bars, day)
            loaded.add(day)
            want = expected(given_bars.filter(pl.col("date").is_in(list(loaded))), market, loaded, last)
            assert stored_events(lake) == pytest.approx(want)
    # A calendar that arrives later makes the same of it as one that was there from the beginning.
    derive_unknown(lake, calendar=shanghai())
    assert stored_events(lake) == pytest.approx(expected(given_bars, market, loaded, DAYS[-1]))


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10_000),
    gap=st.sampled_from(DAYS[2:-2]),
    named=st.sets(st.sampled_from(SYMBOLS), min_size=1, max_size=3),
)
def test_a_gap_filled_for_some_symbols_heals_those_and_no_others(tmp_path_factory, seed, gap, named):
    market, folder = make_market(seed), tmp_path_factory.mktemp("lake")
    lake = Lake(str(folder / "lake"), "real")
    for day in DAYS:
        if day != gap:
            load(lake, market.bars, day)
    before = stored_events(lake)
    load(lake, market.bars, gap, sorted(named))
    whole = expected(market.bars, market, set(DAYS), DAYS[-1])
    after = stored_events(lake)
    assert {key: after[key] for key in after if key[0] in named} == pytest.approx(
        {key: whole[key] for key in whole if key[0] in named}
    )
    assert {key: after[key] for key in after if key[0] not in named} == {
        key: before[key] for key in before if key[0] not in named
    }


@pytest.mark.parametrize("seed", range(3))
def test_adjusted_prices_after_healing_are_those_of_the_whole_market(tmp_path, seed):
    market, lake = make_market(seed), Lake(str(tmp_path / "lake"), "real")
    for day in [*DAYS[6:], *DAYS[:3], *DAYS[4:6], DAYS[3]]:
        load(lake, market.bars, day)
    steps = pl.DataFrame(
        [(symbol, day, 1 / ratio) for (symbol, day), ratio in market.ratios.items()],
        schema={"symbol": pl.String, "date": pl.Date, "step": pl.Float64},
        orient="row",
    )
    want = market.bars.join(steps, on=["symbol", "date"], how="left").sort("symbol", "date")
    want = want.select("symbol", "date", factor=pl.col("step").fill_null(1.0).cum_prod().over("symbol"))
    found = adjusted_bars(lake, columns=["symbol", "date", "factor"])
    assert (
        found.join(want, on=["symbol", "date"])
        .select((pl.col("factor") / pl.col("factor_right") - 1).abs().max())
        .item()
        < 1e-12
    )
    assert found.height == market.bars.height
