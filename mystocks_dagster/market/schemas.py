"""Deprecated alias of `market.tables`, which has the tables' contracts; it will be removed in the next version."""

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
