"""The engines of Dagster's SQLite storages, kept with the SQL that they have compiled.

For each statement, Dagster makes an engine, which compiles the statement again. That takes longer than to execute it.
"""

from functools import cache, lru_cache
from importlib import import_module
from typing import Any

from mystocks_dagster.dagster_internals import SQLITE_MODULES

#: Databases whose engines are kept: the three of the instance, and those of the latest runs.
_KEPT = 32
#: Seconds to wait for another writer. For events Dagster says 30, and for runs and ticks nothing, which is 5.
PATIENCE_SECONDS = 30


@cache
def keep_engines() -> None:
    """Let Dagster's SQLite storages keep their engines in this process.

    The engines keep no connections, so a process may still be forked.
    """
    from sqlalchemy import create_engine

    @lru_cache(maxsize=_KEPT)
    def made(url: str, pool: Any, arguments: tuple[tuple[str, Any], ...]) -> Any:
        return create_engine(url, poolclass=pool, connect_args=dict(arguments))

    def kept(url: str, *, poolclass: Any, connect_args: dict[str, Any] | None = None) -> Any:
        arguments = {"timeout": PATIENCE_SECONDS} | (connect_args or {})
        return made(url, poolclass, tuple(arguments.items()))

    for name in SQLITE_MODULES:
        module: Any = import_module(name)
        module.create_engine = kept
