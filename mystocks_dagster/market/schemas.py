"""The former place of the tables' contracts, importable for one version more; they are in `market.tables` now."""

import warnings
from typing import Any

from mystocks_dagster.market import table as _terms
from mystocks_dagster.market import tables as _tables


def __getattr__(name: str) -> Any:
    places = (_tables, _terms, *_tables.DOMAINS)
    for place in places:
        if hasattr(place, name):
            warnings.warn(
                f"mystocks_dagster.market.schemas.{name} is now {place.__name__}.{name}",
                DeprecationWarning,
                stacklevel=2,
            )
            return getattr(place, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
