"""What every table promises: columns, types, units, keys and partitioning, as data.

The lake checks each frame against this before it writes, sources rename into it at the border, and the
documentation, the asset descriptions and the readers come from it.
"""

from dataclasses import dataclass
from types import MappingProxyType

import polars as pl

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.market import value_rule_sets as rules_of
from mystocks_dagster.market.value_rules import Rule

#: Every stored moment is an instant in Shanghai's time zone, to the microsecond.
MOMENT = pl.Datetime("us", "Asia/Shanghai")


@dataclass(frozen=True)
class Column:
    """One column: its type, its unit in words, and whether it may be null."""

    name: str
    dtype: pl.DataType | type[pl.DataType]
    unit: str
    null: bool = False


@dataclass(frozen=True)
class Table:
    """One table of the lake.

    Attributes:
        name: Also the Dagster asset key.
        title: Its Chinese name.
        grain: What one row is.
        key: The columns that identify a row; no two rows share them.
        columns: In stored order.
        date_column: The column that holds the trading day (or report period), if any.
        by_day: True when a trading day is written and replaced as a whole; such a table is partitioned
            by trading day in Dagster and by year on disk.
        rules: What no row may hold; every source's rows are held against them before they are stored.
    """

    name: str
    title: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    date_column: str | None = None
    by_day: bool = False
    rules: tuple[Rule, ...] = ()

    @property
    def domain(self) -> str:
        """What it is about: its asset group."""
        return _DOMAINS[self.name]

    @property
    def description(self) -> str:
        """What it holds, in one line of plain text."""
        return f"{self.title}：one row is {self.grain}."

    @property
    def dtypes(self) -> dict[str, pl.DataType | type[pl.DataType]]:
        """Column name to polars type, in stored order."""
        return {column.name: column.dtype for column in self.columns}

    def empty(self) -> pl.DataFrame:
        """Return a frame with this table's columns and no rows."""
        return pl.DataFrame(schema=self.dtypes)


_DOMAINS = {
    "stocks": "reference", "corporate_actions": "reference", "adjust_events": "reference",
    "daily_bars": "market", "stock_quotes": "market", "etf_quotes": "market",
    "balance_sheets": "fundamentals", "income_statements": "fundamentals", "cash_flows": "fundamentals",
    "longhubang": "flows", "capital_flow_stock": "flows", "capital_flow_sector": "flows",
    "capital_flow_concept": "flows", "indicators_daily": "indicators", "indicators_weekly": "indicators",
    "signals": "research", "backtests": "research", "backtest_equity": "research", "backtest_trades": "research",
    "loaded_days": "system", "quarantine": "system",
}  # fmt: skip


def _text(name: str, unit: str, null: bool = False) -> Column:
    return Column(name, pl.String, unit, null)


def _day(name: str, unit: str, null: bool = False) -> Column:
    return Column(name, pl.Date, unit, null)


def _number(name: str, unit: str, null: bool = False) -> Column:
    return Column(name, pl.Float64, unit, null)


def _count(name: str, unit: str, null: bool = False) -> Column:
    return Column(name, pl.Int64, unit, null)


def _flag(name: str, unit: str, null: bool = False) -> Column:
    return Column(name, pl.Boolean, unit, null)


def _moment(name: str, unit: str, null: bool = False) -> Column:
    return Column(name, MOMENT, unit, null)


SYMBOL = _text("symbol", "six digits and exchange: 600519.SH, 000001.SZ, 920001.BJ")
DATE = _day("date", "trading day in Shanghai")

STOCKS = Table(
    name="stocks",
    title="股票列表",
    grain="one A share, listed or delisted",
    key=("symbol",),
    rules=rules_of.STOCK_RULES,
    columns=(
        SYMBOL,
        _text("name", "short name, full-width letters folded"),
        _text("exchange", "SH, SZ or BJ"),
        _text("board", "main, star, chinext or bse"),
        _flag("is_st", "name carries ST"),
        _day("list_date", "first trading day", null=True),
        _day("delist_date", "last day of listing", null=True),
        _moment("updated_at", "when this row was fetched"),
    ),
)

