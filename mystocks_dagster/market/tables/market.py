"""The tables of prices: daily bars and snapshots."""

import polars as pl

from mystocks_dagster.market.adjust import HALF_A_FUNDS_TICK, HALF_A_TICK
from mystocks_dagster.market.checks import LISTED_SYMBOLS, PREV_CLOSE, ROW_COUNT, SAME_SYMBOLS
from mystocks_dagster.market.table import Rule, Table
from mystocks_dagster.market.tables.columns import DATE, SYMBOL, count, flag, moment, number, text
from mystocks_dagster.market.tables.rules import (
    CHANGE_BEYOND_LIMIT,
    HIGH_BELOW_LOW,
    NEGATIVE_AMOUNT,
    NEGATIVE_VOLUME,
    NOT_IN_THE_FUTURE,
    RECENT,
    SYMBOL_FORM,
    TRADING_DAY,
    TURNOVER,
    below_zero,
    high_below_low,
    mean_outside,
    not_finite,
    price_outside,
    prices,
    spread,
    unknown_when_not_finite,
)

BAR_RULES = (
    SYMBOL_FORM,
    TRADING_DAY,
    NOT_IN_THE_FUTURE,
    not_finite("open", "high", "low", "close", "amount"),
    *unknown_when_not_finite("prev_close", "turnover"),
    prices("open", "high", "low", "close"),
    Rule("prev_close_not_positive", "prev_close is below 0", lambda: below_zero("prev_close")),
    HIGH_BELOW_LOW,
    price_outside("close"),
    NEGATIVE_VOLUME,
    NEGATIVE_AMOUNT,
    mean_outside("close"),
    Rule("amount_without_volume", "amount without volume", lambda: (pl.col("volume") == 0) & (pl.col("amount") > 0)),
    Rule(
        "suspended_with_volume",
        "suspended with volume or amount",
        lambda: pl.col("suspended") & pl.any_horizontal(pl.col("volume", "amount") > 0),
    ),
    Rule(
        "suspended_with_range",
        "suspended with more than one price",
        lambda: pl.col("suspended") & (spread("open", "high", "low", "close") > HALF_A_TICK),
    ),
    Rule(
        "moved_without_trades",
        "not suspended and without volume, but the price is not the previous close",
        lambda: (
            ~pl.col("suspended")
            & (pl.col("volume") == 0)
            & ((pl.col("close") - pl.col("prev_close")).abs() > HALF_A_TICK)
        ),
    ),
    TURNOVER,
)  # fmt: skip

DAILY_BARS = Table(
    name="daily_bars",
    title="日线行情（不复权）",
    about="Daily prices, volume and amount of each stock, unadjusted, suspended days included",
    about_zh="每只股票每个交易日的开高低收、成交量与成交额，不复权，含停牌日",
    domain="market",
    origin="source",
    grain="one symbol on one trading day, suspended days included",
    key=("symbol", "date"),
    date_column="date",
    known_by=("date",),
    by_day=True,
    rules=BAR_RULES,
    check_days=RECENT,
    checks=(PREV_CLOSE, ROW_COUNT, SAME_SYMBOLS, LISTED_SYMBOLS),
    columns=(
        SYMBOL,
        DATE,
        number("open", "CNY per share, raw; the last close when suspended"),
        number("high", "CNY per share, raw"),
        number("low", "CNY per share, raw"),
        number("close", "CNY per share, raw"),
        number(
            "prev_close",
            "CNY per share: previous close as the exchange states it, ex-right on ex-dividend days",
            null=True,
        ),
        count("volume", "shares (not lots); 0 when suspended"),
        number("amount", "CNY; 0 when suspended"),
        number("turnover", "percent of the float", null=True),
        flag("is_st", "traded under an ST name that day", null=True),
        flag("suspended", "no trading that day"),
        flag(
            "actions_known",
            "null if the source states prev_close; otherwise it was computed from the last close: true with the "
            "corporate actions of that day, false if those are not known",
            null=True,
        ),
    ),
)


def _plain_bar_rules(half_tick: float, *others: Rule) -> tuple[Rule, ...]:
    """Return the rules of bars that state no suspension; `half_tick` is half the smallest step of a price."""
    return (
        SYMBOL_FORM,
        TRADING_DAY,
        NOT_IN_THE_FUTURE,
        not_finite("open", "high", "low", "close"),
        *unknown_when_not_finite("prev_close", "amount"),
        prices("open", "high", "low", "close"),
        Rule("prev_close_not_positive", "prev_close is below 0", lambda: below_zero("prev_close")),
        high_below_low(half_tick),
        price_outside("close", half_tick),
        NEGATIVE_VOLUME,
        NEGATIVE_AMOUNT,
        *others,
    )


