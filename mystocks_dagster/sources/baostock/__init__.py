"""The `baostock` source: whole trading days of Shanghai and Shenzhen from baostock's server, back to 1990."""

from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.declaration import HOUR, HostRule, SourceDeclaration

HOST, PORT = "public-api.baostock.com", 10030


def server_address(settings: Settings) -> str:
    """Return `host:port` of the server that is in use, for messages."""
    return settings.source_option("baostock") or f"{HOST}:{PORT}"


SOURCE = SourceDeclaration(
    name="baostock",
    about="past and present days of Shanghai and Shenzhen from baostock's server",
    world="real",
    needs=f"network (TCP port {PORT}); no account",
    offers="bars of stocks (with valuation ratios), ETFs and indices, adjustment factors, calendar, stock list; "
    "without Beijing",
    implementation="mystocks_dagster.sources.baostock.source:BaostockSource",
    package="baostock",
    hosts=(f"{HOST}:{PORT}",),
    redirected=lambda settings: settings.source_option("baostock") or settings.upstream,
    # One connection at a time: users who opened eight were banned until the next day; see docs/decisions/0032.
    host_rules=(HostRule(name="baostock", hosts=(HOST,), gap=0.3, ban=24 * HOUR),),
)
