"""What is told of data: a trading day's rows or a task's success that are not there by their time."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import dagster as dg

from mystocks_dagster import history
from mystocks_dagster.alerts import texts
from mystocks_dagster.alerts.desk import Desk
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.taskfile.alerts import Expectation
from mystocks_dagster.taskfile.model import Task

#: Late data is looked for so often, and for so long.
_PAUSE = timedelta(minutes=1)
_PATIENCE = timedelta(days=5)
_GOOD = ("success", "partial_success", "skipped")


def look(instance: dg.DagsterInstance, desk: Desk) -> None:
    """Tell of what is late, and of late data that has come."""
    day = desk.moment.astimezone(SHANGHAI).date()
    if shanghai().is_probable_session(day)[0]:
        for expectation in desk.alerts.expect:
            due = datetime.combine(day, time.fromisoformat(expectation.by), SHANGHAI)
            key = f"late:{expectation.name}:{day.isoformat()}:{expectation.by}"
            # Asked once: what is told is in the ledger, and so is what was found to be there.
            if desk.moment >= due and key not in desk.ledger.told:
                _ask(instance, desk, expectation, day, key)
    for incident in [name for name in desk.ledger.open if name.startswith("late:")]:
        _ask_again(instance, desk, incident)


def _ask(instance: dg.DagsterInstance, desk: Desk, expectation: Expectation, day: date, key: str) -> None:
    if _there(instance, desk, expectation, day):
        desk.ledger.told[key] = desk.moment
        return
    task = expectation.task or desk.writers.get(expectation.name)
    command = texts.command(task) if task else None
    link = f"{desk.link}/assets/{expectation.table}" if desk.link and expectation.table else None
    desk.say(texts.late(key, _title(desk, expectation), day, expectation.by, time=desk.moment, command=command, link=link))
    desk.wrong(key, desk.moment, desk.moment.isoformat())


def _ask_again(instance: dg.DagsterInstance, desk: Desk, incident: str) -> None:
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
        desk.say(texts.arrived(f"arrived:{incident}", _title(desk, expectation), date.fromisoformat(day), time=desk.moment))


def _there(instance: dg.DagsterInstance, desk: Desk, expectation: Expectation, day: date) -> bool:
    if expectation.table:
        return _written(instance, expectation.table, day)
    return any(one.status in _GOOD and one.task_id == expectation.task for one in _executions(instance, desk, day))


def _written(instance: dg.DagsterInstance, table: str, day: date) -> bool:
    """Say whether a table has the day's rows: its partition, or anything written on that day where it has no partitions."""
    from mystocks_dagster.market.schemas import TABLES

    wanted = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey(table),
        asset_partitions=[day.isoformat()] if TABLES[table].by_day else None,
        after_timestamp=None if TABLES[table].by_day else datetime.combine(day, time(), SHANGHAI).timestamp(),
    )
    return bool(instance.fetch_materializations(wanted, limit=1).records)


def _executions(instance: dg.DagsterInstance, desk: Desk, day: date) -> Iterator[history.Execution]:
    """Yield the executions of the runs that were created since the day began."""
    task_ids = {name: entry.task_id for name, entry in desk.entries.items() if isinstance(entry, Task)}
    # Dagster's storage drops the offset of what it is asked for, and keeps its own times in UTC.
    since = datetime.combine(day, time(), SHANGHAI).astimezone(UTC)
    for record in instance.get_run_records(dg.RunsFilter(created_after=since), limit=1_000):
        yield from history.of_run(instance, record.dagster_run.run_id, task_ids)


def _title(desk: Desk, expectation: Expectation) -> str:
    if expectation.task:
        return desk.name(expectation.task.replace("-", "_"))
    from mystocks_dagster.market.schemas import TABLES

    return f"{TABLES[expectation.name].title}（{expectation.name}）"
