"""The tables of published financial statements and of valuation."""

import polars as pl

from mystocks_dagster.market.checks import rule_check
from mystocks_dagster.market.table import Column, Rule, Table
from mystocks_dagster.market.tables.columns import DATE, SYMBOL, day, number
from mystocks_dagster.market.tables.rules import (
    NOT_IN_THE_FUTURE,
    RECENT,
    SYMBOL_FORM,
    TRADING_DAY,
    below_zero,
    far_future,
    not_quarter_end,
    unknown_when_not_finite,
)


def statement_rules(*numbers: str) -> tuple[Rule, ...]:
    """Return the rules of a statement with the columns `numbers`."""
    return (
        SYMBOL_FORM,
        Rule("no_quarter_end", "the period is not the last day of a quarter", not_quarter_end),
        Rule(
            "notice_before_period_end",
            "published before the end of the period",
            lambda: pl.col("notice_date") <= pl.col("period"),
        ),
        Rule("future_date", "the publication date is in the future", lambda: far_future("notice_date")),
        *unknown_when_not_finite(*numbers),
    )


BALANCE_RULES = (
    Rule("negative_assets", "total_assets is below 0", lambda: below_zero("total_assets")),
    Rule(
        "balance_does_not_balance",
        "total_assets is not total_liabilities + total_equity",
        lambda: (
            (pl.col("total_assets") - pl.col("total_liabilities") - pl.col("total_equity")).abs()
            > 1 + 1e-4 * pl.col("total_assets").abs()
        ),
    ),
)

BALANCES = rule_check(
    "statements_balance",
    "Fetch the report again: mystocks run {task} -p force=true. A restated report replaces the stored one.",
    BALANCE_RULES[1],
)


def _statement(name: str, title: str, about_zh: str, about: str, *columns: Column) -> Table:
    return Table(
        name=name,
        title=title,
        about=about,
        about_zh=about_zh,
        domain="fundamentals",
        origin="source",
        grain="one symbol, one report period (quarter's end), cumulated from 1 January, and one published version",
        key=("symbol", "period", "known_since"),
        date_column="period",
        # Rows of older lakes have no known_since.
        known_by=("known_since", "notice_date"),
        version_key=("symbol", "period"),
        rules=(
            *statement_rules(*(column.name for column in columns)),
            *(BALANCE_RULES if name == "balance_sheets" else ()),
        ),
        checks=(BALANCES,) if name == "balance_sheets" else (),
        columns=(
            SYMBOL,
            day("period", "last day of the report period"),
            day("notice_date", "day of publication", null=True),
            day(
                "known_since",
                "day from which this version is known: notice_date, or the day of the load if that is unknown or if "
                "other numbers were stored under the same notice_date",
                null=True,
            ),
            *columns,
        ),
    )


BALANCE_SHEETS = _statement(
    "balance_sheets",
    "资产负债表",
    "各报告期的资产、负债与所有者权益",
    "Assets, liabilities and equity by report period",
    number("total_assets", "CNY", null=True),
    number("cash", "CNY, 货币资金", null=True),
    number("receivables", "CNY, 应收账款", null=True),
    number("inventory", "CNY, 存货", null=True),
    number("total_liabilities", "CNY", null=True),
    number("payables", "CNY, 应付账款", null=True),
    number("total_equity", "CNY; assets = liabilities + equity", null=True),
)
INCOME_STATEMENTS = _statement(
    "income_statements",
    "利润表",
    "各报告期的收入、成本与利润",
    "Revenue, cost and profit by report period",
    number("revenue", "CNY, 营业总收入", null=True),
    number("operating_cost", "CNY, 营业总支出", null=True),
    number("operating_profit", "CNY, 营业利润", null=True),
    number("total_profit", "CNY, 利润总额", null=True),
    number("net_profit", "CNY, 归母净利润", null=True),
)
CASH_FLOWS = _statement(
    "cash_flows",
    "现金流量表",
    "各报告期经营、投资与筹资活动的现金流",
    "Cash flows from operating, investing and financing by report period",
    number("operating", "CNY, 经营活动净额", null=True),
    number("investing", "CNY, 投资活动净额", null=True),
    number("financing", "CNY, 筹资活动净额", null=True),
    number("net_change", "CNY, 净现金流", null=True),
)

_RATIOS = ("pe_ttm", "pb", "ps_ttm", "pcf_ttm")

DAILY_VALUATION = Table(
    name="daily_valuation",
    title="估值指标",
    about="Valuation ratios of each stock by trading day: price to earnings, book value, sales and cash flow",
    about_zh="各股票每个交易日的市盈率、市净率、市销率与市现率",
    domain="fundamentals",
    origin="source",
    grain="one symbol on one trading day on which at least one ratio is known",
    key=("symbol", "date"),
    date_column="date",
    by_day=True,
    rules=(SYMBOL_FORM, TRADING_DAY, NOT_IN_THE_FUTURE, *unknown_when_not_finite(*_RATIOS)),
    check_days=RECENT,
    columns=(
        SYMBOL,
        DATE,
        number("pe_ttm", "market value / net profit of twelve months, 滚动市盈率; below 0 after a loss", null=True),
        number("pb", "market value / equity of the newest report, 市净率; below 0 with negative equity", null=True),
        number("ps_ttm", "market value / revenue of twelve months, 滚动市销率", null=True),
        number("pcf_ttm", "market value / net cash flow of twelve months, 滚动市现率; below 0 if cash fell", null=True),
    ),
)
