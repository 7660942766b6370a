"""Dividends, free shares and rights of held shares, with numbers worked out by hand."""

from datetime import date

import polars as pl
import pytest

from mystocks_dagster.market.backtesting.account import Account
from mystocks_dagster.market.backtesting.ex_days import ExDay, apply_ex_day, ex_days
from mystocks_dagster.market.backtesting.terms import Terms
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS

BANK = "600000.SH"
BOUGHT, EX, WITHIN_A_MONTH, LATER, NEXT_YEAR = (
    date(2024, 6, 3), date(2024, 6, 20), date(2024, 7, 3), date(2024, 7, 4), date(2025, 6, 4),
)  # fmt: skip
TERMS = Terms()


@pytest.fixture
def account():
    """1,000 shares that cost 10,005 CNY and closed at 10.00; 90,000 CNY less 5 in cash."""
    account = Account(100_000.0)
    account.buy(BOUGHT, BANK, 1000, 10.0, 5.0)
    return account


def events_of(account):
    return [(event.kind, event.shares, event.cash) for event in account.events]


def test_a_dividend_is_paid_in_full_and_changes_no_equity(account):
    # 派 5 元 per ten shares: 0.50 a share, and the exchange states 9.50.
    apply_ex_day(account, EX, BANK, ExDay(0.95, (0.5, 0.0, None, None, None)), TERMS)
    assert account.cash == 89_995.0 + 500.0
    assert account.positions[BANK].shares == 1000
    assert account.equity == 99_995.0
    assert events_of(account) == [("dividend", 0, 500.0)]


@pytest.mark.parametrize(("sold", "tax"), [(WITHIN_A_MONTH, 100.0), (LATER, 50.0), (NEXT_YEAR, 0.0)])
def test_its_tax_is_withheld_when_the_shares_are_sold_by_how_long_they_were_held(account, sold, tax):
    apply_ex_day(account, EX, BANK, ExDay(0.95, (0.5, 0.0, None, None, None)), TERMS)
    account.sell(sold, BANK, 9.5, 10.0)
    assert account.cash == 89_995.0 + 500.0 + 9_500.0 - 10.0 - tax
    # 9,500 less fees and tax, the dividend of 500, less the cost of 10,005.
    assert (account.trades[-1].tax, account.trades[-1].profit) == (tax, 9_500.0 - 10.0 - tax + 500.0 - 10_005.0)


def test_first_bought_is_first_sold_and_a_half_sale_pays_half_the_tax(account):
    apply_ex_day(account, EX, BANK, ExDay(0.95, (0.5, 0.0, None, None, None)), TERMS)
    account.buy(date(2024, 6, 21), BANK, 1000, 9.5, 5.0)
    account.sell(LATER, BANK, 9.5, 0.0, 500)
    assert account.trades[-1].tax == 25.0  # 500 shares with 250 CNY of dividends at 10 %
    account.sell(LATER, BANK, 9.5, 0.0, 1000)
    assert account.trades[-1].tax == 25.0  # the other 500, and 500 that came after the ex-day
    assert account.positions[BANK].shares == 500


def test_ten_shares_for_ten_and_a_dividend_together(account):
    # 10 送 10 派 1 元: (10.00 - 0.10) / 2 = 4.95.
    apply_ex_day(account, EX, BANK, ExDay(0.495, (0.1, 1.0, None, None, None)), TERMS)
    assert (account.positions[BANK].shares, account.cash) == (2000, 89_995.0 + 100.0)
    assert account.equity == 99_995.0
    account.sell(LATER, BANK, 4.95, 0.0)
    assert account.trades[-1].tax == 10.0