DAILY_BARS = Table(
    name="daily_bars",
    title="日线行情（不复权）",
    grain="one symbol on one trading day, suspended days included",
    key=("symbol", "date"),
    date_column="date",
    by_day=True,
    rules=rules_of.BAR_RULES,
    columns=(
        SYMBOL,
        DATE,
        _number("open", "CNY per share, raw; the last close when suspended"),
        _number("high", "CNY per share, raw"),
        _number("low", "CNY per share, raw"),
        _number("close", "CNY per share, raw"),
        _number(
            "prev_close",
            "CNY per share: previous close as the exchange states it, ex-right on ex-dividend days",
            null=True,
        ),
        _count("volume", "shares (not lots); 0 when suspended"),
        _number("amount", "CNY; 0 when suspended"),
        _number("turnover", "percent of the float", null=True),
        _flag("is_st", "traded under an ST name that day", null=True),
        _flag("suspended", "no trading that day"),
    ),
)

ADJUST_EVENTS = Table(
    name="adjust_events",
    title="复权事件",
    grain="one symbol on one ex-dividend or split day, or a day whose ratio could not be derived",
    key=("symbol", "date"),
    date_column="date",
    rules=rules_of.EVENT_RULES,
    columns=(
        SYMBOL,
        _day("date", "ex-dividend day"),
        _number("ratio", "prev_close / last close, in (0, inf); null while it is not known", null=True),
    ),
)

CORPORATE_ACTIONS = Table(
    name="corporate_actions",
    title="分红送配",
    grain="one symbol on one ex-dividend day; several distributions of that day are added up",
    key=("symbol", "ex_date"),
    date_column="ex_date",
    columns=(
        SYMBOL,
        _day("ex_date", "除权除息日, the first day on which a share is traded without it"),
        _number("cash", "CNY per share, before tax; 派息"),
        _number("bonus", "new shares per share, for nothing; 送股 and 转增"),
        _number("rights", "new shares per share that may be bought; 配股"),
        _number("rights_price", "CNY per new share; 配股价", null=True),
        _day("known_since", "day of publication", null=True),
        _text("source", "name of the source"),
    ),
    rules=rules_of.ACTION_RULES,
)

LOADED_DAYS = Table(
    name="loaded_days",
    title="装载记录",
    grain="one table on one trading day that was loaded",
    key=("table", "date"),
    date_column="date",
    columns=(
        _text("table", "name of the table"),
        DATE,
        _count("rows", "rows stored for that day"),
        _flag("complete", "true when the source gave all that it has for that day"),
        _text("source", "name of the source"),
        _moment("loaded_at", "when"),
        _flag(
            "lacking",
            "true when rows are missing or set aside though the source has no more: a missing bar is no pause",
            null=True,
        ),
    ),
)


def _statement(name: str, title: str, *columns: Column) -> Table:
    return Table(
        name=name,
        title=title,
        grain="one symbol and one report period (quarter's end), cumulated from 1 January",
        key=("symbol", "period"),
        date_column="period",
        rules=(
            *rules_of.statement_rules(*(column.name for column in columns)),
            *(rules_of.BALANCE_RULES if name == "balance_sheets" else ()),
        ),
        columns=(
            SYMBOL,
            _day("period", "last day of the report period"),
            _day("notice_date", "day of publication", null=True),
            *columns,
        ),
    )


BALANCE_SHEETS = _statement(
    "balance_sheets",
    "资产负债表",
    _number("total_assets", "CNY", null=True),
    _number("cash", "CNY, 货币资金", null=True),
    _number("receivables", "CNY, 应收账款", null=True),
    _number("inventory", "CNY, 存货", null=True),
    _number("total_liabilities", "CNY", null=True),
    _number("payables", "CNY, 应付账款", null=True),
    _number("total_equity", "CNY; assets = liabilities + equity", null=True),
)
INCOME_STATEMENTS = _statement(
    "income_statements",
    "利润表",
    _number("revenue", "CNY, 营业总收入", null=True),
    _number("operating_cost", "CNY, 营业总支出", null=True),
    _number("operating_profit", "CNY, 营业利润", null=True),
    _number("total_profit", "CNY, 利润总额", null=True),
    _number("net_profit", "CNY, 归母净利润", null=True),
)
CASH_FLOWS = _statement(
    "cash_flows",
    "现金流量表",
    _number("operating", "CNY, 经营活动净额", null=True),
    _number("investing", "CNY, 投资活动净额", null=True),
    _number("financing", "CNY, 筹资活动净额", null=True),
    _number("net_change", "CNY, 净现金流", null=True),
)

