"""The names of the data sources, and the choices of them that a user may write."""

import pkgutil
from collections.abc import Iterable
from functools import cache
from pathlib import Path

#: The parameter of a task that chooses its sources. It has no default in a form: without a value, the environment
#: decides, then the file.
SOURCE_FIELD = "data_source"
#: A choice of sources that stands for the order of preference of each table, see `sources.preference`.
AUTO = "auto"
#: Each package in this folder is a data source, see `sources.registry`.
_SOURCES = Path(__file__).parent / "sources"


@cache
def source_names() -> tuple[str, ...]:
    """Return the names of the data sources, in alphabetical order; none of them is imported."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules([str(_SOURCES)]) if module.ispkg))


def source_choices() -> tuple[str, ...]:
    """Return the values that `data_source` may have, alone or in a list: the sources, and `auto` alone."""
    return (*source_names(), AUTO)


def split_sources(value: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return the names in a choice of sources: a name, names separated by commas, or a list; None and "" have none."""
    names = value.split(",") if isinstance(value, str) else value or ()
    return tuple(name.strip() for name in names if name.strip())
