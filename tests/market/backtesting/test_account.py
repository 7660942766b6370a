"""The account's arithmetic, by hand."""

from datetime import date

import pytest

from mystocks_dagster.market.backtesting.account import Account, Trade

MONDAY, TUESDAY = date(2025, 3, 3), date(2025, 3, 4)
MOUTAI = "600519.SH"


@pytest.fixture
def account():
    """100,000 CNY, of which 1,000 shares at 20.00 were bought on Monday for 5.20 in fees."""
    account = Account(100_000.0)
    account.buy(MONDAY, MOUTAI, 1000, 20.0, 5.2)
    return account


def test_a_purchase_costs_its_amount_and_its_fees(account):
    assert account.cash == 79_994.8
    assert account.holdings == 20_000.0
    assert account.equity == 99_994.8


def test_a_sale_brings_its_amount_less_its_fees(account):
    account.sell(TUESDAY, MOUTAI, 21.0, 16.0)
    assert account.cash == account.equity == 79_994.8 + 21_000 - 16
    assert account.positions == {}
    assert account.trades == [
        Trade(1, MONDAY, MOUTAI, "buy", 1000, 20.0, 5.2),
        Trade(2, TUESDAY, MOUTAI, "sell", 1000, 21.0, 16.0, 0.0, 978.8),  # 1,000 less 5.20 and 16.00
    ]


def test_shares_cannot_be_sold_on_the_day_they_were_bought(account):
    with pytest.raises(ValueError, match="cannot be sold before the next trading day"):
        account.sell(MONDAY, MOUTAI, 21.0, 16.0)
    assert account.cash == 79_994.8


def test_cash_never_becomes_negative(account):
    with pytest.raises(ValueError, match=r"the account has 79994\.8"):
        account.buy(MONDAY, "000001.SZ", 8000, 10.0, 5.0)


def test_ten_for_ten_doubles_the_shares_at_half_the_price(account):
    account.go_ex(TUESDAY, MOUTAI, 0.5)
    assert (account.positions[MOUTAI].shares, account.positions[MOUTAI].mark) == (2000, 10.0)
    assert account.equity == 99_994.8


def test_a_dividend_becomes_shares_at_the_ex_price_and_the_fraction_becomes_cash(account):
    # 0.30 on 20.00: the ex price is 19.70; 20,000 / 19.70 = 1015.22 shares, the 0.22 of a share is 20,000 - 1,015 x
    # 19.70 = 4.50.
    account.go_ex(TUESDAY, MOUTAI, 19.7 / 20.0)
    assert account.positions[MOUTAI].shares == 1015
    assert account.cash == 79_994.8 + 4.5
    assert account.equity == 99_994.8


def test_five_shares_for_one_are_not_4999():
    account = Account(100_000.0)
    account.buy(MONDAY, MOUTAI, 1000, 20.0, 5.2)
    account.go_ex(TUESDAY, MOUTAI, 0.2)
    assert account.positions[MOUTAI].shares == 5000