STOCK_QUOTES = Table(
    name="stock_quotes",
    title="股票实时行情",
    grain="one symbol in one whole-market snapshot",
    key=("symbol", "time"),
    date_column="date",
    rules=rules_of.STOCK_QUOTE_RULES,
    columns=(
        SYMBOL,
        DATE,
        _moment("time", "when the snapshot was taken; one value a snapshot"),
        _text("name", "short name"),
        _number("price", "CNY per share, raw", null=True),
        _number("open", "CNY per share, raw", null=True),
        _number("high", "CNY per share, raw", null=True),
        _number("low", "CNY per share, raw", null=True),
        _number("prev_close", "CNY per share", null=True),
        _count("volume", "shares so far today", null=True),
        _number("amount", "CNY so far today", null=True),
        _number("change_pct", "percent against prev_close", null=True),
        _number("turnover", "percent of the float", null=True),
    ),
)
ETF_QUOTES = Table(
    name="etf_quotes",
    title="ETF 实时行情",
    grain="one exchange-traded fund in one snapshot",
    key=("symbol", "time"),
    date_column="date",
    rules=rules_of.ETF_QUOTE_RULES,
    columns=(
        *STOCK_QUOTES.columns[:-1],
        _number("iopv", "CNY per unit, estimated net value", null=True),
        _number("premium_pct", "percent, (price / iopv - 1) x 100", null=True),
    ),
)

LONGHUBANG = Table(
    name="longhubang",
    title="龙虎榜",
    grain="one symbol, trading day and reason; amounts repeat over reasons, never sum them",
    key=("date", "symbol", "reason"),
    date_column="date",
    by_day=True,
    rules=rules_of.LONGHUBANG_RULES,
    columns=(
        DATE,
        SYMBOL,
        _text("reason", "上榜原因, as the exchange words it"),
        _text("name", "short name"),
        _number("close", "CNY per share, raw", null=True),
        _number("change_pct", "percent", null=True),
        _number("buy_amount", "CNY, the listed seats' purchases"),
        _number("sell_amount", "CNY, the listed seats' sales"),
        _number("net_amount", "CNY, buy - sell"),
        _number("total_amount", "CNY, the stock's whole turnover that day", null=True),
        _number("turnover", "percent of the float", null=True),
    ),
)

_FLOW = (
    _number("change_pct", "percent", null=True),
    _number("main_net", "CNY, 主力 = super_large + large", null=True),
    _number("super_large_net", "CNY, 超大单", null=True),
    _number("large_net", "CNY, 大单", null=True),
    _number("medium_net", "CNY, 中单", null=True),
    _number("small_net", "CNY, 小单; main + medium + small = 0", null=True),
)


def _flow(kind: str, title: str, who: Column, grain: str) -> Table:
    return Table(
        name=f"capital_flow_{kind}",
        title=title,
        grain=grain,
        key=("date", who.name),
        date_column="date",
        by_day=True,
        rules=rules_of.STOCK_FLOW_RULES if who is SYMBOL else rules_of.BOARD_FLOW_RULES,
        columns=(DATE, who, *((_text("name", "short name"),) if who is SYMBOL else ()), *_FLOW),
    )


CAPITAL_FLOW_STOCK = _flow("stock", "个股资金流向", SYMBOL, "one symbol on one trading day")
CAPITAL_FLOW_SECTOR = _flow(
    "sector", "行业资金流向", _text("sector", "industry name"), "one industry on one trading day"
)
CAPITAL_FLOW_CONCEPT = _flow(
    "concept", "概念资金流向", _text("concept", "concept name"), "one concept on one trading day"
)


def _indicators(period: str, title: str, grain: str) -> Table:
    return Table(
        name=f"indicators_{period}",
        title=title,
        grain=grain,
        key=("symbol", "date"),
        date_column="date",
        rules=rules_of.INDICATOR_RULES,
        columns=(
            SYMBOL,
            _day("date", "last trading day of the bar"),
            _number("close_hfq", "CNY per share, backward-adjusted from the first stored day"),
            *(_number(f"ma{n}", f"CNY per share, hfq, mean of {n} bars", null=True) for n in (5, 10, 20, 60)),
            _number("macd_dif", "CNY per share, hfq, EMA12 - EMA26", null=True),
            _number("macd_dea", "CNY per share, hfq, EMA9 of dif", null=True),
            _number("macd", "CNY per share, hfq, 2 x (dif - dea)", null=True),
            _number("kdj_k", "0 to 100, SMA(RSV,3,1) over 9 bars", null=True),
            _number("kdj_d", "0 to 100", null=True),
            _number("kdj_j", "3k - 2d", null=True),
            *(_number(f"rsi{n}", "0 to 100", null=True) for n in (6, 12, 24)),
            _number("boll_mid", "CNY per share, hfq, mean of 20 bars", null=True),
            _number("boll_upper", "CNY per share, hfq, mid + 2 standard deviations", null=True),
            _number("boll_lower", "CNY per share, hfq, mid - 2 standard deviations", null=True),
        ),
    )


