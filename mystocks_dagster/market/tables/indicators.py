"""The tables of technical indicators."""

import polars as pl

from mystocks_dagster.market.table import Rule, Table
from mystocks_dagster.market.tables.columns import SYMBOL, day, number
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
