"""The daemon of cron schedules: Dagster's, which before each of its looks asks for all usual starts at once.

Dagster's scheduler needs two calls of the code server and some ten commits for each start. See docs/decisions/0063.
"""

import time
from collections.abc import Generator, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any
from weakref import WeakKeyDictionary

import dagster as dg

from mystocks_dagster.dagster_internals import (
    LAUNCHED_LINE,
    SKIPPED_LINE,
    SchedulerDaemon,
    SpanMarker,
    get_current_timestamp,
)
from mystocks_dagster.factory.asking import Asked, ask
from mystocks_dagster.factory.due_starts import DueStarts, Start
from mystocks_dagster.factory.queue_hold import HOLD
from mystocks_dagster.factory.run_template import RunTemplate, prepare
from mystocks_dagster.history.one_commit import is_sqlite, keep_open
from mystocks_dagster.processes.bell import QUEUE_BELL, ring

#: Starts that are asked for together, between two heartbeats.
_AT_ONCE = 100
#: Time before a start from which its run's template is made.
_AHEAD = timedelta(minutes=10)
#: Seconds before the next minute at which templates are left for later.
_PAUSE = 5


class ScheduleDaemon(SchedulerDaemon):
    """Dagster's daemon, to which only the starts that are not usual are left."""

    def core_loop(self, workspace_process_context: Any, shutdown_event: Event) -> Generator[Any]:
        """Ask for the usual starts before each look, and make templates after it."""
        usual = UsualStarts(workspace_process_context, self._logger)
        with keep_open(workspace_process_context.instance):
            for mark in super().core_loop(workspace_process_context, shutdown_event):
                if mark is SpanMarker.START_SPAN:
                    yield from usual.ask(_now())
                yield mark
                if mark is SpanMarker.END_SPAN:
                    yield from usual.prepare(_now(), shutdown_event)


class UsualStarts:
    """Asks for the starts of our schedules in the usual case, by templates of their runs."""

    def __init__(self, workspace_process_context: Any, logger: Any) -> None:
        """Read nothing yet.

        Args:
            workspace_process_context: Dagster's instance and workspace.
            logger: That of the daemon.
        """
        self._context, self._logger = workspace_process_context, logger
        self._instance = workspace_process_context.instance
        # With Postgres, Dagster's own way is kept.
        self._applies = is_sqlite(self._instance)
        self._starts = DueStarts()
        self._templates: WeakKeyDictionary[Any, RunTemplate] = WeakKeyDictionary()

    def ask(self, now: datetime) -> Iterator[None]:
        """Ask for the starts that are due; yield now and then for the daemon's heartbeat."""
        if not self._applies:
            return
        due = self._starts.look(self._instance, self._context.create_request_context(), now)
        if not due:
            return
        with HOLD:
            try:
                yield from self._ask(due, now)
            except Exception:  # Dagster's scheduler asks for what is left, and reports what is wrong
                self._templates.clear()
                self._logger.warning("Dagster's scheduler asks for the starts that are left.", exc_info=True)
        ring(Path(self._instance.root_directory) / QUEUE_BELL)

    def _ask(self, due: Iterable[Start], now: datetime) -> Iterator[None]:
        ready = []
        for start in due:
            ready.append((start, self._template(start)))
            yield
        ready.sort(key=lambda one: -one[1].priority)
        for first in range(0, len(ready), _AT_ONCE):
            for asked in ask(self._instance, ready[first : first + _AT_ONCE], now):
                self._logger.info(_line(asked))
            yield

    def prepare(self, now: datetime, shutdown: Event) -> Iterator[None]:
        """Make the templates of runs that are due soon, until shortly before the next minute."""
        end = time.monotonic() + 60 - now.timestamp() % 60 - _PAUSE
        try:
            for seen in self._starts.due_before(now + _AHEAD):
                if seen.schedule in self._templates:
                    continue
                began = time.monotonic()
                if began > end or shutdown.is_set():
                    return
                self._template(seen)
                yield
                # Half of a core is left to others.
                shutdown.wait(time.monotonic() - began)
        except Exception:  # the code server may be gone: the start itself reports it
            self._logger.info("The runs that are due soon could not be prepared.", exc_info=True)

    def _template(self, start: Any) -> RunTemplate:
        schedule = start.schedule
        if schedule not in self._templates:
            self._templates[schedule] = prepare(self._instance, start.location, schedule)
        return self._templates[schedule]


def _line(asked: Asked) -> str:
    """Return the line that Dagster's scheduler writes of such a start."""
    schedule = asked.start.schedule
    if asked.run:
        return LAUNCHED_LINE.format(run=asked.run, remote_schedule=schedule)
    return SKIPPED_LINE.format(remote_schedule=schedule, schedule_execution_data=dg.SkipReason(asked.reason))


def _now() -> datetime:
    return datetime.fromtimestamp(get_current_timestamp(), UTC)
