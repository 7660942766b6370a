"""Value rules that several tables share.

A rule is broken only by values that are impossible on an exchange or in a report. Unusual values break no rule.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta

import polars as pl

from mystocks_dagster.market import clock
from mystocks_dagster.market.adjust import HALF_A_TICK
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.days_of_rows import distinct_days
from mystocks_dagster.market.table import Rule

#: The number of newest days that the asset checks of large tables read.
RECENT = 30

LOT = 100
#: amount / volume may be from low / 2 to high x 2. A wrong unit gives a factor of 10 or more, while vendors' figures
#: differ by up to 30 % on days of large block trades.
MEAN_PRICE_SLACK = 2.0
#: Percent. The widest price limit is 30 % (Beijing); a larger change is possible only on a day without a limit.
WIDEST_CHANGE = 31.0
#: Percent. Shares cannot be sold on the day of their purchase, so the float is traded at most once a day.
WIDEST_TURNOVER = 100.0

#: First digits of codes that only one exchange uses.
_ONLY_ON = {"SH": ("60", "68", "90"), "SZ": ("30", "20"), "BJ": ("43", "83", "87", "92")}
_SYMBOL_FORM = r"^[0-9]{6}\.(SH|SZ|BJ)$"
#: Names on days without a price limit: first day (N), second to fifth (C), delisting period (退).
_NAME_WITHOUT_LIMIT = r"^[NC][^A-Z]|退"


def below_zero(name: str) -> pl.Expr:
    """Return the expression that is true where the column is below 0."""
    return pl.col(name) < 0


def _among(column: str, bad: Callable[[pl.Series], pl.Series]) -> pl.Expr:
    """Return the expression that is true for bad values; `bad` is called with the distinct values only."""

    def flags(values: pl.Series) -> pl.Series:
        if values.dtype == pl.Date:
            distinct = pl.Series(distinct_days(values), dtype=pl.Date)
        else:  # equal values that follow each other are looked at once
            distinct = values.rle().struct.field("value").drop_nulls().unique()
        wrong = distinct.filter(bad(distinct))
        if wrong.is_empty():
            return pl.repeat(value=False, n=len(values), dtype=pl.Boolean, eager=True)
        return values.is_in(wrong.to_list())

    return pl.col(column).map_batches(flags, return_dtype=pl.Boolean)


def _unknown_symbols(symbols: pl.Series) -> pl.Series:
    symbol, exchange = pl.lit(symbols), pl.lit(symbols).str.slice(-2)
    wrong = [exchange.ne(only) & symbol.str.slice(0, 2).is_in(list(digits)) for only, digits in _ONLY_ON.items()]
    return pl.select(pl.any_horizontal(~symbol.str.contains(_SYMBOL_FORM), *wrong)).to_series()


def _not_sessions(days: pl.Series) -> pl.Series:
    calendar = shanghai()
    flags = [day < calendar.first or not calendar.is_probable_session(day)[0] for day in days]
    return pl.Series(flags, dtype=pl.Boolean)


def _future(name: str) -> pl.Expr:
    return pl.col(name) > clock.now().date()


def far_future(name: str) -> pl.Expr:
    """Return the expression that is true where the day is more than a long weekend ahead."""
    # A report that is published in the evening has the date of the next working day.
    return pl.col(name) > clock.now().date() + timedelta(days=4)


def _mean_price(last: str) -> pl.Expr:
    low, high, volume = pl.min_horizontal("low", last), pl.max_horizontal("high", last), pl.col("volume")
    least, most = low / MEAN_PRICE_SLACK * (volume - LOT), high * MEAN_PRICE_SLACK * (volume + LOT)
    return (volume > 0) & ~pl.col("amount").is_between(least, most)


def spread(*names: str) -> pl.Expr:
    """Return the difference between the highest and the lowest of the columns."""
    return pl.max_horizontal(names) - pl.min_horizontal(names)


def not_quarter_end() -> pl.Expr:
    """Return the expression that is true where `period` is not the last day of a quarter."""
    period = pl.col("period")
    return period != period.dt.truncate("1q").dt.offset_by("3mo").dt.offset_by("-1d")


def _outside(half_tick: float, *prices: str) -> pl.Expr:
    lowest, highest = pl.col("low") - half_tick, pl.col("high") + half_tick
    return pl.any_horizontal(*((pl.col(name) > highest) | (pl.col(name) < lowest) for name in prices))


def _not_finite(names: Iterable[str]) -> pl.Expr:
    return pl.any_horizontal(*(~pl.col(name).is_finite() for name in names))


def not_finite(*names: str) -> Rule:
    """Return the rule that required numbers are finite."""
    return Rule(
        "not_a_number",
        f"{', '.join(names[:3])}{'…' if len(names) > 3 else ''} is NaN or infinite",
        lambda: _not_finite(names),
    )


def unknown_when_not_finite(*names: str) -> tuple[Rule, ...]:
    """Return the rules by which optional numbers that are not finite become unknown."""
    return tuple(
        Rule(
            f"{name}_not_a_number",
            f"{name} is NaN or infinite",
            lambda name=name: ~pl.col(name).is_finite(),
            "value",
            name,
        )
        for name in names
    )


SYMBOL_FORM = Rule(
    "no_such_symbol", "the code is not valid on any exchange", lambda: _among("symbol", _unknown_symbols)
)
TRADING_DAY = Rule("no_trading_day", "the date is not a trading day", lambda: _among("date", _not_sessions))
NOT_IN_THE_FUTURE = Rule("future_date", "the date is in the future", lambda: _future("date"))


def high_below_low(half_tick: float = HALF_A_TICK) -> Rule:
    """Return the rule that high is not below low; a smaller difference is a vendor's rounding."""
    return Rule("high_below_low", "high is below low", lambda: pl.col("high") < pl.col("low") - half_tick)


HIGH_BELOW_LOW = high_below_low()
NEGATIVE_VOLUME = Rule("negative_volume", "volume is below 0", lambda: below_zero("volume"))
NEGATIVE_AMOUNT = Rule("negative_amount", "amount is below 0", lambda: below_zero("amount"))
TURNOVER = Rule(
    "impossible_turnover",
    f"turnover is below 0 or above {WIDEST_TURNOVER:.0f} %",
    lambda: ~pl.col("turnover").is_between(0, WIDEST_TURNOVER),
    "value",
    "turnover",
)


def prices(*names: str) -> Rule:
    """Return the rule that prices are above 0."""
    return Rule(
        "price_not_positive",
        f"{', '.join(names)}: a price is 0 or below",
        lambda: pl.any_horizontal(pl.col(*names) <= 0),
    )


def price_outside(last: str, half_tick: float = HALF_A_TICK) -> Rule:
    """Return the rule that open and the column `last` are between low and high."""
    return Rule(
        "price_outside_range", f"open or {last} lies outside low to high", lambda: _outside(half_tick, "open", last)
    )


def mean_outside(last: str) -> Rule:
    """Return the rule that the mean price (amount / volume) is near the range of low, high and the column `last`."""
    return Rule(
        "mean_price_outside_range",
        "amount / volume is far from low to high, so a unit is wrong",
        lambda: _mean_price(last),
    )


CHANGE_BEYOND_LIMIT = Rule(
    "change_beyond_limit",
    f"a change beyond {WIDEST_CHANGE:.0f} % although the name is that of a day with a price limit",
    lambda: (pl.col("change_pct").abs() > WIDEST_CHANGE) & ~pl.col("name").str.contains(_NAME_WITHOUT_LIMIT),
)
