"""Times at which a daemon was active and switches were off. They decide whether a late start is missed or late.

A start is missed if no daemon was active at its due time. A start that a slow daemon evaluates late is late, and runs.
A start that was due while its switch was off is neither. Only this module decides that (decision 24).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import dagster as dg

from mystocks_dagster.tags import Storage
from mystocks_dagster.taskfile.schedule import Schedule

#: After this time without a record the daemon was not active: it was stopped, or its machine slept.
SILENCE = timedelta(seconds=150)
#: After such a silence, the daemon has been active again for at most this time.
_AWAKE = timedelta(seconds=15)
#: Longest time until the daemon loads a changed task file.
RELOAD = timedelta(seconds=60)
#: Least time between two records.
_PAUSE = timedelta(seconds=2)
_TIMES = {
    "schedule_type",
    "cron_expression",
    "interval_seconds",
    "timezone",
    "start_time",
    "end_time",
    "trading_days_only",
}
NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, kw_only=True)
class DaemonActivity:
    """The daemon's activity and the switches at one evaluation.

    Attributes:
        moment: Time of the evaluation.
        since: Start of the daemon's uninterrupted activity.
        before: Time of the evaluation before; None at the first one of a daemon.
        off: Jobs whose switch was off at the evaluation before.
        resumed: Jobs that are on again, with the time until which each was off.
        forms: Jobs with the form of their schedule and the time at which it was first seen.
    """

    moment: datetime
    since: datetime
    before: datetime | None = None
    off: frozenset[str] = frozenset()
    resumed: Mapping[str, datetime] = field(default_factory=dict)
    forms: Mapping[str, tuple[str, datetime]] = field(default_factory=dict)

    def off_until(self, job: str) -> datetime:
        """Return until when the switch of a job, which is on now, was off; `NEVER` if no record has it off.

        If no daemon was active when it was turned on again, the first evaluation counts.
        """
        known = self.resumed.get(job, NEVER)
        return max(known, self.before or self.since, self.since) if job in self.off else known

    def first_seen(self, job: str, form: str, otherwise: datetime) -> datetime:
        """Return since when a job's schedule has this form: now if it had another, `otherwise` without a record."""
        if job not in self.forms:
            return otherwise
        known, seen = self.forms[job]
        return seen if known == form else self.moment


def form(schedule: Schedule) -> str:
    """Return a hash of the fields of a schedule that determine its due times."""
    return hashlib.sha256(schedule.model_dump_json(include=_TIMES).encode()).hexdigest()[:12]


def begin(instance: dg.DagsterInstance, moment: datetime) -> None:
    """Record the start of a daemon: none was active until then."""
    _write(instance, Storage.DAEMON_ACTIVITY, {"since": moment.isoformat(), "looked": None})


def read(instance: dg.DagsterInstance, moment: datetime) -> DaemonActivity:
    """Return the recorded activity for an evaluation at `moment`."""
    texts = instance.daemon_cursor_storage.get_cursor_values({Storage.DAEMON_ACTIVITY, Storage.SCHEDULES})
    activity = json.loads(texts.get(Storage.DAEMON_ACTIVITY, "{}"))
    off, resumed, forms = _parsed(texts.get(Storage.SCHEDULES, "{}"))
    before = _time(activity.get("looked"))
    return DaemonActivity(
        moment=moment,
        since=_since(_time(activity.get("since")), before, moment),
        before=before,
        off=off,
        resumed=resumed,
        forms=forms,
    )


@lru_cache(maxsize=2)
def _parsed(
    text: str,
) -> tuple[frozenset[str], Mapping[str, datetime], Mapping[str, tuple[str, datetime]]]:
    """Return what a record says of the schedules: a thousand evaluations of a minute read the same one."""
    schedules = json.loads(text)
    return (
        frozenset(schedules.get("off", ())),
        {job: datetime.fromisoformat(moment) for job, moment in schedules.get("resumed", {}).items()},
        {job: (form, datetime.fromisoformat(seen)) for job, (form, seen) in schedules.get("forms", {}).items()},
    )


def record(
    instance: dg.DagsterInstance, moment: datetime, on: Mapping[str, bool], forms: Mapping[str, str] | None = None
) -> DaemonActivity:
    """Record an evaluation of the daemon, and return the activity recorded before.

    Args:
        instance: Dagster's instance.
        moment: Time of the evaluation.
        on: Whether the switch of each job is on; jobs that are not in it keep their record.
        forms: Forms of the schedules of all jobs.
    """
    activity = read(instance, moment)
    if activity.before is None or not timedelta() <= moment - activity.before < _PAUSE:
        _write(instance, Storage.DAEMON_ACTIVITY, {"since": activity.since.isoformat(), "looked": moment.isoformat()})
    schedules = _schedules(activity, on, forms)
    if schedules != _stored(activity.off, activity.resumed, activity.forms):
        _write(instance, Storage.SCHEDULES, schedules)
    return activity


def _since(since: datetime | None, before: datetime | None, moment: datetime) -> datetime:
    if since is None:
        return moment - _AWAKE
    if before is not None and moment - before > SILENCE:
        return moment - _AWAKE
    return min(since, moment)  # a clock may be set back


def _schedules(activity: DaemonActivity, on: Mapping[str, bool], forms: Mapping[str, str] | None) -> dict[str, Any]:
    off = (activity.off - on.keys()) | {job for job, is_on in on.items() if not is_on}
    resumed = {**activity.resumed, **{job: activity.off_until(job) for job in activity.off - off}}
    if forms is None:
        return _stored(off, resumed, activity.forms)
    # The first record may be later than the schedule, as after an upgrade; with a record, a new form is new.
    new = activity.moment - RELOAD if activity.forms else NEVER
    seen_forms = {
        job: activity.forms[job] if job in activity.forms and activity.forms[job][0] == form else (form, new)
        for job, form in sorted(forms.items())
    }
    return _stored(off & forms.keys(), {job: moment for job, moment in resumed.items() if job in forms}, seen_forms)


def _stored(off: Any, resumed: Mapping[str, datetime], forms: Mapping[str, tuple[str, datetime]]) -> dict[str, Any]:
    return {
        "off": sorted(off),
        "resumed": {job: moment.isoformat() for job, moment in resumed.items()},
        "forms": {job: [form, seen.isoformat()] for job, (form, seen) in forms.items()},
    }


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _write(instance: dg.DagsterInstance, key: str, value: Any) -> None:
    instance.daemon_cursor_storage.set_cursor_values(
        {key: json.dumps(value, separators=(",", ":"), ensure_ascii=False)}
    )
