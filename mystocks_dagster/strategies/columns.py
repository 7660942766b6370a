"""The columns that a strategy can read, and the tables of the lake from which they come."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

#: Raw columns of the daily bars.
BARS = ("open", "high", "low", "close", "prev_close", "volume", "amount", "turnover", "is_st")
#: Prices multiplied by the day's factor; `close_hfq` is a column of the indicators.
ADJUSTED = ("open_hfq", "high_hfq", "low_hfq")
#: The day's limit prices, computed from the bars.
LIMITS = ("limit_up", "limit_down")
VALUATION = ("pe_ttm", "pb", "ps_ttm", "pcf_ttm")
#: Computed from the statements that were known on the day, and the tables that they need.
STATEMENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "net_profit_ttm": ("income_statements",),
        "revenue_ttm": ("income_statements",),
        "net_profit_growth": ("income_statements",),
        "revenue_growth": ("income_statements",),
        "roe_ttm": ("income_statements", "balance_sheets"),
        "operating_cash_ttm": ("cash_flows",),
    }
)
INDICATORS = "indicators_daily"
#: Tables that not every project loads, and which function of a task writes each.
WRITERS: Mapping[str, str] = MappingProxyType(
    {
        "daily_valuation": "sync_daily_stock_data writes it with data_source: baostock.",
        **dict.fromkeys(
            ("income_statements", "balance_sheets", "cash_flows"),
            "sync_financial_statements writes it with data_source: akshare.",
        ),
    }
)


def tables_of(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the tables that hold columns: always the indicators, whose rows are the days on which a stock traded."""
    tables = {INDICATORS: None, "daily_bars": None}
    for name in columns:
        if name in VALUATION:
            tables["daily_valuation"] = None
        if name in LIMITS:
            tables["stocks"] = None
        tables.update(dict.fromkeys(STATEMENTS.get(name, ())))
    return tuple(tables)


def indicator_columns(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that the table of indicators must have."""
    others = {*BARS, *ADJUSTED, *LIMITS, *VALUATION, *STATEMENTS, "symbol", "date", "close_hfq"}
    return tuple(dict.fromkeys(name for name in columns if name not in others))
