"""Events out of bars, and adjusted prices out of events: by hand-computed examples."""

from collections.abc import Sequence
from datetime import date

import polars as pl
import pytest

from mystocks_dagster.market.adjust import adjust, changed_closes, derive_events, next_bar_days, runs
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS

MON, TUE, WED, THU, FRI = (date(2024, 6, day) for day in (17, 18, 19, 20, 21))
NO_ACTIONS = CORPORATE_ACTIONS.empty()


def bars(*rows: tuple[date, float, float | None], symbol: str = "600519.SH") -> pl.DataFrame:
    """Make bars of (date, close, prev_close)."""
    schema = {"date": pl.Date, "close": pl.Float64, "prev_close": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").select(
        pl.lit(symbol).alias("symbol"), "date", "close", "prev_close"
    )


def events(frame: pl.DataFrame, silent: Sequence[date] = (), actions: pl.DataFrame = NO_ACTIONS) -> list[tuple]:
    """Derive the events of bars, each beside the one before it in the frame."""
    beside = frame.with_columns(pl.col("date", "close").shift().over("symbol").name.prefix("last_"))
    return derive_events(changed_closes(beside), silent, actions).rows()


def action(
    day: date, cash: float = 0.0, bonus: float = 0.0, rights: float = 0.0, price: float | None = None
) -> pl.DataFrame:
    row = ("600519.SH", day, cash, bonus, rights, price, None, "recorded", None, None)
    return pl.DataFrame([row], schema=CORPORATE_ACTIONS.dtypes, orient="row")


def test_moutais_dividend_of_june_2024_is_an_event_with_the_exchanges_ratio():
    # 600519 closed at 1521.50 on 2024-06-18 and opened ex-dividend against 1490.62 (30.876 CNY per share).
    found = events(bars((TUE, 1521.50, 1530.00), (WED, 1500.00, 1490.62)))
    assert found == [("600519.SH", WED, 1490.62 / 1521.50)]


def test_equal_closes_and_a_vendors_rounding_are_no_event_but_one_tick_is():
    frame = bars((MON, 10.00, 9.9), (TUE, 10.02, 10.00), (WED, 10.00, 10.0199), (THU, 10.00, 9.99))
    assert [day for _, day, _ in events(frame)] == [THU]


def test_a_tick_of_a_fund_is_an_event_too():
    assert [
        day for _, day, _ in events(bars((MON, 1.500, 1.5), (TUE, 1.5, 1.5001), (WED, 1.5, 1.499), symbol="510300.SH"))
    ] == [WED]


def test_the_first_bar_is_a_beginning_even_when_it_states_an_issue_price():
    assert events(bars((WED, 15.0, 10.0)), [TUE]) == []


def test_equal_prices_are_no_event_whatever_lies_between():
    assert events(bars((MON, 10.0, 10.0), (FRI, 11.0, 10.0)), [TUE, WED, THU]) == []


def test_another_price_after_a_gap_is_unknown_and_after_a_pause_an_event():
    frame = bars((MON, 10.0, 10.0), (WED, 10.0, 9.0))
    assert events(frame, [TUE]) == [("600519.SH", WED, None)]
    assert events(frame, []) == events(frame, [MON, WED, THU]) == [("600519.SH", WED, 0.9)]


def test_a_bar_without_previous_close_is_unknown():
    assert events(bars((TUE, 10.0, 10.0), (WED, 10.0, None))) == [("600519.SH", WED, None)]


@pytest.mark.parametrize(
    ("stated", "happened"),
    [
        (9.5, action(TUE, cash=0.5)),
        (9.5, action(WED, cash=0.5)),
        (6.79, action(TUE, cash=0.5, bonus=0.4)),  # 9.50 / 1.4 = 6.7857
        (8.46, action(WED, rights=0.3, price=3.33)),  # (10 + 0.3 x 3.33) / 1.3 = 8.4608
        (4.75, pl.concat([action(TUE, cash=0.5), action(WED, bonus=1.0)])),
    ],
    ids=["dividend in the gap", "dividend on the day", "dividend and bonus", "rights", "two days"],
)
def test_a_corporate_action_that_explains_the_price_makes_the_ratio_known(stated, happened):
    frame = bars((MON, 10.0, 10.0), (WED, 10.0, stated))
    assert events(frame, [TUE]) == [("600519.SH", WED, None)]
    assert events(frame, [TUE], happened) == [("600519.SH", WED, stated / 10.0)]


