"""The value rules that several tables share.

Each is something that no exchange, and no report that adds up, can have made. What is only unusual is not a rule.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta

import polars as pl

from mystocks_dagster.market import clock
from mystocks_dagster.market.adjust import HALF_A_TICK
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.table import Rule

#: Days back from the newest one that the asset checks of large tables look: a month of the market is read at once.
RECENT = 30

LOT = 100
#: amount / volume may be half of low to twice high. Units differ by 10 and more; vendors' own figures by up to 30 % on
#: days of large placements.
MEAN_PRICE_SLACK = 2.0
#: Percent. Beyond the widest price limit (30 % in Beijing) a change needs a day without limit.
WIDEST_CHANGE = 31.0
#: Percent. Shares bought cannot be sold on the same day, so a float changes owner once a day at most.
WIDEST_TURNOVER = 100.0

#: First digits that belong to one exchange only.
_ONLY_ON = {"SH": ("60", "68", "90"), "SZ": ("30", "20"), "BJ": ("43", "83", "87", "92")}
_SYMBOL_FORM = r"^[0-9]{6}\.(SH|SZ|BJ)$"
#: Names of the days without a price limit: first day (N), second to fifth (C), delisting period (退).
_FREE_NAME = r"^[NC][^A-Z]|退"


def below_zero(name: str) -> pl.Expr:
    """Return the expression that is true where the column is below 0."""
    return pl.col(name) < 0


def _among(column: str, bad: Callable[[pl.Series], pl.Series]) -> pl.Expr:
    """Say which values of a column are bad; asked of its few different values only."""

    def flags(values: pl.Series) -> pl.Series:
        different = values.drop_nulls().unique()
        wrong = different.filter(bad(different))
        return (
            values.is_in(wrong.to_list())
            if len(wrong)
            else pl.repeat(value=False, n=len(values), dtype=pl.Boolean, eager=True)
        )

    return pl.col(column).map_batches(flags, return_dtype=pl.Boolean)


def _unknown_symbols(symbols: pl.Series) -> pl.Series:
    symbol, exchange = pl.lit(symbols), pl.lit(symbols).str.slice(-2)
    wrong = [exchange.ne(only) & symbol.str.slice(0, 2).is_in(list(digits)) for only, digits in _ONLY_ON.items()]
    return pl.select(pl.any_horizontal(~symbol.str.contains(_SYMBOL_FORM), *wrong)).to_series()


def _not_sessions(days: pl.Series) -> pl.Series:
    return pl.Series(
        [not shanghai().is_probable_session(day)[0] or day < shanghai().first for day in days], dtype=pl.Boolean
    )


def _future(name: str) -> pl.Expr:
    return pl.col(name) > clock.now().date()


def tomorrow(name: str) -> pl.Expr:
    """Return the expression that is true where the day lies more than a long weekend ahead."""
    # A report that appears in the evening carries the next day's date.
    return pl.col(name) > clock.now().date() + timedelta(days=4)


def _mean_price(last: str) -> pl.Expr:
    low, high, volume = pl.min_horizontal("low", last), pl.max_horizontal("high", last), pl.col("volume")
    least, most = low / MEAN_PRICE_SLACK * (volume - LOT), high * MEAN_PRICE_SLACK * (volume + LOT)
    return (volume > 0) & ~pl.col("amount").is_between(least, most)


def spread(*names: str) -> pl.Expr:
    """Return the distance between the highest and the lowest of those columns."""
    return pl.max_horizontal(names) - pl.min_horizontal(names)


def no_quarter_end() -> pl.Expr:
    """Return the expression that is true where `period` is not the last day of a quarter."""
    period = pl.col("period")
    return period != period.dt.truncate("1q").dt.offset_by("3mo").dt.offset_by("-1d")


def _outside(*prices: str) -> pl.Expr:
    beyond = [
        (pl.col(name) > pl.col("high") + HALF_A_TICK) | (pl.col(name) < pl.col("low") - HALF_A_TICK) for name in prices
    ]
    return pl.any_horizontal(*beyond)


def _not_finite(names: Iterable[str]) -> pl.Expr:
    return pl.any_horizontal(*(~pl.col(name).is_finite() for name in names))


def not_finite(*names: str) -> Rule:
    """Numbers that must be there are numbers."""
    return Rule(
        "not_a_number",
        f"{', '.join(names[:3])}{'…' if len(names) > 3 else ''} is NaN or infinite",
        lambda: _not_finite(names),
    )


def unknown_when_not_finite(*names: str) -> tuple[Rule, ...]:
    """Numbers that may be unknown become unknown when they are none."""
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


SYMBOL_FORM = Rule("no_such_symbol", "no exchange gives out such a code", lambda: _among("symbol", _unknown_symbols))
TRADING_DAY = Rule("no_trading_day", "the exchanges did not trade on that day", lambda: _among("date", _not_sessions))
NOT_IN_THE_FUTURE = Rule("future_date", "that day has not come yet", lambda: _future("date"))
HIGH_BELOW_LOW = Rule("high_below_low", "high is below low", lambda: pl.col("high") < pl.col("low") - HALF_A_TICK)
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
    """Prices are above 0."""
    return Rule(
        "price_not_positive",
        f"{', '.join(names)}: a price is 0 or below",
        lambda: pl.any_horizontal(pl.col(*names) <= 0),
    )


def price_outside(last: str) -> Rule:
    """Open, and the column `last`, lie between low and high."""
    return Rule("price_outside_range", f"open or {last} lies outside low to high", lambda: _outside("open", last))


def mean_outside(last: str) -> Rule:
    """The mean price (amount / volume) is near low to high, which include the column `last`."""
    return Rule(
        "mean_price_outside_range",
        "amount / volume is far from low to high, so a unit is another",
        lambda: _mean_price(last),
    )


CHANGE_BEYOND_LIMIT = Rule(
    "change_beyond_limit",
    f"a change beyond {WIDEST_CHANGE:.0f} % under a name that is not of a day without price limit",
    lambda: (pl.col("change_pct").abs() > WIDEST_CHANGE) & ~pl.col("name").str.contains(_FREE_NAME),
)
