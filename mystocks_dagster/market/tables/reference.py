"""The tables of reference data: stocks, corporate actions and adjustment events."""

from datetime import date

import polars as pl

from mystocks_dagster.market.table import Rule, Table
from mystocks_dagster.market.tables.columns import SYMBOL, day, flag, moment, number, text
from mystocks_dagster.market.tables.rules import SYMBOL_FORM, not_finite, unknown_when_not_finite

STOCK_RULES = (
    SYMBOL_FORM,
    Rule("no_name", "the name is empty", lambda: pl.col("name").str.strip_chars() == ""),
    Rule("exchange_contradicts_symbol", "exchange is not that of the symbol",
         lambda: pl.col("exchange") != pl.col("symbol").str.slice(-2)),
    Rule("delisted_before_listed", "delist_date is before list_date",
         lambda: pl.col("delist_date") < pl.col("list_date")),
    Rule("listed_before_exchanges", "list_date is before the exchanges opened",
         lambda: pl.col("list_date") < date(1990, 12, 1), "value", "list_date"),
)  # fmt: skip

STOCKS = Table(
    name="stocks",
    title="股票列表",
    about="All A shares, listed and delisted: code, name, board and dates of listing",
    about_zh="全部 A 股（含已退市）的代码、名称、板块与上市日期",
    domain="reference",
    origin="source",
    grain="one A share, listed or delisted",
    key=("symbol",),
    rules=STOCK_RULES,
    columns=(
        SYMBOL,
        text("name", "short name, full-width letters folded"),
        text("exchange", "SH, SZ or BJ"),
        text("board", "main, star, chinext or bse"),
        flag("is_st", "name carries ST"),
        day("list_date", "first trading day", null=True),
        day("delist_date", "last day of listing", null=True),
        moment("updated_at", "time of the fetch"),
    ),
)

ACTION_RULES = (
    SYMBOL_FORM, not_finite("cash", "bonus", "rights"),
    Rule("distribution_below_zero", "cash, bonus, rights or rights_price is below 0",
         lambda: pl.any_horizontal(pl.col("cash", "bonus", "rights", "rights_price") < 0)),
    Rule("rights_without_price", "rights have no price",
         lambda: (pl.col("rights") > 0) & ~pl.col("rights_price").is_finite().fill_null(value=False)),
    *unknown_when_not_finite("rights_price", "split"),
    Rule("split_not_positive", "split is 0 or below", lambda: pl.col("split") <= 0),
    Rule("recorded_after_ex_date", "record_date is not before ex_date",
         lambda: pl.col("record_date") >= pl.col("ex_date"), "value", "record_date"),
)  # fmt: skip

CORPORATE_ACTIONS = Table(
    name="corporate_actions",
    title="分红送配",
    about="Published cash dividends, bonus shares, rights issues and splits, by source",
    about_zh="各数据源公布的派息、送转、配股与份额拆分",
    domain="reference",
    origin="source",
    grain="one symbol on one ex-dividend day as one source states it; its distributions of that day are added up",
    key=("symbol", "ex_date", "source"),
    date_column="ex_date",
    # An action that is not announced to us is known on its ex-dividend day, when the exchange states the price.
    known_by=("known_since", "ex_date"),
    columns=(
        SYMBOL,
        day("ex_date", "除权除息日, the first day on which a share is traded without the distribution"),
        number("cash", "CNY per share, before tax; 派息"),
        number("bonus", "new shares per share, free; 送股 and 转增"),
        number("rights", "new shares per share, offered for sale; 配股; null if the source does not say", null=True),
        number("rights_price", "CNY per new share; 配股价", null=True),
        day("known_since", "day of publication", null=True),
        text("source", "name of the source"),
        day("record_date", "股权登记日, the last day on which a buyer receives the distribution", null=True),
        number("split", "shares after per share before; 扩缩股, share splits of funds", null=True),
    ),
    rules=ACTION_RULES,
)

