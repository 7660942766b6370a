"""The tables of technical indicators."""

import polars as pl

from mystocks_dagster.market.table import Column, Rule, Table
from mystocks_dagster.market.tables.columns import SYMBOL, count, day, number, text
from mystocks_dagster.market.tables.rules import RECENT

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


def _indicators(period: str, bars: tuple[str, str], grain: str) -> Table:
    return Table(
        name=f"indicators_{period}",
        title=f"{bars[0]}技术指标",
        about=f"MA, MACD, KDJ, RSI and BOLL of backward-adjusted {bars[1]}",
        about_zh=f"由后复权{bars[0]}计算的 MA、MACD、KDJ、RSI 与 BOLL",
        domain="indicators",
        computed_from=("daily_bars", "adjust_events"),
        grain=grain,
        key=("symbol", "date"),
        date_column="date",
        known_by=("date",),
        rules=INDICATOR_RULES,
        check_days=RECENT,
        by_month=True,
        open=True,
        columns=(
            SYMBOL,
            day("date", "last trading day of the bar"),
            number("close_hfq", "CNY per share, backward-adjusted from the first stored day"),
            *(number(f"ma{n}", f"CNY per share, hfq, mean of {n} bars", null=True) for n in (5, 10, 20, 60)),
            number("macd_dif", "CNY per share, hfq, EMA12 - EMA26", null=True),
            number("macd_dea", "CNY per share, hfq, EMA9 of dif", null=True),
            number("macd", "CNY per share, hfq, 2 x (dif - dea)", null=True),
            number("kdj_k", "0 to 100, SMA(RSV,3,1) over 9 bars", null=True),
            number("kdj_d", "0 to 100", null=True),
            number("kdj_j", "3k - 2d", null=True),
            *(number(f"rsi{n}", "0 to 100", null=True) for n in (6, 12, 24)),
            number("boll_mid", "CNY per share, hfq, mean of 20 bars", null=True),
            number("boll_upper", "CNY per share, hfq, mid + 2 standard deviations", null=True),
            number("boll_lower", "CNY per share, hfq, mid - 2 standard deviations", null=True),
        ),
    )


INDICATORS_DAILY = _indicators("daily", ("日线", "daily bars"), "one symbol on one trading day on which it traded")
INDICATORS_WEEKLY = _indicators("weekly", ("周线", "weekly bars"), "one symbol and one week in which it traded")
INDICATORS_MONTHLY = _indicators("monthly", ("月线", "monthly bars"), "one symbol and one month in which it traded")

INDICATOR_STATE = Table(
    name="indicator_state",
    title="指标递推状态",
    about="The state of the indicators after the last closed period, from which the next day is computed",
    about_zh="各指标在最近一个完整周期之后的递推状态，下一交易日由此续算",
    domain="indicators",
    grain="one calculation of one period, for all symbols; each run that computes new bars replaces it",
    key=("period", "calculation"),
    columns=(
        text("period", "daily, weekly or monthly"),
        text("calculation", "name of the indicator, and a hash of its formula, its parameters and the code"),
        text("inputs", "versions of the input tables that were read, as JSON"),
        day("until", "the first day that the state does not contain"),
        text("layout", "sizes of the state of each step by the hash of its expression, as JSON"),
        count("symbols", "number of symbols"),
        Column("codes", pl.Binary, "the symbols, separated by commas"),
        Column(
            "content", pl.Binary, "64-bit floats, little-endian: for each step of the layout, a row for each symbol"
        ),
    ),
)
