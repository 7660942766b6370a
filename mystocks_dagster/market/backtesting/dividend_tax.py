"""The tax on cash dividends of natural persons, by the time that the shares were held.

Sources (Ministry of Finance and State Administration of Taxation): 20 % of all dividends; half of it since 2005-06-13
(财税〔2005〕102号); by holding period since 2013-01-01 (财税〔2012〕85号): 20 % up to one month, 10 % up to one year,
5 % beyond; since 2015-09-08 none beyond one year (财税〔2015〕101号). The day is that of the distribution.

The tax is withheld when the shares are sold, first bought first sold. A month ends on the same day of the next month:
shares bought on 8 January are held for one month if they are sold on 8 February at the latest. The tax on free shares
out of profits (送股) is not modelled, as the lake does not tell them from those out of reserves (转增).
"""

import calendar
from datetime import date
from typing import NamedTuple


class DividendTax(NamedTuple):
    """The rates from a day on, as fractions of the cash before tax: up to a month, up to a year, and beyond."""

    since: date
    month: float
    year: float
    beyond: float


DIVIDEND_TAX = (
    DividendTax(date.min, 0.2, 0.2, 0.2),
    DividendTax(date(2005, 6, 13), 0.1, 0.1, 0.1),
    DividendTax(date(2013, 1, 1), 0.2, 0.1, 0.05),
    DividendTax(date(2015, 9, 8), 0.2, 0.1, 0.0),
)


def dividend_tax_rate(paid: date, bought: date, sold: date) -> float:
    """Return the tax on a dividend as a fraction of the cash before tax.

    Args:
        paid: The ex-dividend day.
        bought: The day on which the shares were bought.
        sold: The day on which they are sold.

    Examples:
        >>> paid, bought = date(2024, 6, 3), date(2024, 5, 24)
        >>> [dividend_tax_rate(paid, bought, date(2024, 6, sold)) for sold in (24, 25)]
        [0.2, 0.1]
    """
    rates = [rule for rule in DIVIDEND_TAX if rule.since <= paid][-1]
    if sold <= months_later(bought, 1):
        return rates.month
    return rates.year if sold <= months_later(bought, 12) else rates.beyond


def months_later(day: date, months: int) -> date:
    """Return the same day of a later month, or the last day of a shorter month."""
    number = day.year * 12 + day.month - 1 + months
    year, month = divmod(number, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
