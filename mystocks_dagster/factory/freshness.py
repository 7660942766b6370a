"""Keeps the check `newest_day` of tables current that no run touches: a day becomes late as time passes.

The check goes by trading day. A table is evaluated when another day becomes its newest published one, and after a load.
"""

from collections.abc import Iterator
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

from mystocks_dagster.factory.checks import table_outcomes
from mystocks_dagster.factory.loaded_file import LoadedFile
from mystocks_dagster.factory.system import CheckOutcome
from mystocks_dagster.lake.coverage import is_dataset
from mystocks_dagster.lake.location import local_path
from mystocks_dagster.market.checks import NEWEST_DAY
from mystocks_dagster.market.publication import Publication
from mystocks_dagster.market.tables import TABLES


class FreshnessWatch:
    """Evaluates the check `newest_day` of one file's tables that a schedule keeps up to date.

    A remote lake is not watched: a sensor must not wait for one that does not answer. Its check runs after each load.
    """

    def __init__(self, file: LoadedFile) -> None:
        self._file = file
        self._seen: dict[str, tuple[date, int]] = {}

    def due(self, moment: datetime) -> Iterator[CheckOutcome]:
        """Yield the outcomes of the tables for which something has changed since the last call."""
        if self._path is None:
            return
        loads = self._loads()
        for table, publication in self._tables.items():
            state = (publication.newest(moment), loads)
            if self._seen.get(table) != state:
                yield from table_outcomes(TABLES[table], self._file, [NEWEST_DAY.name])
                self._seen[table] = state

    @cached_property
    def _tables(self) -> dict[str, Publication]:
        """Tables by trading day whose owner has a schedule, of its own or of a group, with their publication."""
        version = self._file.version
        groups = [group for group in version.taskfile.task_groups if group.schedule and group.active]
        scheduled = {task.task_id for task in version.taskfile.tasks if task.schedule and task.active}
        scheduled |= {name for group in groups for name in group.tasks}
        owned = (
            (name, TABLES[name]) for name, owner in version.owners.items() if owner in scheduled and name in TABLES
        )
        published = version.published
        return {name: published.get(name, table.available_after) for name, table in owned if is_dataset(table)}

    @cached_property
    def _path(self) -> Path | None:
        local = local_path(self._file.settings().lake)
        return Path(local) if local else None

    def _loads(self) -> int:
        """Return a number that changes with each load."""
        try:
            return Path(self._path or "", "loaded_days", "_delta_log").stat().st_mtime_ns
        except OSError:
            return 0
