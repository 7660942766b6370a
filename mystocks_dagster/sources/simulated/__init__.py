"""The `simulated` source: an invented market."""

from datetime import time

from mystocks_dagster.sources.declaration import Offer, SourceDeclaration

_BARS = ("daily_bars", "longhubang", "capital_flow_stock", "capital_flow_sector", "capital_flow_concept")
_STATEMENTS = ("balance_sheets", "income_statements", "cash_flows")
OFFERS = (
    Offer(table="stocks", past="latest", unit="snapshot"),
    *(Offer(table=table, past="all", published=time(15)) for table in _BARS),
    Offer(table="corporate_actions", past="all"),
    *(Offer(table=table, past="all", unit="period") for table in _STATEMENTS),
    *(Offer(table=table, past="latest", unit="snapshot") for table in ("stock_quotes", "etf_quotes")),
)

SOURCE = SourceDeclaration(
    name="simulated",
    about="an invented market under the real rules",
    world="simulated",
    needs="nothing",
    offers=OFFERS,
    implementation="mystocks_dagster.sources.simulated.source:SimulatedSource",
)
