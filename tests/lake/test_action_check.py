"""Prices and corporate actions that contradict each other: listed, marked in adjusted rows, decided by a person."""

from datetime import date

import polars as pl
import pytest

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.lake.action_check import ActionCheck, check_actions, confirm, open_differences
from mystocks_dagster.lake.events import refresh_events
from mystocks_dagster.lake.loads import record_days
from mystocks_dagster.lake.prices import adjusted_bars
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS

pytestmark = pytest.mark.slow

DAYS = shanghai().sessions(date(2024, 6, 17), date(2024, 6, 21))
MON, TUE, WED, THU, FRI = DAYS
BANK, MAKER = "600000.SH", "000001.SZ"


def store(lake: Lake, previous: dict[tuple[str, date], float], **flags: bool) -> None:
    """Store bars at 10 CNY whose previous close is 10 CNY too, except as given."""
    for day in DAYS:
        rows = [
            {"symbol": symbol, "date": day, "open": 10.0, "high": 10.0, "low": 9.0, "close": 10.0,
             "prev_close": previous.get((symbol, day), 10.0), "volume": 100, "amount": 1000.0, "suspended": False}
            | flags
            for symbol in (BANK, MAKER)
        ]  # fmt: skip
        lake.replace_days("daily_bars", DAILY_BARS.typed(pl.DataFrame(rows)), [day])
    record_days(lake, "daily_bars", dict.fromkeys(DAYS, 2), source="test")
    refresh_events(lake, DAYS)


def state(lake: Lake, *rows: tuple[str, date, str, float], known: list[date] = DAYS) -> None:
    """Store actions: symbol, ex-dividend day, source, cash; all actions of the `known` days are stored."""
    old = (MAKER, date(2023, 6, 14), "tdx", 0.285)
    frame = pl.DataFrame([old, *rows], schema=["symbol", "ex_date", "source", "cash"], orient="row")
    lake.upsert("corporate_actions", CORPORATE_ACTIONS.typed(frame.with_columns(bonus=pl.lit(0.0))))
    record_days(lake, "corporate_actions", dict.fromkeys(known, 0), source="test")


def found(lake: Lake) -> list[tuple[str, date, str]]:
    return open_differences(lake).select("symbol", "date", "kind").rows()


def test_prices_that_the_actions_explain_differ_in_nothing(lake: Lake):
    store(lake, {(BANK, WED): 9.5})
    state(lake, (BANK, WED, "tdx", 0.5), (BANK, WED, "akshare", 0.5))
    assert check_actions(lake, DAYS).open == 0
    assert found(lake) == []


@pytest.mark.parametrize(
    ("previous", "actions", "kind"),
    [
        ({(BANK, WED): 9.5}, [], "event_without_action"),
        ({}, [(BANK, WED, "tdx", 0.5)], "action_without_event"),
        ({(BANK, WED): 9.5}, [(BANK, WED, "tdx", 0.6)], "ratio_differs"),
        ({(BANK, WED): 9.5}, [(BANK, WED, "tdx", 0.5), (BANK, WED, "akshare", 0.52)], "ratio_differs"),
        ({(BANK, WED): 9.5}, [(BANK, WED, "tdx", 0.5), (BANK, WED, "akshare", 0.505)], "sources_differ"),
    ],
)
def test_a_contradiction_is_listed_by_its_kind(lake: Lake, previous, actions, kind):
    store(lake, previous)
    state(lake, *actions)
    assert check_actions(lake, DAYS).open == 1
    assert found(lake) == [(BANK, WED, kind)]


def test_a_difference_of_a_tick_is_rounding(lake: Lake):
    store(lake, {(BANK, WED): 9.51})
    state(lake, (BANK, WED, "tdx", 0.5))
    assert check_actions(lake, DAYS).open == 0


def test_days_of_unknown_actions_and_computed_previous_closes_are_not_compared(lake: Lake):
    store(lake, {(BANK, WED): 9.5})
    state(lake, known=[MON, TUE])
    assert check_actions(lake, DAYS).open == 0
    store(lake, {(BANK, WED): 9.5}, actions_known=True)
    state(lake)
    assert check_actions(lake, DAYS).open == 0
    state(lake, (BANK, WED, "tdx", 0.5), (BANK, WED, "akshare", 0.6))
    assert check_actions(lake, DAYS).open == 1
    assert found(lake) == [(BANK, WED, "sources_differ")]


def test_a_bar_after_a_missing_one_is_a_doubt_and_not_a_contradiction(lake: Lake):
    store(lake, {(BANK, WED): 9.5})
    lake.replace_days("daily_bars", lake.read("daily_bars", symbols=[MAKER], start=TUE, end=TUE), [TUE])
    record_days(lake, "daily_bars", {TUE: 1}, source="test", lacking=(TUE,))
    refresh_events(lake, [TUE])
    state(lake)
    assert check_actions(lake, DAYS).open == 0


def test_the_rows_from_that_day_on_are_unconfirmed_and_still_computed(lake: Lake):
    store(lake, {(BANK, WED): 9.5})
    state(lake)
    check_actions(lake, DAYS)
    frame = adjusted_bars(lake, columns=["symbol", "date", "factor", "confirmed"])
    flags = {(symbol, day): flag for symbol, day, _, flag in frame.iter_rows()}
    assert [flags[BANK, day] for day in DAYS] == [True, True, False, False, False]
    assert {flags[MAKER, day] for day in DAYS} == {True}
    assert frame.filter(symbol=BANK)["factor"].to_list() == pytest.approx([1, 1, 1 / 0.95, 1 / 0.95, 1 / 0.95])
    backward = adjusted_bars(lake, "qfq", symbols=[BANK], columns=["confirmed"])["confirmed"].to_list()
    assert backward == [False, False, True, True, True]


def test_where_no_actions_are_known_the_rows_say_so(lake: Lake):
    store(lake, {(BANK, WED): 9.5})
    assert adjusted_bars(lake)["confirmed"].to_list()[1:5] == [None] * 4
    state(lake, (BANK, WED, "tdx", 0.5), known=[TUE, WED])
    assert adjusted_bars(lake, symbols=[BANK])["confirmed"].to_list() == [True, True, True, None, None]
    assert adjusted_bars(lake, "qfq", symbols=[BANK])["confirmed"].to_list() == [None, None, None, None, True]


def test_a_person_decides_and_another_price_asks_again(lake: Lake):
    store(lake, {(BANK, WED): 9.5})
    state(lake)
    check_actions(lake, DAYS)
    assert confirm(lake, BANK, WED) == 1
    assert check_actions(lake, DAYS).open == 0
    assert set(adjusted_bars(lake)["confirmed"].to_list()) == {True}
    store(lake, {(BANK, WED): 9.4})
    assert check_actions(lake, DAYS).open == 1
    with pytest.raises(UnknownName, match=r"000001\.SZ has no open difference on 2024-06-19; .*mystocks data actions"):
        confirm(lake, MAKER, WED)


def test_a_source_decides_with_the_action_that_was_missing(lake: Lake):
    store(lake, {(BANK, WED): 9.5})
    state(lake)
    assert check_actions(lake, DAYS).open == 1
    state(lake, (BANK, WED, "tdx", 0.5))
    assert check_actions(lake, DAYS) == ActionCheck(open=0, changed=1)
    assert check_actions(lake, DAYS) == ActionCheck()
    assert found(lake) == []
