"""The expected columns of each akshare function: its labels, our names and units, and the upstream's keys.

akshare names most columns by position, so a moved key would silently be read as another column. `keys` are the
upstream's keys in the order that akshare relies on; each response is compared with them before a frame is used.
"""

from types import MappingProxyType

from mystocks_dagster.sources.akshare.call import Call, Field


def _keys(text: str) -> tuple[str, ...]:
    return tuple(text.split())


STOCK_SPOT = Call(
    "stock_zh_a_spot_em",
    (
        Field("代码", "code", "code", "f12"),
        Field("名称", "name", "name", "f14"),
        Field("最新价", "price", key="f2"),
        Field("今开", "open", key="f17"),
        Field("最高", "high", key="f15"),
        Field("最低", "low", key="f16"),
        Field("昨收", "prev_close", key="f18"),
        Field("成交量", "volume", "lots", "f5"),
        Field("成交额", "amount", key="f6"),
        Field("涨跌幅", "change_pct", key="f3"),
        Field("换手率", "turnover", key="f8"),
        Field("流通市值", "float_value", key="f21"),
    ),
    unused=_keys("序号 涨跌额 振幅 量比 市盈率-动态 市净率 总市值 涨速 5分钟涨跌 60日涨跌幅 年初至今涨跌幅"),
    keys=_keys("f1 f2 f3 f4 f5 f6 f7 f8 f9 f10 f11 f12 f13 f14 f15 f16 f17 f18 f20 f21 f22 f23 f24 f25"),
    by_code=True,
)

ETF_SPOT = Call(
    "fund_etf_spot_em",
    (
        Field("代码", "code", "code", "f12"),
        Field("名称", "name", "name", "f14"),
        Field("最新价", "price", key="f2"),
        Field("开盘价", "open", key="f17"),
        Field("最高价", "high", key="f15"),
        Field("最低价", "low", key="f16"),
        Field("昨收", "prev_close", key="f18"),
        Field("成交量", "volume", "lots", "f5"),
        Field("成交额", "amount", key="f6"),
        Field("涨跌幅", "change_pct", key="f3"),
        Field("IOPV实时估值", "iopv", key="f441"),
        Field("数据日期", "date", "day", "f297"),
    ),
    unused=(
        *_keys("基金折价率 涨跌额 振幅 换手率 量比 委比 外盘 内盘 现手 买一 卖一 最新份额 流通市值 总市值 更新时间"),
        *(f"{who}净流入-净{what}" for who in _keys("主力 超大单 大单 中单 小单") for what in _keys("额 占比")),
    ),
)

LONGHUBANG = Call(
    "stock_lhb_detail_em",
    (
        Field("上榜日", "date", "day", "TRADE_DATE"),
        Field("代码", "code", "code", "SECURITY_CODE"),
        Field("上榜原因", "reason", "text", "EXPLANATION"),
        Field("名称", "name", "name", "SECURITY_NAME_ABBR"),
        Field("收盘价", "close", key="CLOSE_PRICE"),
        Field("涨跌幅", "change_pct", key="CHANGE_RATE"),
        Field("龙虎榜买入额", "buy_amount", key="BILLBOARD_BUY_AMT"),
        Field("龙虎榜卖出额", "sell_amount", key="BILLBOARD_SELL_AMT"),
        Field("龙虎榜净买额", "net_amount", key="BILLBOARD_NET_AMT"),
        Field("市场总成交额", "total_amount", key="ACCUM_AMOUNT"),
        Field("换手率", "turnover", key="TURNOVERRATE"),
    ),
    unused=_keys(
        "序号 解读 龙虎榜成交额 净买额占总成交比 成交额占总成交比 流通市值 上榜后1日 上榜后2日 上榜后5日 上榜后10日"
    ),
)

_FLOW_KEYS = _keys("f2 f3 f12 f14 f62 f66 f69 f72 f75 f78 f81 f84 f87 f124 f184")
_FLOW_FIELDS = (
    Field("今日涨跌幅", "change_pct", key="f3"),
    Field("今日主力净流入-净额", "main_net", key="f62"),
    Field("今日超大单净流入-净额", "super_large_net", key="f66"),
    Field("今日大单净流入-净额", "large_net", key="f72"),
    Field("今日中单净流入-净额", "medium_net", key="f78"),
    Field("今日小单净流入-净额", "small_net", key="f84"),
)
_FLOW_UNUSED = ("序号", *(f"今日{who}净流入-净占比" for who in _keys("主力 超大单 大单 中单 小单")))

