"""When a daemon looked and when a switch was off.

Whether a start that is asked for late was missed, late, or not due at all.

A start was missed when no daemon looked at the time at which it was due. One that a slow daemon comes to late is late
and runs.
What was due while its switch was off was neither. This is the only place that says so (decision 24).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from mystocks_dagster.tags import Storage
from mystocks_dagster.taskfile.schedule import Schedule

#: A daemon of which nothing was noted for so long did not look: its machine slept, or it was stopped.
SILENCE = timedelta(seconds=150)
#: A daemon that looks again after such a silence has been awake for at most so long.
_AWAKE = timedelta(seconds=15)
#: The daemon sees a changed task file as late as this.
RELOAD = timedelta(seconds=60)
#: A look is noted at most so often.
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
class DaemonLooks:
    """What is known at one look of the daemon.

    Attributes:
        moment: When it looks.
        since: From when on a daemon has looked without a break.
        before: When it looked before; None when this look is the first since a daemon began.
        off: The jobs whose switch was off at that look.
        resumed: Job to the moment until which it was off, where it is on again.
        forms: Job to the form of its schedule, and when the schedule was first seen in this form.
    """

    moment: datetime
    since: datetime
    before: datetime | None = None
    off: frozenset[str] = frozenset()
    resumed: Mapping[str, datetime] = field(default_factory=dict)
    forms: Mapping[str, tuple[str, datetime]] = field(default_factory=dict)

    def off_until(self, job: str) -> datetime:
        """Return until when the switch of a job, which is on now, was off; `NEVER` when nobody saw it off.

        Who turned it, and how, does not matter. Where nobody looked when it was turned on again, it counts from the
        first look.
        """
        known = self.resumed.get(job, NEVER)
        return max(known, self.before or self.since, self.since) if job in self.off else known

    def first_seen(self, job: str, form: str, otherwise: datetime) -> datetime:
        """Return since when the schedule of a job has this form.

        Now when it had another, `otherwise` when nothing is noted.
        """
        if job not in self.forms:
            return otherwise
        noted, seen = self.forms[job]
        return seen if noted == form else self.moment


def form(schedule: Schedule) -> str:
    """Return a short text that changes with the times at which a schedule is due, and with nothing else."""
    return hashlib.sha256(schedule.model_dump_json(include=_TIMES).encode()).hexdigest()[:12]


def begin(instance: dg.DagsterInstance, moment: datetime) -> None:
    """Note that a daemon begins at that moment: until then none looked."""
    _write(instance, Storage.DAEMON_LOOKS, {"since": moment.isoformat(), "looked": None})


def read(instance: dg.DagsterInstance, moment: datetime) -> DaemonLooks:
    """Return what is known at a look of the daemon at that moment."""
    stored = {
        key: json.loads(text)
        for key, text in instance.daemon_cursor_storage.get_cursor_values(
            {Storage.DAEMON_LOOKS, Storage.SCHEDULES}
        ).items()
    }
    looks, schedules = stored.get(Storage.DAEMON_LOOKS, {}), stored.get(Storage.SCHEDULES, {})
    before = _time(looks.get("looked"))
    return DaemonLooks(
        moment=moment,
        since=_since(_time(looks.get("since")), before, moment),
        before=before,
        off=frozenset(schedules.get("off", ())),
        resumed={job: datetime.fromisoformat(text) for job, text in schedules.get("resumed", {}).items()},
        forms={job: (form, datetime.fromisoformat(seen)) for job, (form, seen) in schedules.get("forms", {}).items()},
    )


def look(
    instance: dg.DagsterInstance, moment: datetime, on: Mapping[str, bool], forms: Mapping[str, str] | None = None
) -> DaemonLooks:
    """Note a look of the daemon, and return what was known at it.

    Args:
        instance: Dagster's.
        moment: When the daemon looks.
        on: Job to whether its switch is on; jobs that are not in it are left as they were noted.
        forms: Job to the form of its schedule, of all jobs that have one.
    """
    looks = read(instance, moment)
    if looks.before is None or not timedelta() <= moment - looks.before < _PAUSE:
        _write(instance, Storage.DAEMON_LOOKS, {"since": looks.since.isoformat(), "looked": moment.isoformat()})
    schedules = _schedules(looks, on, forms)
    if schedules != _stored(looks.off, looks.resumed, looks.forms):
        _write(instance, Storage.SCHEDULES, schedules)
    return looks


def _since(since: datetime | None, before: datetime | None, moment: datetime) -> datetime:
    if since is None:
        return moment - _AWAKE
    if before is not None and moment - before > SILENCE:
        return moment - _AWAKE
    return min(since, moment)  # clocks are set back too


def _schedules(looks: DaemonLooks, on: Mapping[str, bool], forms: Mapping[str, str] | None) -> dict[str, Any]:
    off = (looks.off - on.keys()) | {job for job, is_on in on.items() if not is_on}
    resumed = {**looks.resumed, **{job: looks.off_until(job) for job in looks.off - off}}
    if forms is None:
        return _stored(off, resumed, looks.forms)
    # What is noted for the first time may be older than the note, as after an upgrade; later, a new form is new.
    new = looks.moment - RELOAD if looks.forms else NEVER
    noted = {
        job: looks.forms[job] if job in looks.forms and looks.forms[job][0] == form else (form, new)
        for job, form in sorted(forms.items())
    }
    return _stored(off & forms.keys(), {job: moment for job, moment in resumed.items() if job in forms}, noted)


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
