"""Dagster's migration scripts, read once in a process instead of several times for each database that it opens.

To open a database, Dagster asks alembic for the newest migration, and alembic runs all of a hundred scripts. With
SQLite, each run has a database of its own, which the daemon, the run's process and the web server open.
"""

from functools import cache


@cache
def read_once() -> None:
    """Let alembic keep Dagster's scripts, which do not change while a process runs."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    read = ScriptDirectory.from_config
    kept: dict[str, ScriptDirectory] = {}

    def from_config(config: Config) -> ScriptDirectory:
        place = config.get_main_option("script_location") or ""
        if not place.startswith("dagster:"):
            return read(config)
        if place not in kept:
            kept[place] = read(config)
        return kept[place]

    ScriptDirectory.from_config = from_config  # ty: ignore[invalid-assignment]