STOCK_FLOW = Call(
    "stock_individual_fund_flow_rank",
    (Field("代码", "code", "code", "f12"), Field("名称", "name", "name", "f14"), *_FLOW_FIELDS),
    unused=(*_FLOW_UNUSED, "最新价"),
    keys=_FLOW_KEYS,
)
BOARD_FLOW = Call(
    "stock_sector_fund_flow_rank",
    (Field("名称", "board", "text", "f14"), *_FLOW_FIELDS),
    unused=(*_FLOW_UNUSED, "今日主力净流入最大股"),
    keys=_FLOW_KEYS,
)

_STATEMENT_KEYS = _keys(
    "SECUCODE SECURITY_CODE INDUSTRY_CODE ORG_CODE SECURITY_NAME_ABBR INDUSTRY_NAME MARKET SECURITY_TYPE_CODE "
    "TRADE_MARKET_CODE DATE_TYPE_CODE REPORT_TYPE_CODE DATA_STATE NOTICE_DATE REPORT_DATE"
)
_STATEMENT_FIELDS = (
    Field("股票代码", "code", "code", "SECURITY_CODE"),
    Field("公告日期", "notice_date", "day", "NOTICE_DATE"),
)

STATEMENTS = MappingProxyType(
    {
        "balance_sheets": Call(
            "stock_zcfz_em",
            (
                *_STATEMENT_FIELDS,
                Field("资产-总资产", "total_assets", key="TOTAL_ASSETS"),
                Field("资产-货币资金", "cash", key="MONETARYFUNDS"),
                Field("资产-应收账款", "receivables", key="ACCOUNTS_RECE"),
                Field("资产-存货", "inventory", key="INVENTORY"),
                Field("负债-总负债", "total_liabilities", key="TOTAL_LIABILITIES"),
                Field("负债-应付账款", "payables", key="ACCOUNTS_PAYABLE"),
                Field("股东权益合计", "total_equity", key="TOTAL_EQUITY"),
            ),
            unused=_keys("序号 股票简称 资产-总资产同比 负债-预收账款 负债-总负债同比 资产负债率"),
            keys=(
                *_STATEMENT_KEYS,
                *_keys(
                    "TOTAL_ASSETS FIXED_ASSET MONETARYFUNDS MONETARYFUNDS_RATIO ACCOUNTS_RECE ACCOUNTS_RECE_RATIO "
                    "INVENTORY INVENTORY_RATIO TOTAL_LIABILITIES ACCOUNTS_PAYABLE ACCOUNTS_PAYABLE_RATIO "
                    "ADVANCE_RECEIVABLES ADVANCE_RECEIVABLES_RATIO TOTAL_EQUITY"
                ),
            ),
        ),
        "income_statements": Call(
            "stock_lrb_em",
            (
                *_STATEMENT_FIELDS,
                Field("营业总收入", "revenue", key="TOTAL_OPERATE_INCOME"),
                Field("营业总支出-营业总支出", "operating_cost", key="TOTAL_OPERATE_COST"),
                Field("营业利润", "operating_profit", key="OPERATE_PROFIT"),
                Field("利润总额", "total_profit", key="TOTAL_PROFIT"),
                Field("净利润", "net_profit", key="PARENT_NETPROFIT"),
            ),
            unused=(
                *_keys("序号 股票简称 净利润同比 营业总收入同比"),
                *(f"营业总支出-{what}" for what in _keys("营业支出 销售费用 管理费用 财务费用")),
            ),
            keys=(
                *_STATEMENT_KEYS,
                *_keys(
                    "PARENT_NETPROFIT TOTAL_OPERATE_INCOME TOTAL_OPERATE_COST TOE_RATIO OPERATE_COST OPERATE_EXPENSE "
                    "OPERATE_EXPENSE_RATIO SALE_EXPENSE MANAGE_EXPENSE FINANCE_EXPENSE OPERATE_PROFIT TOTAL_PROFIT"
                ),
            ),
        ),
        "cash_flows": Call(
            "stock_xjll_em",
            (
                *_STATEMENT_FIELDS,
                Field("经营性现金流-现金流量净额", "operating", key="NETCASH_OPERATE"),
                Field("投资性现金流-现金流量净额", "investing", key="NETCASH_INVEST"),
                Field("融资性现金流-现金流量净额", "financing", key="NETCASH_FINANCE"),
                Field("净现金流-净现金流", "net_change", key="CCE_ADD"),
            ),
            unused=(
                *_keys("序号 股票简称 净现金流-同比增长"),
                *(f"{who}性现金流-净现金流占比" for who in _keys("经营 投资 融资")),
            ),
            keys=(
                *_STATEMENT_KEYS,
                *_keys(
                    "NETCASH_OPERATE NETCASH_OPERATE_RATIO SALES_SERVICES SALES_SERVICES_RATIO PAY_STAFF_CASH "
                    "PSC_RATIO NETCASH_INVEST NETCASH_INVEST_RATIO RECEIVE_INVEST_INCOME RII_RATIO "
                    "CONSTRUCT_LONG_ASSET CLA_RATIO NETCASH_FINANCE NETCASH_FINANCE_RATIO CCE_ADD"
                ),
            ),
        ),
    }
)

