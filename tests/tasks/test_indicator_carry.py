"""Indicators that are carried on are those of a rebuild, whatever happened in between."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mystocks_dagster.lake.restore import restore
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.indicators import INDICATORS
from mystocks_dagster.market.periods import PERIODS
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS
from mystocks_dagster.tasks import indicators
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators

pytestmark = pytest.mark.slow

SYMBOLS = ("000001.SZ", "300750.SZ", "600519.SH")
#: Two years' end and two months' ends lie between them.
DAYS = [day for day in (date(2024, 11, 20) + timedelta(days=n) for n in range(75)) if day.weekday() < 5]


#: One column, as somebody tries it: two windows, and one that cannot be carried on.
OWN = tuple({"name": "OWN", "formula": f"X:{text};"} for text in ("EMA(C,5)", "EMA(C,50)", "HHV(H,BARSLAST(C>O)+1)"))


def chosen(own, *names, **params):
    return IndicatorParams.model_validate({"indicators": [*(names or INDICATORS), own], **params})


class Market:
    """A small market in a lake, which changes step by step."""

    def __init__(self, lake, run):
        self.lake, self.run = lake, run
        rng = np.random.default_rng(7)
        self.prices = {
            symbol: np.round(20 * np.exp(np.cumsum(rng.normal(0, 0.03, len(DAYS)))), 2) for symbol in SYMBOLS
        }
        self.bars = {(symbol, day) for symbol in SYMBOLS for day in DAYS[:25] if (symbol, day) != (SYMBOLS[1], DAYS[9])}
        self.newest = 25
        self.own = OWN[0]
        lake.replace_all("daily_bars", self._frame(self.bars))
        lake.replace_all("adjust_events", ADJUST_EVENTS.empty())

    def _frame(self, keys):
        rows = []
        for symbol, day in sorted(keys):
            close = float(self.prices[symbol][DAYS.index(day)])
            paused = (SYMBOLS.index(symbol) + day.toordinal()) % 11 == 0
            rows.append(
                (symbol, day, close, close * 1.01, close * 0.99, close, None, 100, close * 100, 1.0, False, paused)
            )
        frame = pl.DataFrame(rows, schema=list(DAILY_BARS.dtypes)[:12], orient="row")
        return DAILY_BARS.typed(frame)

    def store(self, day):
        self.lake.replace_days("daily_bars", self._frame({key for key in self.bars if key[1] == day}), [day])

    def new_day(self, _, __):
        if self.newest < len(DAYS):
            day = DAYS[self.newest]
            self.newest += 1
            self.bars |= {(symbol, day) for symbol in SYMBOLS}
            self.store(day)

    def gap_filled(self, _, __):
        missing = [(symbol, day) for symbol in SYMBOLS for day in DAYS[: self.newest] if (symbol, day) not in self.bars]
        for key in missing[:1]:
            self.bars.add(key)
            self.store(key[1])

    def bar_lost(self, symbol, place):
        key = (SYMBOLS[symbol], DAYS[place % self.newest])
        self.bars.discard(key)
        self.store(key[1])

    def price_corrected(self, symbol, place):
        self.prices[SYMBOLS[symbol]][place % self.newest] *= 1.1
        self.store(DAYS[place % self.newest])

    def late_event(self, symbol, place):
        event = [(SYMBOLS[symbol], DAYS[place % self.newest], 0.5 + place / 100)]
        self.lake.upsert("adjust_events", pl.DataFrame(event, schema=ADJUST_EVENTS.dtypes, orient="row"))

    def compacted(self, _, __):
        self.lake.compact()

    def same_rows_again(self, _, place):
        self.store(DAYS[place % self.newest])

    def calculated(self, _, place):
        names = (("MA", "KDJ"), ("MA", "MACD", "KDJ", "RSI", "BOLL"), ("RSI", "BOLL"))[place % 3]
        calculate_technical_indicators(IndicatorParams(indicators=list(names)), self.run)

    def formula_changed(self, _, place):
        self.own = OWN[place % 3]
        calculate_technical_indicators(chosen(self.own, "MA"), self.run)

    def one_symbol_calculated(self, symbol, place):
        if any(key[0] == SYMBOLS[symbol] for key in self.bars):
            params = chosen(OWN[place % 3], symbols=[SYMBOLS[symbol]])
            calculate_technical_indicators(params, self.run)

    def killed_before_its_state(self, _, __):
        """The rows are committed, and the process ends before the state is."""

        def kill(*_):
            raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mystocks_dagster.tasks.indicator_carry.store_states", kill)
            patch.setattr("mystocks_dagster.tasks.indicator_rebuild.store_states", kill)
            try:
                calculate_technical_indicators(IndicatorParams(), self.run)
            except KeyboardInterrupt:
                return

    def killed_before_its_rows(self, _, __):
        def kill(*_, **__):
            raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Lake, "replace_from", kill)
            try:
                calculate_technical_indicators(IndicatorParams(), self.run)
            except KeyboardInterrupt:
                return


STEPS = [
    name for name, value in vars(Market).items() if callable(value) and not name.startswith("_") and name != "store"
]


def tables(lake):
    return {period: lake.read(f"indicators_{period}").sort("symbol", "date") for period in PERIODS}


def same(ours, rebuilt):
    for period, frame in rebuilt.items():
        mine = ours[period]
        assert mine.select("symbol", "date").equals(frame.select("symbol", "date")), period
        for name in frame.columns[2:]:
            np.testing.assert_allclose(
                mine[name].to_numpy(), frame[name].to_numpy(), rtol=1e-12, atol=1e-12, err_msg=f"{period} {name}"
            )


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 2), st.integers(0, 60)), min_size=3, max_size=9))
def test_any_history_ends_in_the_rows_of_a_rebuild(tmp_path_factory, computing_in, steps):
    market = Market(*computing_in(tmp_path_factory.mktemp("lake")))
    calculate_technical_indicators(IndicatorParams(), market.run)
    for name, symbol, place in steps:
        getattr(market, name)(symbol, place)
    calculate_technical_indicators(chosen(market.own), market.run)
    carried = tables(market.lake)
    calculate_technical_indicators(chosen(market.own, force=True), market.run)
    same(carried, tables(market.lake))


@pytest.fixture
def rebuilds(monkeypatch):
    """The periods that were computed from the first bar on."""
    periods = []
    real = indicators.rebuild

    def rebuild(lake, works, *others):
        periods.extend(work.period for work in works)
        return real(lake, works, *others)

    monkeypatch.setattr(indicators, "rebuild", rebuild)
    return periods


def test_new_days_are_computed_from_the_state(lake, computing, rebuilds):
    market = Market(lake, computing)
    calculate_technical_indicators(IndicatorParams(), computing)
    assert rebuilds == [*PERIODS]
    for _ in range(8):
        market.new_day(0, 0)
        rows = calculate_technical_indicators(IndicatorParams(), computing).rows
        assert rows["indicators_daily"] <= 3
    assert rebuilds == [*PERIODS]
    carried = tables(lake)
    calculate_technical_indicators(IndicatorParams(force=True), computing)
    same(carried, tables(lake))


def test_a_late_event_computes_its_symbol_only(lake, computing, rebuilds):
    market = Market(lake, computing)
    calculate_technical_indicators(IndicatorParams(), computing)
    market.late_event(2, 10)
    rows = calculate_technical_indicators(IndicatorParams(), computing).rows
    changed = lake.read("indicators_daily", symbols=[SYMBOLS[2]], start=DAYS[10])
    assert rows["indicators_daily"] == changed.height > 0
    assert rebuilds == [*PERIODS]


def test_a_further_indicator_leaves_the_others_as_they_are(lake, computing, rebuilds):
    market = Market(lake, computing)
    calculate_technical_indicators(IndicatorParams(indicators=["MA"]), computing)
    calculate_technical_indicators(IndicatorParams(indicators=["MA", "RSI"]), computing)
    market.new_day(0, 0)
    rebuilds.clear()
    calculate_technical_indicators(IndicatorParams(indicators=["MA", "RSI"]), computing)
    assert rebuilds == []
    assert lake.read("indicators_daily")["ma5"].null_count() == 3 * 4


def test_restored_rows_are_older_than_the_state_and_computed_anew(lake, computing, rebuilds):
    market = Market(lake, computing)
    calculate_technical_indicators(IndicatorParams(), computing)
    then = lake.log("indicators_daily").version()
    market.new_day(0, 0)
    calculate_technical_indicators(IndicatorParams(), computing)
    restore(lake, "indicators_daily", then)
    rebuilds.clear()
    calculate_technical_indicators(IndicatorParams(), computing)
    assert rebuilds == ["daily"]
    assert lake.days("indicators_daily")[-1] == DAYS[25]


@pytest.mark.parametrize("symbols", [None, ["600519.SH"]], ids=["for all", "for one symbol"])
@pytest.mark.parametrize("other", OWN[1:], ids=["window", "not carried on"])
def test_a_formula_that_is_changed_and_changed_back_has_its_own_values_again(lake, computing, other, symbols):
    market = Market(lake, computing)
    calculate_technical_indicators(chosen(OWN[0]), computing)
    before = tables(lake)
    calculate_technical_indicators(chosen(other, symbols=symbols), computing)
    assert not before["daily"]["own_x"].equals(tables(lake)["daily"]["own_x"])
    calculate_technical_indicators(chosen(OWN[0]), computing)
    same(tables(lake), before)
    market.new_day(0, 0)
    calculate_technical_indicators(chosen(other), computing)
    calculate_technical_indicators(chosen(OWN[0]), computing)
    carried = tables(lake)
    calculate_technical_indicators(chosen(OWN[0], force=True), computing)
    same(carried, tables(lake))


def test_the_running_week_and_month_of_what_cannot_be_carried_on_are_of_all_bars(lake, computing):
    market = Market(lake, computing)
    for _ in range(3):
        market.new_day(0, 0)
    calculate_technical_indicators(chosen(OWN[2]), computing)
    for period in ("weekly", "monthly"):
        stored = lake.read(f"indicators_{period}", columns=["symbol", "date", "own_x"]).sort("symbol", "date")
        calculate_technical_indicators(chosen(OWN[2], symbols=[*SYMBOLS]), computing)
        again = lake.read(f"indicators_{period}", columns=["symbol", "date", "own_x"]).sort("symbol", "date")
        assert stored.equals(again), period
