"""The rules about values, by kind of table; each table of `schemas.py` names those that hold for it.

Each is something that no exchange, and no report that adds up, can have made. What is only unusual is not a rule.
"""

from collections.abc import Callable, Iterable
from datetime import date, timedelta

import polars as pl

from mystocks_dagster.market import clock
from mystocks_dagster.market.adjust import HALF_A_TICK
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.value_rules import Rule

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


def _below_zero(name: str) -> pl.Expr:
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


def _tomorrow(name: str) -> pl.Expr:
    # A report that appears in the evening carries the next day's date.
    return pl.col(name) > clock.now().date() + timedelta(days=4)


def _mean_price(last: str) -> pl.Expr:
    low, high, volume = pl.min_horizontal("low", last), pl.max_horizontal("high", last), pl.col("volume")
    least, most = low / MEAN_PRICE_SLACK * (volume - LOT), high * MEAN_PRICE_SLACK * (volume + LOT)
    return (volume > 0) & ~pl.col("amount").is_between(least, most)


def _spread(*names: str) -> pl.Expr:
    return pl.max_horizontal(names) - pl.min_horizontal(names)


def _no_quarter_end() -> pl.Expr:
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
NEGATIVE_VOLUME = Rule("negative_volume", "volume is below 0", lambda: _below_zero("volume"))
NEGATIVE_AMOUNT = Rule("negative_amount", "amount is below 0", lambda: _below_zero("amount"))
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


def _price_outside(last: str) -> Rule:
    return Rule("price_outside_range", f"open or {last} lies outside low to high", lambda: _outside("open", last))


def _mean_outside(last: str) -> Rule:
    return Rule(
        "mean_price_outside_range",
        "amount / volume is far from low to high, so a unit is another",
        lambda: _mean_price(last),
    )


BAR_RULES = (
    SYMBOL_FORM,
    TRADING_DAY,
    NOT_IN_THE_FUTURE,
    not_finite("open", "high", "low", "close", "amount"),
    *unknown_when_not_finite("prev_close", "turnover"),
    prices("open", "high", "low", "close"),
    Rule("prev_close_not_positive", "prev_close is below 0", lambda: _below_zero("prev_close")),
    HIGH_BELOW_LOW,
    _price_outside("close"),
    NEGATIVE_VOLUME,
    NEGATIVE_AMOUNT,
    _mean_outside("close"),
    Rule("amount_without_volume", "amount without volume", lambda: (pl.col("volume") == 0) & (pl.col("amount") > 0)),
    Rule(
        "suspended_with_volume",
        "suspended, and yet volume or amount",
        lambda: pl.col("suspended") & pl.any_horizontal(pl.col("volume", "amount") > 0),
    ),
    Rule(
        "suspended_with_range",
        "suspended, and yet more than one price",
        lambda: pl.col("suspended") & (_spread("open", "high", "low", "close") > HALF_A_TICK),
    ),
    Rule(
        "moved_without_trades",
        "not suspended and no volume, and yet the price is not the previous close",
        lambda: ~pl.col("suspended") & (pl.col("volume") == 0) & ((pl.col("close") - pl.col("prev_close")).abs() > HALF_A_TICK),
    ),
    TURNOVER,
)  # fmt: skip


def _quote_rules(*optional: str) -> tuple[Rule, ...]:
    return (
        SYMBOL_FORM,
        TRADING_DAY,
        NOT_IN_THE_FUTURE,
        *unknown_when_not_finite("price", "open", "high", "low", "prev_close", "amount", "change_pct", *optional),
        prices("price", "open", "high", "low"),
        Rule("prev_close_not_positive", "prev_close is below 0", lambda: _below_zero("prev_close")),
        HIGH_BELOW_LOW,
        _price_outside("price"),
        NEGATIVE_VOLUME,
        NEGATIVE_AMOUNT,
        _mean_outside("price"),
        Rule(
            "change_contradicts_price",
            "change_pct is not price against prev_close",
            lambda: ((pl.col("price") / pl.col("prev_close") - 1) * 100 - pl.col("change_pct")).abs() > 0.02,
        ),
        *((TURNOVER,) if "turnover" in optional else ()),
    )


CHANGE_BEYOND_LIMIT = Rule(
    "change_beyond_limit",
    f"a change beyond {WIDEST_CHANGE:.0f} % under a name that is not of a day without price limit",
    lambda: (pl.col("change_pct").abs() > WIDEST_CHANGE) & ~pl.col("name").str.contains(_FREE_NAME),
)
STOCK_QUOTE_RULES = (*_quote_rules("turnover"), CHANGE_BEYOND_LIMIT)
ETF_QUOTE_RULES = (
    *_quote_rules("iopv", "premium_pct"),
    Rule("iopv_not_positive", "the estimated net value is 0 or below", lambda: pl.col("iopv") <= 0, "value", "iopv"),
)