CORPORATE_ACTIONS = Call(
    "stock_fhps_em",
    (
        Field("代码", "code", "code", "SECURITY_CODE"),
        Field("除权除息日", "ex_date", "day", "EX_DIVIDEND_DATE"),
        Field("现金分红-现金分红比例", "cash", key="PRETAX_BONUS_RMB"),
        Field("送转股份-送转总比例", "bonus", key="BONUS_IT_RATIO"),
        Field("最新公告日期", "known_since", "day", "NOTICE_DATE"),
        Field("股权登记日", "record_date", "day", "EQUITY_RECORD_DATE"),
    ),
    unused=_keys(
        "名称 送转股份-送转比例 送转股份-转股比例 现金分红-股息率 每股收益 每股净资产 每股公积金 每股未分配利润 "
        "净利润同比增长 总股本 预案公告日 方案进度"
    ),
    keys=_keys(
        "SECUCODE SECURITY_NAME_ABBR SECURITY_INNER_CODE ORG_CODE SECURITY_CODE BONUS_IT_RATIO BONUS_RATIO IT_RATIO "
        "PRETAX_BONUS_RMB PLAN_NOTICE_DATE EQUITY_RECORD_DATE EX_DIVIDEND_DATE REPORT_DATE ASSIGN_PROGRESS "
        "IMPL_PLAN_PROFILE NOTICE_DATE"
    ),
)

SH_STOCKS = Call(
    "stock_info_sh_name_code",
    (Field("证券代码", "code", "code"), Field("证券简称", "name", "name"), Field("上市日期", "list_date", "day")),
    unused=_keys("证券全称 公司简称 公司全称"),
)
SZ_STOCKS = Call(
    "stock_info_sz_name_code",
    (
        Field("A股代码", "code", "code"),
        Field("A股简称", "name", "name"),
        Field("A股上市日期", "list_date", "day"),
        Field("A股流通股本", "float_shares", "shares"),
    ),
    unused=_keys("板块 A股总股本 所属行业"),
)
BJ_STOCKS = Call(
    "stock_info_bj_name_code",
    (Field("证券代码", "code", "code"), Field("证券简称", "name", "name"), Field("上市日期", "list_date", "day")),
    unused=_keys("总股本 流通股本 所属行业 地区 报告日期"),
)
#: East Money's list of Beijing's stocks, which is read without a function of akshare.
BJ_LIST = Call(
    "stock_bj_a_spot_em",
    (
        Field("f12", "code", "code", "f12"),
        Field("f14", "name", "name", "f14"),
        Field("f26", "list_date", "day", "f26"),
    ),
    keys=_keys("f12 f14 f26"),
    by_code=True,
)
SH_DELISTED = Call(
    "stock_info_sh_delist",
    (
        Field("公司代码", "code", "code"),
        Field("公司简称", "name", "name"),
        Field("上市日期", "list_date", "day"),
        Field("暂停上市日期", "delist_date", "day"),
    ),
)
SZ_DELISTED = Call(
    "stock_info_sz_delist",
    (
        Field("证券代码", "code", "code"),
        Field("证券简称", "name", "name"),
        Field("上市日期", "list_date", "day"),
        Field("终止上市日期", "delist_date", "day"),
    ),
)

TRADING_DAYS = Call("tool_trade_date_hist_sina", (Field("trade_date", "date", "day"),))

SINA_DAILY = Call(
    "stock_zh_a_daily",
    (
        Field("date", "date", "day"),
        *(Field(name, name) for name in ("open", "high", "low", "close", "volume", "amount", "turnover")),
    ),
    unused=("outstanding_share",),
)