INDEX_BARS = Table(
    name="index_bars",
    title="指数日线",
    about="Daily values of the exchanges' indices, with the volume and amount of their members",
    about_zh="交易所指数每个交易日的开高低收及成份股成交量与成交额",
    domain="market",
    origin="source",
    grain="one index on one trading day; 000001.SH is the index of Shanghai, 000001.SZ a stock",
    key=("symbol", "date"),
    date_column="date",
    by_day=True,
    rules=_plain_bar_rules(HALF_A_TICK),
    check_days=RECENT,
    columns=(
        SYMBOL,
        DATE,
        number("open", "points"),
        number("high", "points"),
        number("low", "points"),
        number("close", "points"),
        number("prev_close", "points, close of the previous trading day", null=True),
        count("volume", "shares (not lots) of its members as the source states them", null=True),
        number("amount", "CNY of its members as the source states it", null=True),
    ),
)
ETF_BARS = Table(
    name="etf_bars",
    title="基金日线（不复权）",
    about="Daily prices, volume and amount of exchange-traded and listed open-end funds, unadjusted",
    about_zh="场内基金（ETF、LOF 等）每个交易日的开高低收、成交量与成交额，不复权",
    domain="market",
    origin="source",
    grain="one fund on one trading day on which it traded",
    key=("symbol", "date"),
    date_column="date",
    by_day=True,
    rules=_plain_bar_rules(HALF_A_FUNDS_TICK, mean_outside("close")),
    check_days=RECENT,
    columns=(
        SYMBOL,
        DATE,
        number("open", "CNY per unit, raw, in steps of 0.001"),
        number("high", "CNY per unit, raw"),
        number("low", "CNY per unit, raw"),
        number("close", "CNY per unit, raw"),
        number("prev_close", "CNY per unit: previous close, ex-right on days of a distribution or split", null=True),
        count("volume", "units (not lots)", null=True),
        number("amount", "CNY", null=True),
        flag("actions_known", "as in daily_bars", null=True),
    ),
)


def _quote_rules(*optional: str) -> tuple[Rule, ...]:
    return (
        SYMBOL_FORM,
        TRADING_DAY,
        NOT_IN_THE_FUTURE,
        *unknown_when_not_finite("price", "open", "high", "low", "prev_close", "amount", "change_pct", *optional),
        prices("price", "open", "high", "low"),
        Rule("prev_close_not_positive", "prev_close is below 0", lambda: below_zero("prev_close")),
        HIGH_BELOW_LOW,
        price_outside("price"),
        NEGATIVE_VOLUME,
        NEGATIVE_AMOUNT,
        mean_outside("price"),
        Rule(
            "change_contradicts_price",
            "change_pct is not price against prev_close",
            lambda: ((pl.col("price") / pl.col("prev_close") - 1) * 100 - pl.col("change_pct")).abs() > 0.02,
        ),
        *((TURNOVER,) if "turnover" in optional else ()),
    )


STOCK_QUOTE_RULES = (*_quote_rules("turnover"), CHANGE_BEYOND_LIMIT)
ETF_QUOTE_RULES = (
    *_quote_rules("iopv", "premium_pct"),
    Rule("iopv_not_positive", "the estimated net value is 0 or below", lambda: pl.col("iopv") <= 0, "value", "iopv"),
)

STOCK_QUOTES = Table(
    name="stock_quotes",
    title="股票实时行情",
    about="Intraday snapshots of all stocks",
    about_zh="全市场股票的盘中行情快照",
    domain="market",
    origin="snapshot",
    grain="one symbol in one whole-market snapshot",
    key=("symbol", "time"),
    date_column="date",
    known_by=("date",),
    rules=STOCK_QUOTE_RULES,
    check_days=RECENT,
    columns=(
        SYMBOL,
        DATE,
        moment("time", "time of the snapshot, one value per snapshot"),
        text("name", "short name"),
        number("price", "CNY per share, raw", null=True),
        number("open", "CNY per share, raw", null=True),
        number("high", "CNY per share, raw", null=True),
        number("low", "CNY per share, raw", null=True),
        number("prev_close", "CNY per share", null=True),
        count("volume", "shares so far today", null=True),
        number("amount", "CNY so far today", null=True),
        number("change_pct", "percent against prev_close", null=True),
        number("turnover", "percent of the float", null=True),
    ),
)
ETF_QUOTES = Table(
    name="etf_quotes",
    title="ETF 实时行情",
    about="Intraday snapshots of all exchange-traded funds, with estimated net value and premium",
    about_zh="全市场 ETF 的盘中行情快照，含估算净值与溢价",
    domain="market",
    origin="snapshot",
    grain="one exchange-traded fund in one snapshot",
    key=("symbol", "time"),
    date_column="date",
    known_by=("date",),
    rules=ETF_QUOTE_RULES,
    check_days=RECENT,
    columns=(
        *STOCK_QUOTES.columns[:-1],
        number("iopv", "CNY per unit, estimated net value", null=True),
        number("premium_pct", "percent, (price / iopv - 1) x 100", null=True),
    ),
)
