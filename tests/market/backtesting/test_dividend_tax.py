"""The tax on dividends by holding period: the examples of the tax office and of ChinaClear."""

from datetime import date

import pytest

from mystocks_dagster.market.backtesting.dividend_tax import dividend_tax_rate


@pytest.mark.parametrize(
    ("paid", "bought", "sold", "rate"),
    [
        # ChinaClear's notice of 2012: one month is from the day of purchase to the day before the same day.
        (date(2013, 1, 24), date(2013, 1, 8), date(2013, 2, 8), 0.2),
        (date(2013, 1, 24), date(2013, 1, 8), date(2013, 2, 9), 0.1),
        (date(2013, 1, 24), date(2013, 1, 8), date(2014, 1, 8), 0.1),
        (date(2013, 1, 24), date(2013, 1, 8), date(2014, 1, 9), 0.05),
        (date(2016, 6, 1), date(2015, 9, 8), date(2017, 1, 4), 0.0),
        (date(2015, 9, 7), date(2014, 1, 8), date(2017, 1, 4), 0.05),
        (date(2012, 12, 31), date(2012, 12, 3), date(2012, 12, 31), 0.1),
        (date(2005, 6, 10), date(2001, 1, 2), date(2006, 1, 4), 0.2),
        # The month after 31 January ends with February.
        (date(2024, 2, 1), date(2024, 1, 31), date(2024, 2, 29), 0.2),
        (date(2024, 2, 1), date(2024, 1, 31), date(2024, 3, 1), 0.1),
    ],
)
def test_the_rate_follows_the_time_that_the_shares_were_held(paid, bought, sold, rate):
    assert dividend_tax_rate(paid, bought, sold) == rate
