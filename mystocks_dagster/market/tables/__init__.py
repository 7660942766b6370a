"""The contracts of all tables: columns, types, units, keys, partitioning and value rules, one module per domain.

The lake checks each frame against them before a write, and sources convert to them. The documentation, the assets with
their descriptions, groups and checks, and the readers are built from them. `TABLES` has every table that one of the
modules declares.
"""

from types import MappingProxyType

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.market.table import Table
from mystocks_dagster.market.tables import flows, fundamentals, indicators, market, reference, research, system

#: The modules that declare tables; each is named after its domain.
DOMAINS = (reference, market, fundamentals, flows, indicators, research, system)

TABLES = MappingProxyType(
    {item.name: item for domain in DOMAINS for item in vars(domain).values() if isinstance(item, Table)}
)


def table(name: str) -> Table:
    """Return the table `name`.

    Raises:
        UnknownName: The table does not exist; the message lists the tables.
    """
    if name not in TABLES:
        raise UnknownName(f"There is no table {name!r}; the tables are {', '.join(TABLES)}.")
    return TABLES[name]
