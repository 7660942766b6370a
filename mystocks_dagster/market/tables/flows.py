"""The tables of trading by investor: 龙虎榜 and capital flow."""

from datetime import time

import polars as pl

from mystocks_dagster.market.checks import ROW_COUNT, rule_check
from mystocks_dagster.market.publication import Publication
from mystocks_dagster.market.symbols import exchange_expr
from mystocks_dagster.market.table import Check, Column, Rule, StoredRows, Table
from mystocks_dagster.market.tables.columns import DATE, SYMBOL, number, text
from mystocks_dagster.market.tables.rules import (
    CHANGE_BEYOND_LIMIT,
    NOT_IN_THE_FUTURE,
    RECENT,
    SYMBOL_FORM,
    TRADING_DAY,
    WIDEST_CHANGE,
    below_zero,
    not_finite,
    prices,
    unknown_when_not_finite,
)

#: So many stocks that traded may lack a capital flow.
_FEW_WITHOUT_FLOW = 3

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
    Rule("impossible_turnover", "turnover is below 0", lambda: below_zero("turnover"), "value", "turnover"),
)  # fmt: skip

LONGHUBANG = Table(
    name="longhubang",
    title="龙虎榜",
    about="Stocks with unusual trading as the exchanges publish them, with the listed seats' amounts",
    about_zh="交易所公布的异动股票及其买卖席位金额",
    domain="flows",
    origin="source",
    grain="one symbol, trading day and reason; amounts repeat over reasons, never sum them",
    key=("date", "symbol", "reason"),
    date_column="date",
    known_by=("date",),
    by_day=True,
    rules=LONGHUBANG_RULES,
    check_days=RECENT,
    # The exchanges publish it in the evening, and vendors copy it gradually.
    available_after=Publication(time(20, 0)),
    columns=(
        DATE,
        SYMBOL,
        text("reason", "上榜原因, as the exchange words it"),
        text("name", "short name"),
        number("close", "CNY per share, raw", null=True),
        number("change_pct", "percent", null=True),
        number("buy_amount", "CNY, the listed seats' purchases"),
        number("sell_amount", "CNY, the listed seats' sales"),
        number("net_amount", "CNY, buy - sell"),
        number("total_amount", "CNY, the stock's whole turnover that day", null=True),
        number("turnover", "percent of the float", null=True),
    ),
)


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
    # For stocks only: boards are sums over stocks, some of which lack a part, and do not add up to 0.
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

_FLOW = (
    number("change_pct", "percent", null=True),
    number("main_net", "CNY, 主力 = super_large + large", null=True),
    number("super_large_net", "CNY, 超大单", null=True),
    number("large_net", "CNY, 大单", null=True),
    number("medium_net", "CNY, 中单", null=True),
    number("small_net", "CNY, 小单; main + medium + small = 0", null=True),
)


def _flows_add_up(rules: tuple[Rule, ...]) -> Check:
    parts = [rule for rule in rules if rule.name in ("main_contradicts_parts", "flows_do_not_cancel")]
    remedy = "Fetch the day again: mystocks run {task} -p force=true. If they stay, the source's columns have changed."
    return rule_check("flows_add_up", remedy, *parts)


def _traded_without_flow(stored: StoredRows) -> pl.DataFrame:
    """Return the stocks of Shanghai and Shenzhen that traded on the newest day and have no flow; none if they are few.

    The list is a ranking, read by pages, so a few of its rows may be lost while the stated total is right.
    """
    newest = stored.rows["date"].max()
    bars = stored.other("daily_bars", columns=["symbol", "date", "suspended"], start=newest)
    traded = bars.filter(pl.col("date") == newest, ~pl.col("suspended"), exchange_expr("symbol") != "BJ")
    lacking = traded.join(stored.rows, on=["symbol", "date"], how="anti").select("symbol", "date").sort("symbol")
    return lacking if lacking.height > _FEW_WITHOUT_FLOW else lacking.clear()


_TRADED_WITHOUT_FLOW = Check(
    "traded_without_flow",
    f"over {_FEW_WITHOUT_FLOW} stocks of Shanghai and Shenzhen traded on the newest day and have no capital flow",
    "Fetch the day again: mystocks run {task} -p force=true.",
    _traded_without_flow,
)


def _flow(kind: str, label: tuple[str, str], subject: Column, grain: str) -> Table:
    return Table(
        name=f"capital_flow_{kind}",
        title=f"{label[0]}资金流向",
        about=f"Net inflow into {label[1]} by order size",
        about_zh=f"{label[0]}主力、大单、中单与小单的净流入",
        domain="flows",
        origin="source",
        grain=grain,
        key=("date", subject.name),
        date_column="date",
        known_by=("date",),
        by_day=True,
        rules=STOCK_FLOW_RULES if subject is SYMBOL else BOARD_FLOW_RULES,
        check_days=RECENT,
        checks=(
            ROW_COUNT,
            _flows_add_up(STOCK_FLOW_RULES if subject is SYMBOL else BOARD_FLOW_RULES),
            *((_TRADED_WITHOUT_FLOW,) if subject is SYMBOL else ()),
        ),
        columns=(DATE, subject, *((text("name", "short name"),) if subject is SYMBOL else ()), *_FLOW),
    )


CAPITAL_FLOW_STOCK = _flow("stock", ("个股", "each stock"), SYMBOL, "one symbol on one trading day")
CAPITAL_FLOW_SECTOR = _flow(
    "sector", ("行业", "each industry"), text("sector", "industry name"), "one industry on one trading day"
)
CAPITAL_FLOW_CONCEPT = _flow(
    "concept", ("概念", "each concept board"), text("concept", "concept name"), "one concept on one trading day"
)