LONGHUBANG_RULES = (
    SYMBOL_FORM,
    TRADING_DAY,
    NOT_IN_THE_FUTURE,
    not_finite("buy_amount", "sell_amount", "net_amount"),
    *unknown_when_not_finite("close", "change_pct", "total_amount", "turnover"),
    prices("close"),
    Rule("negative_amount", "a purchase, sale or turnover in CNY is below 0",
         lambda: pl.any_horizontal(pl.col("buy_amount", "sell_amount", "total_amount") < 0)),
    Rule(
        "net_contradicts_amounts",
        "net_amount is not buy_amount - sell_amount",
        lambda: (pl.col("buy_amount") - pl.col("sell_amount") - pl.col("net_amount")).abs()
        > 1 + 1e-6 * pl.max_horizontal(pl.col("buy_amount", "sell_amount").abs()),
    ),
    Rule("no_reason", "the reason is empty", lambda: pl.col("reason").str.strip_chars() == ""),
    Rule("impossible_turnover", "turnover is below 0", lambda: _below_zero("turnover"), "value", "turnover"),
)  # fmt: skip


def _flow_size() -> pl.Expr:
    return pl.sum_horizontal(pl.col("super_large_net", "large_net", "medium_net", "small_net").abs())


_MAIN_FLOW = Rule(
    "main_contradicts_parts",
    "main flow is not super large + large",
    lambda: (pl.col("main_net") - pl.col("super_large_net") - pl.col("large_net")).abs() > 1 + 1e-6 * _flow_size(),
)
_FLOW_NUMBERS = unknown_when_not_finite(
    "change_pct", "main_net", "super_large_net", "large_net", "medium_net", "small_net"
)
STOCK_FLOW_RULES = (
    SYMBOL_FORM,
    TRADING_DAY,
    NOT_IN_THE_FUTURE,
    *_FLOW_NUMBERS,
    _MAIN_FLOW,
    # Only of stocks: boards are sums over stocks of which some lack a part, and do not add up to nothing.
    Rule("flows_do_not_cancel", "main + medium + small flow is not 0",
         lambda: (pl.col("main_net") + pl.col("medium_net") + pl.col("small_net")).abs() > 1 + 1e-3 * _flow_size()),
    CHANGE_BEYOND_LIMIT,
)  # fmt: skip
BOARD_FLOW_RULES = (
    TRADING_DAY,
    NOT_IN_THE_FUTURE,
    *_FLOW_NUMBERS,
    _MAIN_FLOW,
    Rule(
        "change_beyond_limit",
        f"a change beyond {WIDEST_CHANGE:.0f} %",
        lambda: pl.col("change_pct").abs() > WIDEST_CHANGE,
    ),
)


def statement_rules(*numbers: str) -> tuple[Rule, ...]:
    """Return the rules of a statement with those columns."""
    return (
        SYMBOL_FORM,
        Rule("no_quarter_end", "the period does not end with a quarter", _no_quarter_end),
        Rule("notice_before_period_end", "published before the period was over", lambda: pl.col("notice_date") <= pl.col("period")),
        Rule("future_date", "published on a day that has not come yet", lambda: _tomorrow("notice_date")),
        *unknown_when_not_finite(*numbers),
    )  # fmt: skip


BALANCE_RULES = (
    Rule("negative_assets", "total_assets is below 0", lambda: _below_zero("total_assets")),
    Rule(
        "balance_does_not_balance",
        "total_assets is not total_liabilities + total_equity",
        lambda: (
            (pl.col("total_assets") - pl.col("total_liabilities") - pl.col("total_equity")).abs()
            > 1 + 1e-4 * pl.col("total_assets").abs()
        ),
    ),
)

STOCK_RULES = (
    SYMBOL_FORM,
    Rule("no_name", "the name is empty", lambda: pl.col("name").str.strip_chars() == ""),
    Rule("exchange_contradicts_symbol", "exchange is not the symbol's", lambda: pl.col("exchange") != pl.col("symbol").str.slice(-2)),
    Rule("delisted_before_listed", "delist_date is before list_date", lambda: pl.col("delist_date") < pl.col("list_date")),
    Rule("listed_before_exchanges", "list_date is before the exchanges opened",
         lambda: pl.col("list_date") < date(1990, 12, 1), "value", "list_date"),
)  # fmt: skip

EVENT_RULES = (Rule("ratio_not_positive", "the ratio is 0 or below", lambda: pl.col("ratio") <= 0, "refuse"),)

ACTION_RULES = (
    SYMBOL_FORM, not_finite("cash", "bonus", "rights"),
    Rule("distribution_below_zero", "cash, bonus, rights or rights_price is below 0",
         lambda: pl.any_horizontal(pl.col("cash", "bonus", "rights", "rights_price") < 0)),
    Rule("rights_without_price", "rights have no price",
         lambda: (pl.col("rights") > 0) & ~pl.col("rights_price").is_finite().fill_null(value=False)),
    *unknown_when_not_finite("rights_price"),
)  # fmt: skip

_ZERO_TO_HUNDRED = ("kdj_k", "kdj_d", "rsi6", "rsi12", "rsi24")
INDICATOR_RULES = (
    Rule("price_not_positive", "close_hfq is 0 or below", lambda: pl.col("close_hfq") <= 0, "refuse"),
    Rule(
        "indicator_out_of_range",
        f"{', '.join(_ZERO_TO_HUNDRED)}: a value is not within 0 to 100",
        lambda: pl.any_horizontal(~pl.col(*_ZERO_TO_HUNDRED).is_between(-1e-6, 100 + 1e-6)),
        "refuse",
    ),
    Rule(
        "band_upside_down",
        "boll_lower is above boll_upper",
        lambda: pl.col("boll_lower") > pl.col("boll_upper") + 1e-9,
        "refuse",
    ),
)
