"""The `akshare` source: live data from public web sites."""

from datetime import date, time

from mystocks_dagster.sources.declaration import HOUR, HostRule, Offer, SourceDeclaration

_CLOSED = time(15, 30)
_STATEMENTS = tuple(
    Offer(table=table, past="all", unit="period", requests=12, exchanges=("SH", "SZ"))
    for table in ("balance_sheets", "income_statements", "cash_flows")
)
_BOARD_FLOWS = tuple(
    Offer(table=f"capital_flow_{kind}", past="latest", requests=requests + 1, published=_CLOSED)
    for kind, requests in (("sector", 2), ("concept", 6))
)
OFFERS = (
    Offer(
        table="stocks",
        past="latest",
        unit="snapshot",
        requests=7,
        note="delisted stocks of Shanghai and Shenzhen only",
    ),
    Offer(table="daily_bars", past="latest", requests=67, published=_CLOSED),
    Offer(
        table="daily_bars",
        past="all",
        first=date(1990, 12, 19),
        unit="symbol",
        requests=2,
        null_columns=("is_st",),
        note="`prev_close` is unknown for Beijing",
    ),
    Offer(
        table="corporate_actions",
        past="all",
        unit="period",
        requests=12,
        null_columns=("rights_price",),
        note="without rights issues",
    ),
    *_STATEMENTS,
    Offer(table="stock_quotes", past="latest", unit="snapshot", requests=62),
    Offer(table="etf_quotes", past="latest", unit="snapshot", requests=15),
    Offer(table="longhubang", past="all", requests=1, published=time(20), note="a request is up to 50 days"),
    Offer(table="capital_flow_stock", past="latest", requests=60, published=_CLOSED),
    *_BOARD_FLOWS,
)
#: The tables by trading day that are read from East Money's lists.
_LISTED = (
    *("daily_bars", "index_bars", "etf_bars", "valuation"),
    *("capital_flow_stock", "capital_flow_sector", "capital_flow_concept"),
    *("industry_boards", "industry_members", "concept_boards", "concept_members"),
)
#: Users report bans after 10 to 20 lists or 50 to 200 histories in quick succession. One stream of 60 to 120 requests a
#: day with pauses of 2 to 3 seconds is below every report. A day of bars takes 67, so the upper end is allowed.
_LISTS_A_DAY = 120

SOURCE = SourceDeclaration(
    name="akshare",
    about="live data from public web sites",
    world="real",
    needs="network",
    offers=OFFERS,
    implementation="mystocks_dagster.sources.akshare.source:AkshareSource",
    package="akshare",
    hosts=("push2delay.eastmoney.com", "datacenter-web.eastmoney.com", "finance.sina.com.cn"),
    # Below every rate at which users report bans; see docs/akshare.md.
    host_rules=(
        HostRule(
            name="eastmoney-push2",
            hosts=("push2.eastmoney.com", "push2his.eastmoney.com"),
            gap=2.5,
            ban=6 * HOUR,
            drops_are_bans=True,
            daily=_LISTS_A_DAY,
        ),
        HostRule(
            name="eastmoney-push2delay",
            hosts=("push2delay.eastmoney.com",),
            gap=2.5,
            ban=6 * HOUR,
            drops_are_bans=True,
            daily=_LISTS_A_DAY,
            tables=_LISTED,
        ),
        HostRule(
            name="eastmoney-push2ex",
            hosts=("push2ex.eastmoney.com",),
            gap=2.5,
            ban=6 * HOUR,
            drops_are_bans=True,
            daily=_LISTS_A_DAY,
            tables=("limit_up", "limit_down"),
        ),
        HostRule(
            name="eastmoney-datacenter",
            hosts=("datacenter-web.eastmoney.com", "datacenter.eastmoney.com"),
            gap=0.75,
            daily=2000,
            tables=(
                "longhubang",
                "longhubang_seats",
                "longhubang_institutions",
                "block_trades",
                "suspensions",
                "northbound",
            ),
        ),
        HostRule(name="sina", hosts=("sina.com.cn", "sina.cn"), daily=1000),
    ),
)
