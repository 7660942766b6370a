"""The contracts of all tables: columns, types, units, keys, partitioning and value rules, one module per domain.

The lake checks each frame against them before a write, and sources convert to them. The documentation, the assets with
their descriptions, groups and checks, and the readers are built from them. `BUILT_IN` has every table that one of the
modules declares; `TABLES` also has those that dataset files declare.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.excerpts import suggest
from mystocks_dagster.market.table import Table
from mystocks_dagster.market.tables import flows, fundamentals, indicators, market, reference, research, system

#: The modules that declare tables; each is named after its domain.
DOMAINS = (reference, market, fundamentals, flows, indicators, research, system)
#: The module that knows the tables of dataset files. It is named and not imported, as a run launcher is in
#: dagster.yaml: it is above this one, since it reads YAML. See docs/decisions/0037.
DATASETS = "mystocks_dagster.datasets.registry"

#: The tables that are declared in Python.
BUILT_IN: Mapping[str, Table] = MappingProxyType(
    {item.name: item for domain in DOMAINS for item in vars(domain).values() if isinstance(item, Table)}
)


class _Tables(Mapping[str, Table]):
    """The built-in tables, and after them those of dataset files, which are read when a name is not built in."""

    def __getitem__(self, name: str) -> Table:
        declared = BUILT_IN.get(name) or _datasets().declared_table(name)
        if declared is None:
            raise KeyError(name)
        return declared

    def __iter__(self) -> Iterator[str]:
        return iter((*BUILT_IN, *_datasets().declared_tables()))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _datasets() -> Any:
    return import_module(DATASETS)


TABLES: Mapping[str, Table] = _Tables()


def table(name: str) -> Table:
    """Return the table `name`.

    Raises:
        UnknownName: The table does not exist; the message lists the tables.
    """
    declared = TABLES.get(name)
    if declared is None:
        hint = suggest(name, TABLES, allowed="The tables are")
        raise UnknownName(f"There is no table {name!r}. {hint}")
    return declared