def test_rights_are_paid_for_where_the_cash_is_enough(account):
    # 10 配 3 at 6.00: (10.00 + 0.3 x 6.00) / 1.3 = 9.0769, stated as 9.08.
    apply_ex_day(account, EX, BANK, ExDay(0.908, (0.0, 0.0, 0.3, 6.0, None)), TERMS)
    assert (account.positions[BANK].shares, account.cash) == (1300, 89_995.0 - 1_800.0)
    assert events_of(account) == [("rights", 300, -1_800.0)]
    assert account.positions[BANK].sellable(EX) == 1000  # the new shares only from tomorrow on


@pytest.mark.parametrize("reason", ["no cash", "as asked"])
def test_rights_that_are_not_taken_lapse_and_the_price_falls_all_the_same(account, reason):
    account.cash = 1_000.0 if reason == "no cash" else account.cash
    before = account.equity
    terms = Terms(rights="lapse") if reason == "as asked" else TERMS
    apply_ex_day(account, EX, BANK, ExDay(0.908, (0.0, 0.0, 0.3, 6.0, None)), terms)
    assert events_of(account) == [("rights_lapsed", 0, 0.0)]
    assert before - account.equity == pytest.approx(1000 * (10.0 - 9.08))


def test_terms_that_do_not_explain_the_price_are_not_believed(account):
    # 0.50 is published, and the exchange's price fell by 3.00: the ratio counts, and the value stays.
    apply_ex_day(account, EX, BANK, ExDay(0.7, (0.5, 0.0, None, None, None)), TERMS)
    assert [event.kind for event in account.events] == ["ratio"]
    assert account.positions[BANK].shares == 1428
    assert account.equity == 99_995.0


def test_reinvested_dividends_follow_the_hfq_prices_without_tax(account):
    apply_ex_day(account, EX, BANK, ExDay(0.95, (0.5, 0.0, None, None, None)), Terms(dividends="reinvest"))
    assert account.positions[BANK].shares == 1052
    account.sell(WITHIN_A_MONTH, BANK, 9.5, 0.0)
    assert account.trades[-1].tax == 0.0


def test_a_dividend_too_small_to_move_the_price_is_paid(account):
    apply_ex_day(account, EX, BANK, ExDay(1.0, (0.004, 0.0, None, None, None)), TERMS)
    assert account.cash == 89_995.0 + 4.0


# ---- from the tables of the lake

DAYS = [date(2024, 6, day) for day in (17, 18, 19, 20, 21)]
BARS = pl.DataFrame({"symbol": [BANK] * 3, "date": [DAYS[0], DAYS[1], DAYS[4]]})
EVENTS = {"symbol": pl.String, "date": pl.Date, "ratio": pl.Float64}


def actions(*rows):
    frame = pl.DataFrame(rows, schema=["symbol", "ex_date", "cash", "source"], orient="row")
    return CORPORATE_ACTIONS.typed(frame.with_columns(bonus=0.0))


def test_an_action_takes_effect_on_the_first_bar_from_its_day():
    events = pl.DataFrame([(BANK, DAYS[4], 0.95)], schema=EVENTS, orient="row")
    found = ex_days(events, actions((BANK, DAYS[2], 0.5, "tdx")), BARS, DAYS)
    assert found == {4: {BANK: ExDay(0.95, (0.5, 0.0, None, None, None))}}


def test_sources_that_differ_and_two_actions_at_once_are_left_to_the_prices():
    events = pl.DataFrame([(BANK, DAYS[4], 0.95)], schema=EVENTS, orient="row")
    for second in ((BANK, DAYS[4], 0.6, "akshare"), (BANK, DAYS[2], 0.5, "tdx")):
        found = ex_days(events, actions((BANK, DAYS[4], 0.5, "tdx"), second), BARS, DAYS)
        assert found == {4: {BANK: ExDay(0.95, None)}}


def test_an_event_on_a_day_that_is_not_stored_is_noticed_on_the_next():
    events = pl.DataFrame([(BANK, date(2024, 6, 16), 0.9)], schema=EVENTS, orient="row")
    assert ex_days(events, CORPORATE_ACTIONS.empty(), BARS, DAYS) == {0: {BANK: ExDay(0.9, None)}}
