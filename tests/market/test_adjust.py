"""Events out of bars, and adjusted prices out of events: by hand-computed examples."""

from datetime import date

import polars as pl
import pytest

from mystocks_dagster.market.adjust import adjust, derive_events, next_bar_days, runs

MON, TUE, WED, THU, FRI = (date(2024, 6, day) for day in (17, 18, 19, 20, 21))
PREVIOUS = {TUE: MON, WED: TUE, THU: WED, FRI: THU}


def bars(*rows: tuple[date, float, float | None], symbol: str = "600519.SH") -> pl.DataFrame:
    """Make bars of (date, close, prev_close)."""
    schema = {"date": pl.Date, "close": pl.Float64, "prev_close": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").select(pl.lit(symbol).alias("symbol"), "date", "close", "prev_close")


def firsts(**days: date) -> pl.DataFrame:
    names = [f"{name[1:]}.SH" for name in days]
    return pl.DataFrame({"symbol": names, "first": list(days.values())}, schema={"symbol": pl.String, "first": pl.Date})


def test_moutais_dividend_of_june_2024_is_an_event_with_the_exchanges_ratio():
    # 600519 closed at 1521.50 on 2024-06-18 and opened ex-dividend against 1490.62 (30.876 CNY per share).
    found = derive_events(bars((TUE, 1521.50, 1530.00), (WED, 1500.00, 1490.62)), {WED: TUE}, firsts())
    assert found.rows() == [("600519.SH", WED, 1490.62 / 1521.50)]


def test_equal_closes_and_a_vendors_rounding_are_no_event_but_one_tick_is():
    frame = bars((MON, 10.00, 9.9), (TUE, 10.02, 10.00), (WED, 10.00, 10.0199), (THU, 10.00, 9.99))
    assert derive_events(frame, PREVIOUS, firsts())["date"].to_list() == [THU]


def test_the_first_bar_is_a_beginning_even_when_it_states_an_issue_price():
    assert derive_events(bars((WED, 15.0, 10.0)), PREVIOUS, firsts(s600519=WED)).is_empty()


def test_a_bar_after_a_gap_is_unknown_although_the_price_before_the_gap_is_stored():
    found = derive_events(bars((MON, 10.0, 10.0), (WED, 10.0, 9.0)), {WED: TUE}, firsts(s600519=MON))
    assert found.rows() == [("600519.SH", WED, None)]


def test_a_bar_without_previous_close_is_unknown():
    found = derive_events(bars((TUE, 10.0, 10.0), (WED, 10.0, None)), {WED: TUE}, firsts())
    assert found.rows() == [("600519.SH", WED, None)]


def test_only_the_days_that_are_asked_for_are_judged():
    frame = bars((MON, 10.0, 10.0), (TUE, 9.0, 5.0), (WED, 9.0, 8.0))
    assert derive_events(frame, {WED: TUE}, firsts())["date"].to_list() == [WED]


def test_one_symbols_close_never_serves_another():
    frame = pl.concat([bars((TUE, 10.0, 10.0)), bars((WED, 20.0, 19.0), symbol="000001.SZ")])
    found = derive_events(frame, {WED: TUE}, pl.DataFrame({"symbol": ["000001.SZ"], "first": [WED]}))
    assert found.is_empty()


def test_runs_join_days_without_a_trading_day_between():
    previous = {TUE: MON, WED: TUE, FRI: THU, date(2024, 6, 24): FRI}
    assert runs([date(2024, 6, 24), TUE, FRI, WED], previous) == [(TUE, WED), (FRI, date(2024, 6, 24))]


def test_next_bars_are_found_symbol_by_symbol():
    stored = pl.DataFrame({"symbol": ["a", "a", "b"], "date": [TUE, WED, FRI]}).lazy()
    assert next_bar_days(stored, [MON]) == [TUE, FRI]
    assert next_bar_days(stored, [FRI]) == []


@pytest.fixture
def split() -> tuple[pl.LazyFrame, pl.DataFrame]:
    """Ten for twenty on Wednesday, ten for eleven on Friday; the true value never moves."""
    frame = bars((MON, 22.0, 22.0), (TUE, 22.0, 22.0), (WED, 11.0, 11.0), (THU, 11.0, 11.0), (FRI, 10.0, 10.0))
    events = pl.DataFrame({"symbol": ["600519.SH"] * 2, "date": [WED, FRI], "ratio": [0.5, 10 / 11]})
    return frame.lazy(), events


def test_hfq_keeps_the_first_day_and_qfq_the_last(split):
    raw, events = split
    assert adjust(raw, events).collect()["close"].to_list() == pytest.approx([22.0] * 5)
    assert adjust(raw, events, anchored=True).collect()["close"].to_list() == pytest.approx([10.0] * 5)


def test_qfq_can_be_anchored_at_any_day(split):
    raw, events = split
    for day, close in ((MON, 22.0), (TUE, 22.0), (WED, 11.0), (THU, 11.0), (FRI, 10.0)):
        assert adjust(raw, events, anchored=True, anchor=day).collect()["close"].to_list() == pytest.approx([close] * 5)


def test_yesterdays_adjusted_close_is_todays_adjusted_previous_close(split):
    raw, events = split
    frame = adjust(raw, events).collect()
    assert frame["prev_close"].to_list()[1:] == pytest.approx(frame["close"].to_list()[:-1])


def test_a_symbol_without_events_keeps_its_prices(split):
    raw, events = split
    assert adjust(raw, events.clear()).collect()["close"].to_list() == raw.collect()["close"].to_list()