@pytest.mark.parametrize(
    "other",
    [
        action(TUE, cash=0.4),
        action(MON, cash=0.5),
        action(THU, cash=0.5),
        action(TUE, cash=0.5).with_columns(symbol=pl.lit("000001.SZ")),
    ],
    ids=["another amount", "before the last bar", "after the day", "another symbol"],
)
def test_a_corporate_action_that_does_not_explain_the_price_changes_nothing(other):
    assert events(bars((MON, 10.0, 10.0), (WED, 10.0, 9.5)), [TUE], other) == [("600519.SH", WED, None)]


def test_one_symbols_close_never_serves_another():
    assert events(pl.concat([bars((TUE, 10.0, 10.0)), bars((WED, 20.0, 19.0), symbol="000001.SZ")])) == []


def test_runs_join_days_without_a_trading_day_between():
    previous = {TUE: MON, WED: TUE, FRI: THU, date(2024, 6, 24): FRI}
    assert runs([date(2024, 6, 24), TUE, FRI, WED], previous) == [(TUE, WED), (FRI, date(2024, 6, 24))]


def test_next_bars_are_found_symbol_by_symbol():
    stored = pl.DataFrame({"symbol": ["a", "a", "b"], "date": [TUE, WED, FRI]}).lazy()
    assert next_bar_days(stored, [MON]) == [TUE, FRI]
    assert next_bar_days(stored, [FRI]) == []


@pytest.fixture
def split() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Ten for twenty on Wednesday, ten for eleven on Friday; the true value never moves."""
    frame = bars((MON, 22.0, 22.0), (TUE, 22.0, 22.0), (WED, 11.0, 11.0), (THU, 11.0, 11.0), (FRI, 10.0, 10.0))
    events = pl.DataFrame({"symbol": ["600519.SH"] * 2, "date": [WED, FRI], "ratio": [0.5, 10 / 11]})
    return frame, events


def test_hfq_keeps_the_first_day_and_qfq_the_last(split):
    raw, events = split
    assert adjust(raw, events)["close"].to_list() == pytest.approx([22.0] * 5)
    assert adjust(raw, events, anchored=True)["close"].to_list() == pytest.approx([10.0] * 5)


def test_qfq_can_be_anchored_at_any_day(split):
    raw, events = split
    for day, close in ((MON, 22.0), (TUE, 22.0), (WED, 11.0), (THU, 11.0), (FRI, 10.0)):
        assert adjust(raw, events, anchored=True, anchor=day)["close"].to_list() == pytest.approx([close] * 5)


def test_yesterdays_adjusted_close_is_todays_adjusted_previous_close(split):
    raw, events = split
    frame = adjust(raw, events)
    assert frame["prev_close"].to_list()[1:] == pytest.approx(frame["close"].to_list()[:-1])


def test_a_symbol_without_events_keeps_its_prices(split):
    raw, events = split
    assert adjust(raw, events.clear())["close"].to_list() == raw["close"].to_list()


def test_two_sources_that_state_one_dividend_are_not_paid_twice():
    twice = pl.concat([action(TUE, cash=0.5), action(TUE, cash=0.5).with_columns(source=pl.lit("other"), rights=None)])
    assert events(bars((MON, 10.0, 10.0), (WED, 10.0, 9.5)), [TUE], twice) == [("600519.SH", WED, 0.95)]
    assert events(bars((MON, 10.0, 10.0), (WED, 10.0, 9.0)), [TUE], twice) == [("600519.SH", WED, None)]


def test_where_sources_differ_the_statement_that_the_price_shows_explains_it():
    either = pl.concat([action(TUE, cash=0.5), action(TUE, cash=0.7).with_columns(source=pl.lit("other"))])
    assert events(bars((MON, 10.0, 10.0), (WED, 10.0, 9.3)), [TUE], either) == [("600519.SH", WED, 0.93)]


def test_a_fund_that_is_split_in_two_explains_half_the_price():
    halves = action(TUE).with_columns(split=2.0)
    assert events(bars((MON, 10.0, 10.0), (WED, 5.0, 5.0)), [TUE], halves) == [("600519.SH", WED, 0.5)]
