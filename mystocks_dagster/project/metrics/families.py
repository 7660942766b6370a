"""The metric families, each read from where the project keeps it. A label `task` is the task's id."""

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)

from mystocks_dagster.dagster_tables import utc
from mystocks_dagster.history import catch_up, tallies
from mystocks_dagster.lake.location import local_path
from mystocks_dagster.project.health import existing, kept_in_home
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.tags import OWN_NAMES, State

#: Upper bounds of the durations that are counted, in seconds.
BOUNDS = (0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 14400)
_ACTIVE = (State.RUNNING, State.PENDING)


def executions(state: ProjectState) -> Iterator[Metric]:
    """Yield the executions by task and status, their durations, and when each task last succeeded."""
    with catch_up.opened(state.tables, state.settings.dagster_home) as rollup:
        rows = [tally for tally in tallies.by_task(rollup) if tally.name not in OWN_NAMES]
        counts = tallies.at_most(rollup, BOUNDS)
    ended = CounterMetricFamily("mystocks_executions", "Executions that have ended.", labels=["task", "status"])
    active = GaugeMetricFamily("mystocks_executions_active", "Executions that run or wait.", labels=["task", "status"])
    seconds = SummaryMetricFamily("mystocks_execution_seconds", "Durations by task.", labels=["task"])
    success = GaugeMetricFamily(
        "mystocks_last_success_timestamp_seconds", "Start of the newest success.", labels=["task"]
    )
    timed: dict[str, tuple[int, float]] = {}
    newest: dict[str, float] = {}
    for row in rows:
        task = state.task_ids.get(row.name, row.name)
        (active if row.status in _ACTIVE else ended).add_metric([task, row.status], row.count)
        count, total = timed.get(task, (0, 0.0))
        timed[task] = (count + row.timed, total + row.seconds)
        if row.good and row.last is not None:
            newest[task] = max(row.last, newest.get(task, row.last))
    for task, (count, total) in timed.items():
        seconds.add_metric([task], count, total)
    for task, moment in newest.items():
        success.add_metric([task], moment)
    yield from (ended, active, seconds, success)
    all_timed, all_seconds = (sum(values) for values in zip((0, 0.0), *timed.values(), strict=True))
    buckets = [*((str(bound), count) for bound, count in zip(BOUNDS, counts, strict=True)), ("+Inf", all_timed)]
    yield HistogramMetricFamily(
        "mystocks_all_execution_seconds", "Durations of all tasks.", buckets=buckets, sum_value=all_seconds
    )


def runs(state: ProjectState) -> Iterator[Metric]:
    """Yield Dagster's runs by status, and how long the oldest one has been waiting in the queue."""
    by_status = GaugeMetricFamily("mystocks_runs", "Dagster's runs that are stored.", labels=["status"])
    counts = dict(state.tables.rows("runs", "SELECT status, count(*) FROM runs GROUP BY status"))
    for status, count in {"QUEUED": 0, "STARTED": 0, **counts}.items():
        by_status.add_metric([status.lower()], count)
    oldest = state.tables.rows("runs", "SELECT min(create_timestamp) FROM runs WHERE status = 'QUEUED'")[0][0]
    yield by_status
    yield GaugeMetricFamily("mystocks_queue_length", "Runs in the queue.", value=counts.get("QUEUED", 0))
    waiting = max(0.0, time.time() - utc(oldest).timestamp()) if oldest else 0.0
    yield GaugeMetricFamily("mystocks_queue_oldest_seconds", "Age of the oldest run in the queue.", value=waiting)


def daemon(state: ProjectState) -> Iterator[Metric]:
    """Yield whether the daemon is alive, and the age of its heartbeat."""
    from mystocks_dagster.runs import launch

    age = launch.heartbeat_age(state.instance)
    alive = launch.daemon_alive(state.instance)
    yield GaugeMetricFamily("mystocks_daemon_up", "1 while a daemon is alive.", value=float(alive))
    beat = GaugeMetricFamily("mystocks_daemon_heartbeat_age_seconds", "Age of the daemon's last heartbeat.")
    if age is not None:
        beat.add_metric([], age)
    yield beat


def task_file(state: ProjectState) -> Iterator[Metric]:
    """Yield the entries of the task file, those that cannot run, and whether its last good version is in use."""
    taskfile, loaded = state.taskfile, state.version
    entries = GaugeMetricFamily("mystocks_task_file_entries", "Tasks and groups that can run.", labels=["kind"])
    entries.add_metric(["task"], len(taskfile.tasks))
    entries.add_metric(["group"], len(taskfile.task_groups))
    yield entries
    yield GaugeMetricFamily("mystocks_task_file_broken", "Entries that cannot run.", value=len(loaded.broken))
    unusable = float(bool(loaded.unusable))
    yield GaugeMetricFamily("mystocks_task_file_unusable", "1 if an older version is in use.", value=unusable)


