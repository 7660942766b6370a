"""Cron starts that are due now in the usual case, which the daemon evaluates itself.

The usual case: the schedule is ours, has been on since before the start was due, its last tick has ended, and it is the
only start that is due. Everything else, such as missed, late and interrupted starts, is left to Dagster and the code
server.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import dagster as dg

from mystocks_dagster.dagster_internals import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    TickStatus,
)
from mystocks_dagster.dagster_internals import schedule_execution_time_iterator as cron_times
from mystocks_dagster.factory.scheduled import ScheduledJob
from mystocks_dagster.history.dagster_storage import schedule_storage
from mystocks_dagster.history.one_commit import one_commit
from mystocks_dagster.scheduling.downtime import NEVER, DaemonActivity
from mystocks_dagster.tags import Metadata

#: Time after which the schedules are read again though none is due: some may have been switched on.
_UNREAD = timedelta(minutes=10)
#: New schedules that are stored together, while other writers wait.
_AT_ONCE = 100
_ENDED = (TickStatus.SUCCESS, TickStatus.SKIPPED)

#: For each schedule of a loaded code location, its job; None if it is not ours.
_jobs: WeakKeyDictionary[Any, ScheduledJob | None] = WeakKeyDictionary()


@dataclass(frozen=True, kw_only=True)
class Start:
    """A start of a schedule.

    Attributes:
        location: Dagster's code location.
        schedule: Dagster's RemoteSchedule.
        scheduled: Its job, as the code location describes it.
        state: Its stored state.
        origin: Dagster's id of the schedule, a hash.
        selector: Another such id.
        moment: Due time in the schedule's time zone.
    """

    location: Any
    schedule: Any
    scheduled: ScheduledJob
    state: InstigatorState
    origin: str
    selector: str
    moment: datetime


class Seen(NamedTuple):
    """A schedule that is on.

    Attributes:
        location: Dagster's code location.
        schedule: Dagster's RemoteSchedule.
        form: Its cron expression and time zone.
        due: Its next start.
    """

    location: Any
    schedule: Any
    form: tuple[Any, str]
    due: datetime


class DueStarts:
    """The schedules that are on, from one look of the daemon to the next."""

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}
        self._locations: list[Any] = []
        self._until = NEVER

    def look(self, instance: dg.DagsterInstance, workspace: Any, now: datetime) -> list[Start]:
        """Return the last start of each schedule that was on at the last look and has come due since.

        New schedules get a state. While none is due and the code is the same, nothing is read for some minutes.

        Args:
            instance: Dagster's instance.
            workspace: Dagster's context of the workspace at this moment.
            now: The present moment.
        """
        locations = [entry.code_location for entry in workspace.get_code_location_entries().values()]
        if now < self._until and locations == self._locations:
            return []
        states = {
            state.selector_id: state for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
        }
        before, self._seen, starts, new = self._seen, {}, [], []
        for location, schedule, scheduled in _own_schedules(locations):
            selector = schedule.selector_id
            state = states.get(selector)
            if not schedule.get_current_instigator_state(state).is_running:
                continue
            if state is None:
                new.append(schedule)
            form, known = (schedule.cron_schedule, schedule.execution_timezone), before.get(selector)
            is_known = known is not None and known.form == form
            due = known.due if is_known and now < known.due else _next(form, now)
            self._seen[selector] = Seen(location, schedule, form, due)
            if known and is_known and state and known.due <= now:
                starts.append(
                    Start(
                        location=location,
                        schedule=schedule,
                        scheduled=scheduled,
                        state=state,
                        origin=state.instigator_origin_id,
                        selector=selector,
                        moment=_last_two(form, now)[0],
                    )
                )
        for first in range(0, len(new), _AT_ONCE):
            _record(instance, new[first : first + _AT_ONCE], now)
        self._locations = locations
        self._until = min((now + _UNREAD, *(seen.due for seen in self._seen.values())))
        return starts

    def due_before(self, moment: datetime) -> list[Seen]:
        """Return the schedules with a start before that time, the next one first, as of the last look."""
        return sorted((seen for seen in self._seen.values() if seen.due < moment), key=lambda seen: seen.due)


def is_usual(instance: dg.DagsterInstance, start: Start, activity: DaemonActivity, now: datetime) -> bool:
    """Return whether a start is due, is the only one of its schedule, and was neither missed nor switched off."""
    ticks = instance.get_ticks(start.origin, start.selector, limit=1)
    if ticks and ticks[0].status not in _ENDED:
        return False
    data: Any = start.state.instigator_data
    # As Dagster's scheduler counts.
    since = max(data.start_timestamp or 0, data.last_iteration_timestamp or 0, ticks[0].timestamp + 1 if ticks else 0)
    form = (start.schedule.cron_schedule, start.schedule.execution_timezone)
    due = [time for time in _last_two(form, now) if time.timestamp() >= since]
    off_until = activity.off_until(start.scheduled.job)
    return due == [start.moment] and off_until < start.moment and activity.since <= start.moment


def _record(instance: dg.DagsterInstance, schedules: Iterable[Any], now: datetime) -> None:
    """Store the states of new schedules, as Dagster's scheduler does with two commits for each."""
    with one_commit(schedule_storage(instance)):
        for schedule in schedules:
            data = ScheduleInstigatorData(schedule.cron_schedule, now.timestamp(), now.timestamp())
            origin = schedule.get_remote_origin()
            instance.add_instigator_state(
                InstigatorState(origin, InstigatorType.SCHEDULE, InstigatorStatus.DECLARED_IN_CODE, data)
            )


def _own_schedules(locations: Iterable[Any]) -> Iterator[tuple[Any, Any, ScheduledJob]]:
    """Yield the schedules of our code locations, each with its location and its job."""
    for location in filter(None, locations):
        for repository in location.get_repositories().values():
            for schedule in repository.get_schedules():
                if scheduled := _job(schedule):
                    yield location, schedule, scheduled


def _job(schedule: Any) -> ScheduledJob | None:
    if schedule not in _jobs:
        data = schedule.metadata.get(Metadata.EVALUATION)
        _jobs[schedule] = ScheduledJob.from_json(getattr(data, "value", None))
    return _jobs[schedule]


@lru_cache
def _next(form: tuple[Any, str], now: datetime) -> datetime:
    """Return the first due time after now."""
    times = cron_times(now.timestamp(), *form, ascending=True)
    return next(time for time in times if time > now)


@lru_cache
def _last_two(form: tuple[Any, str], now: datetime) -> tuple[datetime, datetime]:
    """Return the last two due times until now, the last one first."""
    times = cron_times(now.timestamp(), *form, ascending=False)
    return next(times), next(times)
