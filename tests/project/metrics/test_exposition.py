"""What Prometheus reads agrees with what the project says elsewhere, and costs little however long the history is."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import polars as pl
import pytest
from history.conftest import Store
from prometheus_client.parser import text_string_to_metric_families
from support.project import ROOT
from support.small_market import small_lake

from mystocks_dagster.history.record import Record
from mystocks_dagster.history.rollup import FILE, Rollup
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.project.metrics import exposition
from mystocks_dagster.project.metrics.exposition import Exposition
from mystocks_dagster.shared.place import database_url

DASHBOARD = ROOT / "deploy" / "grafana" / "mystocks.json"


class Figures:
    """The samples of one text."""

    def __init__(self, text: bytes) -> None:
        self.families = list(text_string_to_metric_families(text.decode()))
        self.samples = [sample for family in self.families for sample in family.samples]

    def __call__(self, name: str, **labels: str) -> float | None:
        found = [sample.value for sample in self.samples if sample.name == name and sample.labels == labels]
        assert len(found) <= 1, (name, labels)
        return found[0] if found else None


def figures(store: Store, kept: Exposition | None = None) -> Figures:
    return Figures(store.project.metrics(kept or Exposition()))


@pytest.mark.slow
def test_the_free_space_of_my_disk_is_not_said_to_be_that_of_the_database(store: Store) -> None:
    home = store.project.settings.dagster_home
    told = figures(store)
    here, other = ("instance", "history") if database_url(home) else ("history", "instance")
    free = told("mystocks_disk_free_bytes", of=here)
    assert free == pytest.approx(shutil.disk_usage(home).free, rel=0.2)
    assert told("mystocks_disk_free_bytes", of=other) is None


@pytest.mark.slow
def test_executions_are_those_of_the_statistics(store: Store) -> None:
    store.run("night", load="success", **{"calc-it": "failed"})
    store.run("night", load="success", **{"calc-it": "success"})
    store.run("report", report="skipped")
    store.new_run("report", report="success")
    told, statistics = figures(store), store.statistics()
    for task in ("load", "calc-it", "report"):
        good = sum(
            told("mystocks_executions_total", task=task, status=status) or 0 for status in ("success", "skipped")
        )
        assert good >= statistics[task]["success_count"]
        assert (told("mystocks_executions_total", task=task, status="failed") or 0) == statistics[task]["failed_count"]
    assert told("mystocks_executions_total", task="load", status="success") == 2
    assert told("mystocks_executions_total", task="calc-it", status="failed") == 1
    assert told("mystocks_executions_total", task="report", status="skipped") == 1
    count, seconds = (told(f"mystocks_execution_seconds_{part}", task="load") for part in ("count", "sum"))
    assert count == 2
    assert seconds == pytest.approx(2 * statistics["load"]["avg_duration"], abs=0.002)
    assert told("mystocks_all_execution_seconds_bucket", le="+Inf") == told("mystocks_all_execution_seconds_count")
    assert told("mystocks_all_execution_seconds_bucket", le="14400") == told("mystocks_all_execution_seconds_count")
    started = next(one["start_time"] for one in store.history("load"))
    assert told("mystocks_last_success_timestamp_seconds", task="load") == pytest.approx(_seconds(started), abs=1)
    assert told("mystocks_runs", status="success") == 2
    assert told("mystocks_runs", status="failure") == 1


def _seconds(value: Any) -> float:
    return (datetime.fromisoformat(value) if isinstance(value, str) else value).timestamp()


@pytest.mark.slow
def test_a_run_in_the_queue_and_its_age_are_seen(store: Store) -> None:
    assert figures(store)("mystocks_queue_length") == 0
    store.new_run("report", report="success")
    with store.instance.run_storage.connect() as connection:  # ty: ignore[unresolved-attribute]
        connection.exec_driver_sql("UPDATE runs SET status = 'QUEUED', create_timestamp = '2026-01-01 00:00:00'")
    told = figures(store)
    assert told("mystocks_queue_length") == 1
    assert told("mystocks_queue_oldest_seconds") == pytest.approx(time.time() - 1767225600, abs=60)
    assert told("mystocks_daemon_up") == 0


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_rows_missing_days_and_a_table_that_lags_are_seen(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-26T20:00:00+08:00")
    lake = small_lake(store.folder.root / "data")
    days = [date(2026, 11, 20), date(2026, 11, 24)]  # Monday the 23rd is missing, the 25th and 26th are not there yet
    rows = [
        {"table": "daily_bars", "date": day, "rows": 5, "complete": True, "source": "tdx", "loaded_at": None}
        for day in days
    ]
    schema = Lake(lake.location).schema_of("loaded_days").dtypes
    frame = pl.DataFrame(rows).select(
        pl.col(name).cast(dtype) if name in rows[0] else pl.lit(None, dtype).alias(name)
        for name, dtype in schema.items()
    )
    lake.upsert(
        "loaded_days",
        frame.with_columns(
            loaded_at=pl.datetime(2026, 11, 24, 18, time_zone="Asia/Shanghai").cast(schema["loaded_at"])
        ),
    )
    told = figures(store)
    assert told("mystocks_table_rows", table="daily_bars") == 6
    assert told("mystocks_table_days", table="daily_bars", state="complete") == 2
    assert told("mystocks_table_days", table="daily_bars", state="missing") == 3
    assert told("mystocks_table_days_behind", table="daily_bars") == 2
    assert told("mystocks_table_unreadable", table="stocks") == 0


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_a_part_that_fails_is_said_and_takes_no_other_along(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    small_lake(store.folder.root / "data")
    log = store.folder.root / "data" / "daily_bars" / "_delta_log" / "00000000000000000000.json"
    log.write_text("{", encoding="utf-8")
    monkeypatch.setitem(exposition.PARTS, "disk", exposition.Part(lambda _: (_ for _ in ()).throw(OSError("gone"))))  # ty: ignore[invalid-argument-type]
    told = figures(store)
    assert told("mystocks_metrics_failed", part="disk") == 1
    assert told("mystocks_metrics_failed", part="runs") == 0
    assert told("mystocks_task_file_entries", kind="task") == 4
    assert told("mystocks_table_unreadable", table="daily_bars") == 1


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_every_metric_of_the_dashboard_is_served(store: Store) -> None:
    store.run("report", report="success")
    small_lake(store.folder.root / "data")
    text = store.project.metrics(Exposition()).decode()
    declared = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE)) | {
        f"{name}{ending}"
        for name, kind in re.findall(r"^# TYPE (\w+) (histogram|summary)$", text, re.MULTILINE)
        for ending in ("_bucket", "_sum", "_count")
    }
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    asked = {name for query in queries for name in re.findall(r"\b(?:mystocks|process)_\w+", query)}
    assert asked
    assert asked <= declared, asked - declared
    # And each family of ours is on it, apart from what says only which version runs.
    families = set(re.findall(r"^# TYPE (mystocks_\w+) ", text, re.MULTILINE))
    shown = {name for name in families for query in queries if re.search(rf"\b{name}(_bucket|_sum|_count)?\b", query)}
    hidden = {
        "mystocks_build_info",
        "mystocks_task_file_entries",
        "mystocks_table_rows",
        "mystocks_daemon_heartbeat_age_seconds",
    }
    assert families - shown == hidden


@pytest.mark.slow
@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_a_thousand_tasks_and_a_hundred_thousand_runs_are_read_in_a_second(store: Store) -> None:
    store.run("report", report="success")
    assert store.history()
    with Rollup(store.home / FILE) as rollup, rollup.transaction():
        rollup.write_removed("of the test", dict(_many(tasks=1000, runs=100_000)))
    kept = Exposition()
    figures(store, kept)  # opens the instance and reads the lake, which is kept
    time.sleep(exposition.PARTS["executions"].keep)  # what is kept for seconds is read again
    began = time.process_time()
    told = figures(store, kept)
    seconds = time.process_time() - began
    counted = [sample.value for sample in told.samples if sample.name == "mystocks_executions_total"]
    assert sum(counted) == 100_001
    assert told("mystocks_metrics_failed", part="executions") == 0
    assert seconds < 1.5, f"{seconds:.2f} s of the processor"


def _many(*, tasks: int, runs: int) -> Iterator[tuple[str, tuple[float, list[Record]]]]:
    """Yield runs of all tasks at once, which are written faster than as many runs of one task."""
    for number in range(0, runs, tasks):
        run, start = f"run-{number}", 1_700_000_000.0 + number
        yield run, (start, [_record(run, task, start + task) for task in range(tasks)])


def _record(run: str, task: int, start: float) -> Record:
    status, end = "failed" if task % 50 == 0 else "success", start + task % 90
    return Record(run, "", "", f"task_{task}", status, start, end, 0, None, None, None, None)