def hosts(state: ProjectState) -> Iterator[Metric]:
    """Yield the requests that a backfill may still send today, by source and group of hosts."""
    from mystocks_dagster.sources.budgets import Budgets
    from mystocks_dagster.sources.registry import declarations

    budgets = Budgets(state.settings)
    left = GaugeMetricFamily(
        "mystocks_host_requests_left", "Requests left today; 0 while banned.", labels=["source", "host"]
    )
    for name, declaration in declarations().items():
        for rule in declaration.host_rules:
            if (requests := budgets.left(name, rule)) is not None:
                left.add_metric([name, rule.name], requests)
    yield left


def tables(state: ProjectState) -> Iterator[Metric]:
    """Yield rows, size and age of each table, and whether it can be read."""
    from mystocks_dagster.lake.store import Lake

    rows = GaugeMetricFamily("mystocks_table_rows", "Rows of a table.", labels=["table"])
    size = GaugeMetricFamily("mystocks_table_bytes", "Size of the files of a table.", labels=["table"])
    updated = GaugeMetricFamily("mystocks_table_updated_timestamp_seconds", "Last write of rows.", labels=["table"])
    broken = GaugeMetricFamily("mystocks_table_unreadable", "1 if a table cannot be read.", labels=["table"])
    for info in Lake(state.settings.lake).tables():
        broken.add_metric([info.table], float(bool(info.trouble)))
        moment = info.updated.timestamp() if info.updated else None
        for family, value in ((rows, info.rows), (size, info.bytes), (updated, moment)):
            if value is not None:
                family.add_metric([info.table], value)
    yield from (rows, size, updated, broken)


def coverage(state: ProjectState) -> Iterator[Metric]:
    """Yield, of each table that is loaded by trading day, its days by state, and how many days it is behind."""
    import polars as pl

    from mystocks_dagster.lake.coverage import DayState, coverage
    from mystocks_dagster.lake.store import Lake

    days = GaugeMetricFamily("mystocks_table_days", "Expected trading days by state.", labels=["table", "state"])
    behind = GaugeMetricFamily("mystocks_table_days_behind", "Published days after the newest one.", labels=["table"])
    frame = coverage(Lake(state.settings.lake), published=state.version.published)
    for (table,), of_table in frame.group_by("table", maintain_order=True):
        found = Counter(of_table["status"].to_list())
        for name in (DayState.COMPLETE, DayState.PARTIAL, DayState.MISSING, DayState.QUARANTINED):
            days.add_metric([str(table), name], found[name])
        published = of_table.filter(pl.col("status") != DayState.NOT_PUBLISHED).sort("date")
        stored = published.filter(pl.col("status") != DayState.MISSING)["date"]
        behind.add_metric([str(table)], published.filter(pl.col("date") > stored.max()).height if stored.len() else 0)
    yield from (days, behind)


def alerts(state: ProjectState) -> Iterator[Metric]:
    """Yield the open incidents, and the messages by the state of their delivery."""
    from mystocks_dagster.alerts import ledger_store

    ledger = ledger_store.read(state.instance)
    yield GaugeMetricFamily("mystocks_incidents", "Reported faults that last.", value=len(ledger.incidents))
    messages = GaugeMetricFamily("mystocks_alert_messages", "Kept messages by delivery.", labels=["state"])
    found = Counter(reached for message in ledger.messages for reached in message.to.values())
    for name in ("waiting", "sending", "sent", "doubtful", "given_up"):
        messages.add_metric([name], found[name])
    yield messages


def disk(state: ProjectState) -> Iterator[Metric]:
    """Yield the free space of this machine's disks: that of the instance's folder, and that of a lake in a folder."""
    free = GaugeMetricFamily("mystocks_disk_free_bytes", "Free space of the disk.", labels=["of"])
    home = state.settings.dagster_home
    folders = {kept_in_home(state.settings): str(home), "lake": local_path(state.settings.lake)}
    for name, folder in folders.items():
        if folder is not None:
            free.add_metric([name], shutil.disk_usage(existing(Path(folder))).free)
    yield free


def build(_: ProjectState) -> Iterator[Metric]:
    """Yield the installed versions."""
    info = GaugeMetricFamily("mystocks_build_info", "Installed versions.", labels=["version", "dagster"])
    info.add_metric([version("mystocks-dagster"), version("dagster")], 1)
    yield info
