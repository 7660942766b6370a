"""Keeps the checks current that turn red without a run of their table's task.

A day becomes late as time passes, and a computed table becomes older than its inputs. A table is evaluated when another
day becomes its newest published one, after a load, and when its inputs have been written.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path

from mystocks_dagster.factory.background_checks import BackgroundChecks
from mystocks_dagster.factory.checks import table_outcomes
from mystocks_dagster.factory.loaded_file import LoadedFile
from mystocks_dagster.factory.system import CheckOutcome
from mystocks_dagster.lake.coverage import is_dataset
from mystocks_dagster.lake.location import local_path
from mystocks_dagster.market.checks import INPUTS_UNCHANGED, NEWEST_DAY
from mystocks_dagster.market.publication import Publication
from mystocks_dagster.market.table import Table
from mystocks_dagster.market.tables import TABLES

#: A computed table may be older than its inputs for so long, in which the task that computes it runs after the load.
GRACE = timedelta(minutes=15)


@dataclass
class _Logs:
    """The states of the logs of a computed table and its inputs, and when they are to be compared; None: they were."""

    times: Sequence[int]
    due: datetime | None


class FreshnessWatch:
    """Evaluates the checks `newest_day` and `inputs_unchanged` of one file's tables that a schedule keeps up to date.

    A sensor must not wait for a lake that does not answer. So a lake at a URL is evaluated in a thread, and the outcome
    comes with a later call.
    """

    def __init__(self, file: LoadedFile) -> None:
        self._file = file
        self._seen: dict[str, tuple[date, int]] = {}
        self._written: dict[str, _Logs] = {}
        self._background = BackgroundChecks(self._outcomes)

    def due(self, moment: datetime) -> Iterator[CheckOutcome]:
        """Yield the outcomes of the tables for which something has changed since the last call.

        One is noted after its outcome was taken: what could not be stored comes again.
        """
        if self._path is None:
            yield from self._background.due(moment, self._newest(moment), self._all_checks)
            return
        for table in self._loaded_or_late(moment):
            yield from self._outcomes({table: NEWEST_DAY.name})
        for table in self._settled(moment):
            yield from self._outcomes({table: INPUTS_UNCHANGED.name})

    def _loaded_or_late(self, moment: datetime) -> Iterator[str]:
        """Yield the tables by trading day of which another day is the newest published one, or that were loaded."""
        loads = self._log_time("loaded_days")
        for table, day in self._newest(moment).items():
            if self._seen.get(table) != (day, loads):
                yield table
                self._seen[table] = (day, loads)

    def _settled(self, moment: datetime) -> Iterator[str]:
        """Yield the computed tables of which a log has changed and nothing has been written since for `GRACE`.

        The task that computes them runs after a load, so until then they are older as a rule.
        """
        for name, table in self._computed.items():
            times = [self._log_time(each) for each in (name, *table.computed_from)]
            logs = self._written.setdefault(name, _Logs(times, moment))
            if logs.times != times:
                logs.times, logs.due = times, moment + GRACE
            if logs.due and moment >= logs.due:
                yield name
                logs.due = None

    def _outcomes(self, checks: Mapping[str, str]) -> Iterator[CheckOutcome]:
        for table, check in checks.items():
            yield from table_outcomes(TABLES[table], self._file, [check])

    def _newest(self, moment: datetime) -> dict[str, date]:
        return {table: publication.newest(moment) for table, publication in self._by_day.items()}

    @cached_property
    def _all_checks(self) -> Mapping[str, str]:
        computed = dict.fromkeys(self._computed, INPUTS_UNCHANGED.name)
        return {**dict.fromkeys(self._by_day, NEWEST_DAY.name), **computed}

    @cached_property
    def _scheduled(self) -> dict[str, Table]:
        """Tables whose owner has a schedule, of its own or of a group."""
        version = self._file.version
        groups = [group for group in version.taskfile.task_groups if group.schedule and group.active]
        scheduled = {task.task_id for task in version.taskfile.tasks if task.schedule and task.active}
        scheduled |= {name for group in groups for name in group.tasks}
        return {name: TABLES[name] for name, owner in version.owners.items() if owner in scheduled and name in TABLES}

    @cached_property
    def _by_day(self) -> dict[str, Publication]:
        """Those by trading day, with their publication."""
        published = self._file.version.published
        days = {name: table for name, table in self._scheduled.items() if is_dataset(table)}
        return {name: published.get(name, table.available_after) for name, table in days.items()}

    @cached_property
    def _computed(self) -> dict[str, Table]:
        return {name: table for name, table in self._scheduled.items() if table.computed_from}

    @cached_property
    def _path(self) -> Path | None:
        local = local_path(self._file.settings().lake)
        return Path(local) if local else None

    def _log_time(self, table: str) -> int:
        """Return a number that changes with each commit."""
        try:
            return Path(self._path or "", table, "_delta_log").stat().st_mtime_ns
        except OSError:
            return 0
