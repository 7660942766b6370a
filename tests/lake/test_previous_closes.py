"""Previous closes that no source states, once the corporate actions of their days are known."""

from datetime import date

import polars as pl
import pytest

from mystocks_dagster.lake.loads import record_days
from mystocks_dagster.lake.previous_closes import fill_previous_closes
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.tables.market import DAILY_BARS, ETF_BARS
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS

pytestmark = pytest.mark.slow

DAYS = shanghai().sessions(date(2024, 6, 17), date(2024, 6, 21))
MON, TUE, WED, THU, FRI = DAYS
NORTH, BANK = "920001.BJ", "600000.SH"


def store(lake: Lake, stated: float | None, flag: bool | None, *, without: tuple[date, ...] = ()) -> None:
    """Store bars of two symbols at 10 CNY; those of the first have that previous close and flag."""
    for day in DAYS:
        values = {"date": day, "open": 10.0, "high": 10.0, "low": 10.0, "close": 10.0, "volume": 1, "amount": 10.0}
        rows = [
            {"symbol": BANK, "prev_close": 10.0},
            {"symbol": NORTH, "prev_close": stated, "actions_known": flag},
        ]
        rows = [row | values | {"suspended": False} for row in rows if row["symbol"] == BANK or day not in without]
        frame = DAILY_BARS.typed(pl.DataFrame(rows, infer_schema_length=None))
        lake.replace_days("daily_bars", frame, [day])
    record_days(lake, "daily_bars", dict.fromkeys(DAYS, 2), source="test")


def state(lake: Lake, *rows: tuple[date, float, str], known: list[date] = DAYS) -> None:
    old = (date(2023, 6, 1), 0.1, "tdx")
    frame = pl.DataFrame([old, *rows], schema=["ex_date", "cash", "source"], orient="row")
    lake.upsert("corporate_actions", CORPORATE_ACTIONS.typed(frame.with_columns(symbol=pl.lit(NORTH), bonus=0.0)))
    record_days(lake, "corporate_actions", dict.fromkeys(known, 0), source="test")


def stated(lake: Lake, symbol: str = NORTH) -> list[tuple[float | None, bool | None]]:
    return lake.read("daily_bars", symbols=[symbol]).sort("date").select("prev_close", "actions_known").rows()


@pytest.mark.parametrize(("before", "flag"), [(None, None), (10.0, False)], ids=["not stated", "without actions"])
def test_known_actions_give_the_previous_closes_that_no_source_states(lake: Lake, before, flag):
    store(lake, before, flag)
    state(lake, (WED, 0.5, "tdx"))
    assert fill_previous_closes(lake, DAYS) == 4
    assert stated(lake) == [(before, flag), (10.0, True), (9.5, True), (10.0, True), (10.0, True)]
    assert stated(lake, BANK) == [(10.0, None)] * 5
    assert lake.read("adjust_events", symbols=[NORTH]).select("date", "ratio").rows() == [(WED, 0.95)]
    assert fill_previous_closes(lake, DAYS) == 0


def test_days_of_unknown_actions_stay_unknown(lake: Lake):
    store(lake, None, None)
    assert fill_previous_closes(lake, DAYS) == 0
    state(lake, known=[TUE, THU])
    assert fill_previous_closes(lake, DAYS) == 2
    assert [price for price, _ in stated(lake)] == [None, 10.0, None, 10.0, None]


def test_where_sources_differ_neither_is_preferred(lake: Lake):
    store(lake, None, None)
    state(lake, (WED, 0.5, "tdx"), (WED, 0.6, "akshare"))
    fill_previous_closes(lake, DAYS)
    assert [price for price, _ in stated(lake)] == [None, 10.0, None, 10.0, 10.0]


def test_after_a_day_on_which_a_bar_may_be_missing_it_stays_unknown(lake: Lake):
    store(lake, None, None, without=(WED,))
    record_days(lake, "daily_bars", {WED: 1}, source="test", lacking=(WED,))
    state(lake)
    fill_previous_closes(lake, DAYS)
    assert [price for price, _ in stated(lake)] == [None, 10.0, None, 10.0]
    record_days(lake, "daily_bars", {WED: 1}, source="test")
    assert fill_previous_closes(lake, DAYS) == 1  # it was suspended on Wednesday


FUND = "510300.SH"


def store_fund(lake: Lake, closes: dict[date, float]) -> None:
    """Store bars of a fund as they are without corporate actions: each previous close is the last close."""
    before = None
    for day, close in closes.items():
        row = {"symbol": FUND, "date": day, "prev_close": before, "volume": 1, "amount": close, "actions_known": False}
        row |= dict.fromkeys(("open", "high", "low", "close"), close)
        lake.replace_days("etf_bars", ETF_BARS.typed(pl.DataFrame([row], infer_schema_length=None)), [day])
        before = close
    record_days(lake, "etf_bars", dict.fromkeys(closes, 1), source="tdx")


def act_on_fund(lake: Lake, day: date, **terms: float) -> None:
    row = {"symbol": FUND, "ex_date": day, "cash": 0.0, "bonus": 0.0, "source": "tdx", **terms}
    lake.upsert("corporate_actions", CORPORATE_ACTIONS.typed(pl.DataFrame([row])))
    record_days(lake, "corporate_actions", dict.fromkeys(DAYS, 0), source="test")


def stated_of_fund(lake: Lake) -> list[tuple[float | None, bool | None]]:
    return lake.read("etf_bars").sort("date").select("prev_close", "actions_known").rows()


@pytest.mark.parametrize(
    ("terms", "previous"),
    [
        ({"cash": 0.079}, 3.422),
        ({"split": 2.0}, 1.751),
    ],  # a fund's prices have three decimals: 3.501 - 0.079, 3.501 / 2
    ids=["cash", "split"],
)
def test_actions_that_come_later_mend_the_previous_closes_of_funds_too(lake: Lake, terms, previous):
    store_fund(lake, {MON: 3.5, TUE: 3.501, WED: previous, THU: 3.5, FRI: 3.5})
    act_on_fund(lake, WED, **terms)
    assert fill_previous_closes(lake, DAYS) == 4
    assert stated_of_fund(lake) == [(None, False), (3.5, True), (previous, True), (previous, True), (3.5, True)]
    assert fill_previous_closes(lake, DAYS) == 0


def test_a_fund_without_a_bar_may_be_one_that_the_vendor_leaves_out_so_its_previous_close_stays_unsure(lake: Lake):
    store_fund(lake, {MON: 3.5, TUE: 3.5, THU: 3.5, FRI: 3.5})
    record_days(lake, "etf_bars", {WED: 0}, source="akshare")
    act_on_fund(lake, FRI, cash=0.1)
    assert fill_previous_closes(lake, DAYS) == 2
    assert stated_of_fund(lake) == [(None, False), (3.5, True), (3.5, False), (3.4, True)]
