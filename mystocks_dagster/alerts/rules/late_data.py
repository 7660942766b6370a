"""What is told of data: a trading day's rows or a task's success that are not there by their time."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import dagster as dg

from mystocks_dagster.alerts import texts
from mystocks_dagster.alerts.context import AlertContext
from mystocks_dagster.dagster_tables import InstanceTables
from mystocks_dagster.history import reading
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.tags import ASSET_JOB, SUCCESSES, State
from mystocks_dagster.taskfile.alerts import Expectation
from mystocks_dagster.taskfile.model import Task
from mystocks_dagster.taskfile.names import dagster_name

#: Late data is looked for so often, and for so long.
_PAUSE = timedelta(minutes=1)
_PATIENCE = timedelta(days=5)
#: The longest closure has eleven days.
_FAR = 20


def look(instance: dg.DagsterInstance, desk: AlertContext) -> None:
    """Tell of what is late, and of late data that has come."""
    today, ledger = desk.moment.astimezone(SHANGHAI).date(), desk.ledger
    ledger.expected = {name: ledger.expected.get(name, desk.moment) for name in map(_line, desk.alerts.expect)}
    for expectation in desk.alerts.expect:
        # The last day too: nobody may have looked between its time and midnight.
        for day in _last_sessions(today):
            due = datetime.combine(day, time.fromisoformat(expectation.by), SHANGHAI)
            wanted = day == today or ledger.expected[_line(expectation)] <= due
            key = f"late:{expectation.name}:{day.isoformat()}:{expectation.by}"
            # Asked once: what is told is in the ledger, and so is what was found to be there.
            if wanted and desk.moment >= due and key not in ledger.told:
                _ask(instance, desk, expectation, day, key)
    for incident in [name for name in desk.ledger.open if name.startswith("late:")]:
        _ask_again(instance, desk, incident)


def _line(expectation: Expectation) -> str:
    return f"{expectation.name}:{expectation.by}"


def _last_sessions(today: date) -> Iterator[date]:
    """Yield the last trading day before today, and today if it is one."""
    calendar = shanghai()
    before = (today - timedelta(days=number) for number in range(1, _FAR))
    yield from (day for day in (next(filter(lambda day: calendar.is_probable_session(day)[0], before), None),) if day)
    if calendar.is_probable_session(today)[0]:
        yield today


def _ask(instance: dg.DagsterInstance, desk: AlertContext, expectation: Expectation, day: date, key: str) -> None:
    if _there(instance, desk, expectation, day) or _holiday(instance, desk, expectation, day):
        desk.ledger.told[key] = desk.moment
        return
    task = expectation.task or desk.owners.get(expectation.name)
    past = day < desk.moment.astimezone(SHANGHAI).date() and expectation.table and _by_day(expectation.table)
    command = texts.command(task, days=(day.isoformat(), day.isoformat()) if past else None) if task else None
    link = desk.links.asset("/".join((*desk.prefix, expectation.table))) if expectation.table else None
    desk.say(
        texts.late(
            key,
            _title(desk, expectation),
            day,
            expectation.by,
            owner=desk.owner(dagster_name(task)) if task else None,
            time=desk.moment,
            command=command,
            link=link,
        )
    )
    desk.wrong(key, desk.moment, desk.moment.isoformat())


def _ask_again(instance: dg.DagsterInstance, desk: AlertContext, incident: str) -> None:
    _, name, day, _ = incident.split(":", 3)
    found = desk.ledger.open[incident]
    expectation = next((one for one in desk.alerts.expect if one.name == name), None)
    if expectation is None or desk.moment - found.since > _PATIENCE:
        desk.right(incident)
        return
    if desk.moment - datetime.fromisoformat(found.note) < _PAUSE:
        return
    found.note = desk.moment.isoformat()
    if _there(instance, desk, expectation, date.fromisoformat(day)):
        desk.right(incident)
        desk.say(
            texts.arrived(f"arrived:{incident}", _title(desk, expectation), date.fromisoformat(day), time=desk.moment)
        )


def _there(instance: dg.DagsterInstance, desk: AlertContext, expectation: Expectation, day: date) -> bool:
    if expectation.table:
        return _written(instance, desk, expectation.table, day)
    task = expectation.task or ""
    for status in _statuses(instance, desk, task, day):
        if status in SUCCESSES or (status == State.SKIPPED and _complete(instance, desk, task, day)):
            return True
    return False


def _holiday(instance: dg.DagsterInstance, desk: AlertContext, expectation: Expectation, day: date) -> bool:
    """Say whether a weekday beyond the calendar is taken for a holiday: the task ran on it and found no day to load."""
    if day <= shanghai().last:
        return False
    task = expectation.task or desk.owners.get(expectation.name)
    return bool(task) and any(status in SUCCESSES | {State.SKIPPED} for status in _statuses(instance, desk, task, day))


def _complete(instance: dg.DagsterInstance, desk: AlertContext, task: str, day: date) -> bool:
    """Say whether a skipped task has nothing left to do.

    The day is in a table that it keeps by day, if it keeps one.
    """
    tables = [table for table, owner in desk.owners.items() if owner == task and _by_day(table)]
    return not tables or any(_written(instance, desk, table, day) for table in tables)


def _written(instance: dg.DagsterInstance, desk: AlertContext, table: str, day: date) -> bool:
    """Say whether a table has the day's rows.

    Its partition, or anything written on that day where it has no partitions.
    """
    by_day = _by_day(table)
    wanted = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey([*desk.prefix, table]),
        asset_partitions=[day.isoformat()] if by_day else None,
        after_timestamp=None if by_day else datetime.combine(day, time(), SHANGHAI).timestamp(),
    )
    return bool(instance.fetch_materializations(wanted, limit=1).records)


def _by_day(table: str) -> bool:
    from mystocks_dagster.market.tables import TABLES

    return TABLES[table].by_day


def _statuses(instance: dg.DagsterInstance, desk: AlertContext, task: str, day: date) -> Iterator[str]:
    """Yield how a task ended in the runs that were created since the day began."""
    # Dagster's storage drops the offset of what it is asked for, and keeps its own times in UTC.
    since = datetime.combine(day, time(), SHANGHAI).astimezone(UTC)
    for job in _jobs(desk, task):
        found = instance.get_run_records(dg.RunsFilter(job_name=job, created_after=since), limit=1_000)
        runs = reading.read(InstanceTables(instance), [record.dagster_run.run_id for record in found])
        yield from (
            one.status
            for _, executions in runs.values()
            for one in executions
            if one.task in (task, dagster_name(task))
        )


def _jobs(desk: AlertContext, task: str) -> Iterator[str]:
    """Yield the jobs in which a task runs: its own, those of what depends on it, of groups, and that of all assets."""
    holders, before = {task}, 0
    while len(holders) > before:
        before = len(holders)
        for entry in desk.entries.values():
            inner, name = (
                (entry.dependencies, entry.task_id) if isinstance(entry, Task) else (entry.tasks, entry.group_id)
            )
            if holders.intersection(inner):
                holders.add(name)
    yield from (*sorted(map(dagster_name, holders)), ASSET_JOB)


def _title(desk: AlertContext, expectation: Expectation) -> str:
    if expectation.task:
        return desk.name(dagster_name(expectation.task))
    from mystocks_dagster.market.tables import TABLES

    return f"{TABLES[expectation.name].title}（{expectation.name}）"
