"""What every table promises: columns, types, units, keys, partitioning and value rules, one module per domain.

The lake checks each frame against this before it writes, sources rename into it at the border, and the
documentation, the assets with their descriptions, groups and checks, and the readers come from it. A table that one of
the modules declares is in `TABLES`; nothing else needs to name it.
"""

from types import MappingProxyType

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.market.table import Table
from mystocks_dagster.market.tables import flows, fundamentals, indicators, market, reference, research, system

#: The modules that declare tables; each is called after its domain.
DOMAINS = (reference, market, fundamentals, flows, indicators, research, system)

TABLES = MappingProxyType(
    {item.name: item for domain in DOMAINS for item in vars(domain).values() if isinstance(item, Table)}
)


def table(name: str) -> Table:
    """Return the table of that name.

    Raises:
        UnknownName: There is no such table; the message lists those that exist.
    """
    if name not in TABLES:
        raise UnknownName(f"There is no table {name!r}; the tables are {', '.join(TABLES)}.")
    return TABLES[name]
