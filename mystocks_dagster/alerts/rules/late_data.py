"""Rule: a trading day's rows, or a task's success, that are missing at their time are reported, and their arrival."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import dagster as dg

from mystocks_dagster.alerts import texts
from mystocks_dagster.alerts.context import AlertContext
from mystocks_dagster.dagster_tables import InstanceTables
from mystocks_dagster.history import reading
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.market.publication import Publication
from mystocks_dagster.tags import ASSET_JOB, SUCCESSES, State
from mystocks_dagster.taskfile.alerts import Expectation
from mystocks_dagster.taskfile.model import Task
from mystocks_dagster.taskfile.names import dagster_name

#: Late data is checked for at this interval, and for this long.
_PAUSE = timedelta(minutes=1)
_GIVE_UP_AFTER = timedelta(days=5)
#: Days to look back for a trading day; the longest closure has eleven days.
_MAX_DAYS_BACK = 20


def evaluate(instance: dg.DagsterInstance, context: AlertContext) -> None:
    """Report late data, and late data that has arrived."""
    today, ledger = context.moment.astimezone(SHANGHAI).date(), context.ledger
    keys = [_key(expectation) for expectation in context.alerts.expect]
    ledger.expected_since = {key: ledger.expected_since.get(key, context.moment) for key in keys}
    for expectation in context.alerts.expect:
        # The last session too: perhaps no evaluation ran between its time and midnight.
        for day in _last_sessions(today):
            due = _due(context, expectation, day)
            expected = day == today or ledger.expected_since[_key(expectation)] <= due
            key = f"late:{expectation.name}:{day.isoformat()}:{expectation.by}"
            # One check for each day: its key is recorded for late data and for data in time.
            if expected and context.moment >= due and key not in ledger.recorded:
                _check(instance, context, expectation, day, key)
    for incident in [name for name in ledger.incidents if name.startswith("late:")]:
        _check_again(instance, context, incident)


def _due(context: AlertContext, expectation: Expectation, day: date) -> datetime:
    """Return when a day's data are late: at the stated time, but not before their source publishes them."""
    by = datetime.combine(day, time.fromisoformat(expectation.by), SHANGHAI)
    return max([by, *(publication.moment(day) for publication in _publications(context, expectation))])


def _publications(context: AlertContext, expectation: Expectation) -> Iterator[Publication]:
    """Yield when the expected tables are published, as far as the file states it: `by` is later than other defaults."""
    for table, owner in context.owners.items():
        if table in context.published and (table == expectation.table or owner == expectation.task):
            yield context.published[table]


def _key(expectation: Expectation) -> str:
    return f"{expectation.name}:{expectation.by}"


def _last_sessions(today: date) -> Iterator[date]:
    """Yield the last trading day before today, and today if it is one."""
    calendar = shanghai()
    for number in range(1, _MAX_DAYS_BACK):
        day = today - timedelta(days=number)
        if calendar.is_probable_session(day)[0]:
            yield day
            break
    if calendar.is_probable_session(today)[0]:
        yield today


def _check(instance: dg.DagsterInstance, context: AlertContext, expectation: Expectation, day: date, key: str) -> None:
    if _arrived(instance, context, expectation, day) or _holiday(instance, context, expectation, day):
        context.ledger.recorded[key] = context.moment
        return
    task = expectation.task or context.owners.get(expectation.name)
    past_day = day < context.moment.astimezone(SHANGHAI).date() and expectation.table and _by_day(expectation.table)
    command = texts.command(task, days=(day.isoformat(), day.isoformat()) if past_day else None) if task else None
    link = context.links.asset("/".join((*context.prefix, expectation.table))) if expectation.table else None
    context.report(
        texts.late(
            key,
            _title(context, expectation),
            day,
            f"{_due(context, expectation, day):%H:%M}",
            owner=context.owner(dagster_name(task)) if task else None,
            time=context.moment,
            command=command,
            link=link,
        )
    )
    context.open_incident(key, context.moment, context.moment.isoformat())