ACTION_DIFFERENCES = Table(
    name="action_differences",
    title="分红送配核对",
    about="Ex-dividend days on which prices and corporate actions, or two sources' actions, contradict each other",
    about_zh="除权除息日价格与分红送配记录、或各数据源之间不一致之处",
    domain="reference",
    grain="one symbol on one day and one kind of difference",
    key=("symbol", "date", "kind"),
    date_column="date",
    known_by=("date",),
    columns=(
        SYMBOL,
        day("date", "the bar's day"),
        text(
            "kind",
            "event_without_action, action_without_event, ratio_differs (by more than a tick) or sources_differ",
        ),
        number("last_close", "CNY per share, close of the bar before"),
        number("stated", "CNY per share, previous close as the bar states it"),
        number("expected", "CNY per share, ex-right price that follows from the corporate actions", null=True),
        text("actions", "the corporate actions since the bar before, with their sources; empty if there is none"),
        flag("confirmed", "true if a person has confirmed the stated previous close"),
        moment("found_at", "time of the comparison"),
    ),
    rules=(
        Rule(
            "actions_contradict_prices",
            "prices and corporate actions, or two sources' actions, contradict each other and nobody has decided",
            lambda: ~pl.col("confirmed"),
            "check",
        ),
    ),
)

EVENT_RULES = (
    Rule("ratio_not_positive", "the ratio is 0 or below", lambda: pl.col("ratio") <= 0, "refuse"),
    Rule(
        "ratio_unknown",
        "the ratio is unknown, so that earlier prices cannot be adjusted",
        lambda: pl.col("ratio").is_null(),
        "check",
    ),
)

ADJUST_EVENTS = Table(
    name="adjust_events",
    title="复权事件",
    about="Ex-dividend and split days with their adjustment ratios, from which adjusted prices are computed",
    about_zh="除权除息日及其除权比例，复权价格由此计算",
    domain="reference",
    grain="one symbol on one ex-dividend or split day, or a day whose ratio could not be derived",
    key=("symbol", "date"),
    date_column="date",
    known_by=("date",),
    rules=EVENT_RULES,
    columns=(
        SYMBOL,
        day("date", "ex-dividend day"),
        number("ratio", "prev_close / last close, in (0, inf); null while it is not known", null=True),
    ),
)

ADJUST_FACTORS = Table(
    name="adjust_factors",
    title="复权因子",
    about="Adjustment factors as a vendor states them, which witness the adjustment events",
    about_zh="数据商公布的复权因子，用于核对复权事件",
    domain="reference",
    origin="source",
    grain="one symbol on one ex-dividend or split day",
    key=("symbol", "date"),
    date_column="date",
    columns=(
        SYMBOL,
        day("date", "ex-dividend day"),
        number("forward", "前复权因子: factor of the prices from this day on, 1 after the newest event"),
        number("backward", "后复权因子: factor of the prices from this day on, 1 before the first event"),
    ),
    rules=(
        SYMBOL_FORM,
        not_finite("forward", "backward"),
        Rule("factor_not_positive", "a factor is 0 or below",
             lambda: pl.any_horizontal(pl.col("forward", "backward") <= 0)),
    ),
)  # fmt: skip

CODE_RULES = (
    Rule("same_code", "old_symbol is new_symbol", lambda: pl.col("old_symbol") == pl.col("new_symbol"), "refuse"),
)

CODE_CHANGES = Table(
    name="code_changes",
    title="代码变更",
    about="Stocks whose code changed: readers see one history under the newest code",
    about_zh="更换过代码的股票：读取时新旧代码合为一段历史",
    domain="reference",
    grain="one code that was replaced by another, or of which a person says that it was not",
    key=("old_symbol",),
    known_by=("from_day",),
    rules=CODE_RULES,
    columns=(
        text("old_symbol", "the code before: 300114.SZ"),
        text("new_symbol", "the code after; null: a person says that the code did not change", null=True),
        day("from_day", "first trading day of the new code"),
        text("source", "published: shipped with this package; prices: the last close of the old code is the previous "
             "close of the new one; file: code_changes.csv beside tasks.yaml; stated: by a person"),
    ),
)  # fmt: skip

STOCK_NAMES = Table(
    name="stock_names",
    title="股票名称沿革",
    about="The names of stocks, and whether they carried ST, by the days on which a stock list stated them",
    about_zh="股票名称与 ST 状态的沿革，按股票列表的日期记录",
    domain="reference",
    grain="one stock and one name, from the day of the stock list that first stated it",
    key=("symbol", "from_day"),
    date_column="from_day",
    known_by=("from_day",),
    ends=("until",),
    columns=(
        SYMBOL,
        day("from_day", "trading day of the first stock list with this name; what was before is not known from it"),
        day("until", "trading day of the last stock list that stated it", null=True),
        text("name", "short name, full-width letters folded"),
        flag("is_st", "name carries ST"),
    ),
)
