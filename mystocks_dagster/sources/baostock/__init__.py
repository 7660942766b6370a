"""The `baostock` source: whole trading days of Shanghai and Shenzhen from baostock's server, back to 1990."""

from datetime import date, time

from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.declaration import HOUR, HostRule, Offer, SourceDeclaration

HOST, PORT = "public-api.baostock.com", 10030

#: The time from which on the server has the day's bars, as its documentation states.
PUBLISHED = time(17, 30)
_FIRST = date(1990, 12, 19)
_EXCHANGES = ("SH", "SZ")
#: 上证指数, 上证50, 沪深300, 科创50, 中证1000, 中证500, 深证成指, 创业板指.
INDICES = (
    *("000001.SH", "000016.SH", "000300.SH", "000688.SH", "000852.SH", "000905.SH"),
    *("399001.SZ", "399006.SZ"),
)
OFFERS = (
    Offer(table="stocks", past="latest", unit="snapshot", requests=4, exchanges=_EXCHANGES),
    Offer(table="daily_bars", past="all", first=_FIRST, requests=1, exchanges=_EXCHANGES, published=PUBLISHED),
    Offer(
        table="daily_bars",
        past="all",
        first=_FIRST,
        unit="symbol",
        requests=5,
        exchanges=_EXCHANGES,
        published=PUBLISHED,
    ),
    Offer(
        table="daily_valuation",
        past="all",
        first=_FIRST,
        requests=1,
        exchanges=_EXCHANGES,
        published=PUBLISHED,
        note="comes with the bars of the day, without a request of its own",
    ),
    Offer(table="etf_bars", past="all", first=_FIRST, requests=1, exchanges=_EXCHANGES, published=PUBLISHED),
    Offer(
        table="index_bars",
        past="all",
        first=_FIRST,
        requests=len(INDICES),
        exchanges=_EXCHANGES,
        published=PUBLISHED,
        note=f"{len(INDICES)} indices; one request for each, whatever the number of days",
    ),
    Offer(table="adjust_factors", past="all", first=_FIRST, requests=1, exchanges=_EXCHANGES),
)


def server_address(settings: Settings) -> str:
    """Return `host:port` of the server that is in use, for messages."""
    return settings.source_option("baostock") or f"{HOST}:{PORT}"


SOURCE = SourceDeclaration(
    name="baostock",
    about="past and present days of Shanghai and Shenzhen from baostock's server",
    world="real",
    needs=f"network (TCP port {PORT}); no account",
    offers=OFFERS,
    implementation="mystocks_dagster.sources.baostock.source:BaostockSource",
    package="baostock",
    hosts=(f"{HOST}:{PORT}",),
    redirected=lambda settings: settings.source_option("baostock") or settings.upstream,
    # One connection at a time: users who opened eight were banned until the next day; see docs/decisions/0032.
    host_rules=(HostRule(name="baostock", hosts=(HOST,), gap=0.3, ban=24 * HOUR, daily=5000),),
)
