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


def look(instance: dg.DagsterInstance, context: AlertContext) -> None:
    """Tell of what is late, and of late data that has come."""
    today, ledger = context.moment.astimezone(SHANGHAI).date(), context.ledger
    ledger.expected_since = {name: ledger.expected_since.get(name, context.moment) for name in map(_line, context.alerts.expect)}
    for expectation in context.alerts.expect:
        # The last day too: nobody may have looked between its time and midnight.
        for day in _last_sessions(today):
            due = datetime.combine(day, time.fromisoformat(expectation.by), SHANGHAI)
            wanted = day == today or ledger.expected_since[_line(expectation)] <= due
            key = f"late:{expectation.name}:{day.isoformat()}:{expectation.by}"
            # Asked once: what is told is in the ledger, and so is what was found to be there.
            if wanted and context.moment >= due and key not in ledger.recorded:
                _ask(instance, context, expectation, day, key)
    for incident in [name for name in context.ledger.incidents if name.startswith("late:")]:
        _ask_again(instance, context, incident)


def _line(expectation: Expectation) -> str:
    return f"{expectation.name}:{expectation.by}"


def _last_sessions(today: date) -> Iterator[date]:
    """Yield the last trading day before today, and today if it is one."""
    calendar = shanghai()
    before = (today - timedelta(days=number) for number in range(1, _FAR))
    yield from (day for day in (next(filter(lambda day: calendar.is_probable_session(day)[0], before), None),) if day)
    if calendar.is_probable_session(today)[0]:
        yield today


def _ask(instance: dg.DagsterInstance, context: AlertContext, expectation: Expectation, day: date, key: str) -> None:
    if _there(instance, context, expectation, day) or _holiday(instance, context, expectation, day):
        context.ledger.recorded[key] = context.moment
        return
    task = expectation.task or context.owners.get(expectation.name)
    past = day < context.moment.astimezone(SHANGHAI).date() and expectation.table and _by_day(expectation.table)
    command = texts.command(task, days=(day.isoformat(), day.isoformat()) if past else None) if task else None
    link = context.links.asset("/".join((*context.prefix, expectation.table))) if expectation.table else None
    context.report(
        texts.late(
            key,
            _title(context, expectation),
            day,
            expectation.by,
            owner=context.owner(dagster_name(task)) if task else None,
            time=context.moment,
            command=command,
            link=link,
        )
    )
    context.open_incident(key, context.moment, context.moment.isoformat())


def _ask_again(instance: dg.DagsterInstance, context: AlertContext, incident: str) -> None:
    _, name, day, _ = incident.split(":", 3)
    found = context.ledger.incidents[incident]
    expectation = next((one for one in context.alerts.expect if one.name == name), None)
    if expectation is None or context.moment - found.since > _PATIENCE:
        context.close_incident(incident)
        return
    if context.moment - datetime.fromisoformat(found.note) < _PAUSE:
        return
    found.note = context.moment.isoformat()
    if _there(instance, context, expectation, date.fromisoformat(day)):
        context.close_incident(incident)
        context.report(
            texts.arrived(f"arrived:{incident}", _title(context, expectation), date.fromisoformat(day), time=context.moment)
        )


def _there(instance: dg.DagsterInstance, context: AlertContext, expectation: Expectation, day: date) -> bool:
    if expectation.table:
        return _written(instance, context, expectation.table, day)
    task = expectation.task or ""
    for status in _statuses(instance, context, task, day):
        if status in SUCCESSES or (status == State.SKIPPED and _complete(instance, context, task, day)):
            return True
    return False


def _holiday(instance: dg.DagsterInstance, context: AlertContext, expectation: Expectation, day: date) -> bool:
    """Say whether a weekday beyond the calendar is taken for a holiday: the task ran on it and found no day to load."""
    if day <= shanghai().last:
        return False
    task = expectation.task or context.owners.get(expectation.name)
    return bool(task) and any(status in SUCCESSES | {State.SKIPPED} for status in _statuses(instance, context, task, day))


def _complete(instance: dg.DagsterInstance, context: AlertContext, task: str, day: date) -> bool:
    """Say whether a skipped task has nothing left to do.

    The day is in a table that it keeps by day, if it keeps one.
    """
    tables = [table for table, owner in context.owners.items() if owner == task and _by_day(table)]
    return not tables or any(_written(instance, context, table, day) for table in tables)


def _written(instance: dg.DagsterInstance, context: AlertContext, table: str, day: date) -> bool:
    """Say whether a table has the day's rows.

    Its partition, or anything written on that day where it has no partitions.
    """
    by_day = _by_day(table)
    wanted = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey([*context.prefix, table]),
        asset_partitions=[day.isoformat()] if by_day else None,
        after_timestamp=None if by_day else datetime.combine(day, time(), SHANGHAI).timestamp(),
    )
    return bool(instance.fetch_materializations(wanted, limit=1).records)


def _by_day(table: str) -> bool:
    from mystocks_dagster.market.tables import TABLES

    return TABLES[table].by_day


def _statuses(instance: dg.DagsterInstance, context: AlertContext, task: str, day: date) -> Iterator[str]:
    """Yield how a task ended in the runs that were created since the day began."""
    # Dagster's storage drops the offset of what it is asked for, and keeps its own times in UTC.
    since = datetime.combine(day, time(), SHANGHAI).astimezone(UTC)
    for job in _jobs(context, task):
        found = instance.get_run_records(dg.RunsFilter(job_name=job, created_after=since), limit=1_000)
        runs = reading.read(InstanceTables(instance), [record.dagster_run.run_id for record in found])
        yield from (
            one.status
            for _, executions in runs.values()
            for one in executions
            if one.task in (task, dagster_name(task))
        )


def _jobs(context: AlertContext, task: str) -> Iterator[str]:
    """Yield the jobs in which a task runs: its own, those of what depends on it, of groups, and that of all assets."""
    holders, before = {task}, 0
    while len(holders) > before:
        before = len(holders)
        for entry in context.entries.values():
            inner, name = (
                (entry.dependencies, entry.task_id) if isinstance(entry, Task) else (entry.tasks, entry.group_id)
            )
            if holders.intersection(inner):
                holders.add(name)
    yield from (*sorted(map(dagster_name, holders)), ASSET_JOB)


def _title(context: AlertContext, expectation: Expectation) -> str:
    if expectation.task:
        return context.name(dagster_name(expectation.task))
    from mystocks_dagster.market.tables import TABLES

    return f"{TABLES[expectation.name].title}（{expectation.name}）"