INDICATORS_DAILY = _indicators("daily", "日线技术指标", "one symbol on one trading day on which it traded")
INDICATORS_WEEKLY = _indicators("weekly", "周线技术指标", "one symbol and one week in which it traded")

SIGNALS = Table(
    name="signals",
    title="策略信号",
    grain="one symbol, day, strategy and side on which the strategy speaks",
    key=("symbol", "date", "strategy", "side"),
    date_column="date",
    columns=(
        SYMBOL,
        DATE,
        _text("strategy", "ma_crossover, macd_divergence or kdj_overbought"),
        _text("side", "buy or sell; known after that day's close"),
        _number("close", "CNY per share, raw"),
        _text("detail", "the values that made it"),
    ),
)

BACKTESTS = Table(
    name="backtests",
    title="回测汇总",
    grain="one backtest",
    key=("backtest_id",),
    columns=(
        _text("backtest_id", "strategy, window and parameters, hashed"),
        _text("strategy", "name of the strategy"),
        _day("start_date", "first trading day"),
        _day("end_date", "last trading day"),
        _number("initial_capital", "CNY"),
        _number("final_equity", "CNY"),
        _number("total_return", "fraction, 0.05 is +5%"),
        _number("annual_return", "fraction, 244 trading days a year", null=True),
        _number("max_drawdown", "fraction, 0.2 is a fall of 20% from a peak"),
        _number("sharpe", "of daily returns, no risk-free rate, 244 days", null=True),
        _count("trades", "orders filled"),
        _number("fees", "CNY, commission, stamp duty and transfer fee"),
        _moment("run_at", "when"),
    ),
)
BACKTEST_EQUITY = Table(
    name="backtest_equity",
    title="回测净值曲线",
    grain="one backtest and one trading day, after the close",
    key=("backtest_id", "date"),
    date_column="date",
    columns=(
        _text("backtest_id", "as in backtests"),
        DATE,
        _number("cash", "CNY"),
        _number("holdings", "CNY, marked to the close"),
        _number("equity", "CNY, cash + holdings"),
    ),
)
BACKTEST_TRADES = Table(
    name="backtest_trades",
    title="回测成交",
    grain="one filled order",
    key=("backtest_id", "sequence"),
    date_column="date",
    columns=(
        _text("backtest_id", "as in backtests"),
        _count("sequence", "1, 2, 3… in order of filling"),
        DATE,
        SYMBOL,
        _text("side", "buy or sell"),
        _count("shares", "shares"),
        _number("price", "CNY per share, raw"),
        _number("fees", "CNY"),
    ),
)

QUARANTINE = Table(
    name="quarantine",
    title="隔离区",
    grain="one row of a source and one rule that it breaks; a later load of that row without a fault removes it",
    key=("table", "key", "rule"),
    columns=(
        _text("table", "name of the table that the row was meant for"),
        _text("key", "its key in that table: 600000.SH 2024-03-01"),
        _text("rule", "name of the rule"),
        _text("reason", "what is wrong"),
        _day("date", "its trading day, or the end of its report period", null=True),
        _text("row", "its values as JSON, as the source gave them"),
        _text("source", "name of the source"),
        _moment("set_aside_at", "when"),
    ),
)

TABLES = MappingProxyType(
    {
        table.name: table
        for table in (
            STOCKS,
            DAILY_BARS,
            ADJUST_EVENTS,
            CORPORATE_ACTIONS,
            LOADED_DAYS,
            BALANCE_SHEETS,
            INCOME_STATEMENTS,
            CASH_FLOWS,
            STOCK_QUOTES,
            ETF_QUOTES,
            LONGHUBANG,
            CAPITAL_FLOW_STOCK,
            CAPITAL_FLOW_SECTOR,
            CAPITAL_FLOW_CONCEPT,
            INDICATORS_DAILY,
            INDICATORS_WEEKLY,
            SIGNALS,
            BACKTESTS,
            BACKTEST_EQUITY,
            BACKTEST_TRADES,
            QUARANTINE,
        )
    }
)


def table(name: str) -> Table:
    """Return the table of that name.

    Raises:
        UnknownName: There is no such table; the message lists those that exist.
    """
    if name not in TABLES:
        raise UnknownName(f"There is no table {name!r}; the tables are {', '.join(TABLES)}.")
    return TABLES[name]