def _check_again(instance: dg.DagsterInstance, context: AlertContext, incident: str) -> None:
    _, name, day, _ = incident.split(":", 3)
    open_incident = context.ledger.incidents[incident]
    expectation = next((expectation for expectation in context.alerts.expect if expectation.name == name), None)
    if expectation is None or context.moment - open_incident.since > _GIVE_UP_AFTER:
        context.close_incident(incident)
        return
    if context.moment - datetime.fromisoformat(open_incident.note) < _PAUSE:
        return
    open_incident.note = context.moment.isoformat()
    if _arrived(instance, context, expectation, date.fromisoformat(day)):
        context.close_incident(incident)
        title = _title(context, expectation)
        context.report(texts.arrived(f"arrived:{incident}", title, date.fromisoformat(day), time=context.moment))


def _arrived(instance: dg.DagsterInstance, context: AlertContext, expectation: Expectation, day: date) -> bool:
    if expectation.table:
        return _written(instance, context, expectation.table, day)
    task = expectation.task or ""
    for status in _statuses(instance, context, task, day):
        if status in SUCCESSES or (status == State.SKIPPED and _complete(instance, context, task, day)):
            return True
    return False


def _holiday(instance: dg.DagsterInstance, context: AlertContext, expectation: Expectation, day: date) -> bool:
    """Whether a weekday beyond the calendar counts as a holiday: the task ran on it and had no day to load."""
    if day <= shanghai().last:
        return False
    task = expectation.task or context.owners.get(expectation.name)
    if not task:
        return False
    return not (SUCCESSES | {State.SKIPPED}).isdisjoint(_statuses(instance, context, task, day))


def _complete(instance: dg.DagsterInstance, context: AlertContext, task: str, day: date) -> bool:
    """Whether a skipped task has nothing left to load.

    The day is in one of its tables with daily partitions, if it has any.
    """
    tables = [table for table, owner in context.owners.items() if owner == task and _by_day(table)]
    return not tables or any(_written(instance, context, table, day) for table in tables)


def _written(instance: dg.DagsterInstance, context: AlertContext, table: str, day: date) -> bool:
    """Whether a table has the day's rows: its partition, or any write on that day to a table without partitions."""
    by_day = _by_day(table)
    records_filter = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey([*context.prefix, table]),
        asset_partitions=[day.isoformat()] if by_day else None,
        after_timestamp=None if by_day else datetime.combine(day, time(), SHANGHAI).timestamp(),
    )
    return bool(instance.fetch_materializations(records_filter, limit=1).records)


def _by_day(table: str) -> bool:
    from mystocks_dagster.market.tables import TABLES

    return TABLES[table].by_day


def _statuses(instance: dg.DagsterInstance, context: AlertContext, task: str, day: date) -> Iterator[str]:
    """Yield the statuses of a task in the runs that were created since the day began."""
    # Dagster's storage ignores the offset of this filter and compares with UTC.
    since = datetime.combine(day, time(), SHANGHAI).astimezone(UTC)
    for job in _jobs(context, task):
        records = instance.get_run_records(dg.RunsFilter(job_name=job, created_after=since), limit=1_000)
        runs = reading.read(InstanceTables(instance), [record.dagster_run.run_id for record in records])
        for _, executions in runs.values():
            yield from (execution.status for execution in executions if execution.task in (task, dagster_name(task)))


def _jobs(context: AlertContext, task: str) -> Iterator[str]:
    """Yield the jobs in which a task runs: its own, those of dependent tasks and of groups, and that of all assets."""
    holders, before = {task}, 0
    while len(holders) > before:
        before = len(holders)
        for entry in context.entries.values():
            members = entry.dependencies if isinstance(entry, Task) else entry.tasks
            if holders.intersection(members):
                holders.add(entry.task_id if isinstance(entry, Task) else entry.group_id)
    yield from (*sorted(map(dagster_name, holders)), ASSET_JOB)


def _title(context: AlertContext, expectation: Expectation) -> str:
    if expectation.task:
        return context.name(dagster_name(expectation.task))
    from mystocks_dagster.market.tables import TABLES

    return f"{TABLES[expectation.name].title}（{expectation.name}）"
