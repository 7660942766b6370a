"""A clean-up removes what is old and leaves what stands on it, on SQLite and on Postgres."""

import os
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus
from history.conftest import SILENT, Store

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.history.cleanup import removal
from mystocks_dagster.history.dagster_storage import event_storage, shard
from mystocks_dagster.market.clock import now

DAYS = dg.StaticPartitionsDefinition(["2024-01-02", "2024-01-03", "2024-01-04"])
BARS = dg.AssetKey("bars")
CHECK = dg.AssetCheckKey(BARS, "last_run")


@dg.asset(
    name="bars",
    partitions_def=DAYS,
    check_specs=[dg.AssetCheckSpec("last_run", asset="bars")],
    config_schema={"fails": bool},
)
def bars(context: dg.AssetExecutionContext) -> Iterator[Any]:
    if context.op_execution_context.op_config["fails"]:
        raise dg.Failure("no such luck")
    yield dg.MaterializeResult(
        metadata={"rows": 7, "run": context.run.run_id}, tags={"kind": "daily"}, data_version=dg.DataVersion("seven")
    )
    yield dg.AssetCheckResult(check_name="last_run", passed=context.partition_key != "2024-01-03")


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty days pass before the clean-up."""
    monkeypatch.setenv("MYSTOCKS_NOW", (now() + timedelta(days=40)).isoformat())


def materialize(store: Store, day: str, *, fails: bool = False) -> str:
    config = {**SILENT, "ops": {"bars": {"config": {"fails": fails}}}}
    return dg.materialize(
        [bars], instance=store.instance, partition_key=day, run_config=config, raise_on_error=False
    ).run_id


def catalog(store: Store) -> dict[str, Any]:
    """Return what Dagster's catalog says of the asset; the links to runs apart."""
    instance, storage = store.instance, store.instance.event_log_storage
    records = instance.fetch_materializations(BARS, limit=100).records
    newest = {}
    for record in reversed(records):
        assert record.asset_materialization
        one = record.asset_materialization
        newest[record.partition_key] = (record.storage_id, record.timestamp, dict(one.metadata), dict(one.tags or {}))
    last = instance.get_latest_materialization_event(BARS)
    check = storage.get_latest_asset_check_execution_by_key([CHECK])[CHECK]
    assert last
    assert last.asset_materialization
    return {
        "partitions": instance.get_materialized_partitions(BARS),
        "newest": newest,
        "last": (last.timestamp, dict(last.asset_materialization.metadata)),
        "check": (check.status, check.evaluation),
        "failed": sorted(storage.get_latest_asset_partition_materialization_attempts_without_materializations(BARS)),
        "tags": storage.get_latest_tags_by_partition(
            BARS, dg.DagsterEventType.ASSET_MATERIALIZATION, ["dagster/data_version"]
        ),
    }


def test_partitions_checks_and_statistics_are_what_they_were(store: Store, later: None) -> None:
    superseded = materialize(store, "2024-01-02")
    runs = [superseded, materialize(store, "2024-01-02"), materialize(store, "2024-01-03")]
    runs += [store.run("night", load="success", calc_it="failed"), store.run("load", load="partial_success")]
    stays = store.run("load", load="success")
    before = catalog(store), store.statistics()
    assert before[0]["partitions"] == {"2024-01-02", "2024-01-03"}

    cleaned = store.project.history.clean_up(30)

    assert (cleaned.runs, cleaned.executions, cleaned.kept) == (5, 6, 1)
    assert [run.run_id for run in store.instance.get_runs()] == [stays], "the newest run stays"
    assert all(store.instance.get_run_by_id(run_id) is None for run_id in runs)
    assert (catalog(store), store.statistics()) == before
    store.throw_away()
    assert store.statistics() == before[1], "also where only Dagster's storage is left"
    store.project.history.update(rebuild=True)
    assert store.statistics() == before[1]
    assert [one["run_id"] for one in store.history()] == [stays]


def test_what_was_detached_from_its_run_outlives_the_next_cleanup_and_gives_way_to_what_is_newer(
    store: Store, later: None
) -> None:
    materialize(store, "2024-01-02")
    store.run("load", load="success")
    store.project.history.clean_up(30)
    materialize(store, "2024-01-03")
    newer = materialize(store, "2024-01-02")
    store.run("load", load="success")
    before = catalog(store), store.statistics()
    store.project.history.clean_up(30)
    assert (catalog(store)["partitions"], store.statistics()) == (before[0]["partitions"], before[1])
    assert catalog(store)["newest"] == before[0]["newest"]
    last = store.instance.get_latest_materialization_event(BARS)
    assert last
    assert last.asset_materialization
    assert last.asset_materialization.metadata["run"].value == newer
    assert last.run_id == ""


def test_a_partition_that_failed_stays_failed(store: Store, later: None) -> None:
    materialize(store, "2024-01-02")
    failed = materialize(store, "2024-01-03", fails=True)
    store.run("load", load="success")
    before = catalog(store)
    assert before["failed"] == ["2024-01-03"]
    assert store.project.history.clean_up(30).kept == 2
    assert store.instance.get_run_by_id(failed)
    assert catalog(store) == before


def test_the_last_run_of_a_supervisor_stays_because_it_says_that_it_was_stopped(store: Store, later: None) -> None:
    first, last = (store.run("server", server="success") for _ in range(2))
    for run_id in (first, last):
        store.instance.add_run_tags(run_id, {"mystocks/task_type": "supervisor"})
    store.run("load", load="success")
    newest = store.run("load", load="success")
    assert store.project.history.clean_up(30).kept == 2
    assert {run.run_id for run in store.instance.get_runs()} == {last, newest}


def test_what_has_not_ended_is_never_removed_nor_what_ended_of_late(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.run("load", load="success")
    _, waiting = store.new_run("report", report="success")
    store.run("load", load="success")
    assert store.project.history.clean_up(1).runs == 0
    monkeypatch.setenv("MYSTOCKS_NOW", (now() + timedelta(days=400)).isoformat())
    assert store.project.history.clean_up(1).runs == 1
    assert store.instance.get_run_by_id(waiting)
    with pytest.raises(InstanceError, match="at least 1"):
        store.project.history.clean_up(0)


def test_events_logs_and_files_of_the_runs_are_gone_and_the_disk_has_the_space(store: Store, later: None) -> None:
    old = [store.run("night", load="success", report="success") for _ in range(3)]
    worker = store.home / "storage" / old[0] / "worker.log"
    worker.parent.mkdir(parents=True, exist_ok=True)
    worker.write_bytes(b"x" * 3_000_000)
    stays = store.run("load", load="success")
    versions = [store.home / "taskfiles" / f"{number:064x}.json" for number in range(14)]
    versions[0].parent.mkdir(exist_ok=True)
    for version in versions:
        version.write_text("{}", encoding="utf-8")
        os.utime(version, (0, 0))
    log = Path(store.history("load")[-1]["log_path"])
    foreseen = store.project.history.clean_up(30, dry_run=True)
    assert (foreseen.runs, foreseen.executions, foreseen.task_files) == (3, 6, 4)
    assert foreseen.bytes_freed > 3_000_000
    assert worker.exists()
    assert len(store.instance.get_runs()) == 4, "a dry run removes nothing"

    cleaned = store.project.history.clean_up(30)

    assert (cleaned.runs, cleaned.task_files) == (3, 4)
    # Postgres keeps what the removed rows took, for the rows to come, and may write maps of it.
    assert cleaned.bytes_freed > 2_500_000
    assert not worker.parent.exists()
    assert not log.exists()
    asked = store.project.instance
    assert asked.all_logs(stays)
    assert [asked.all_logs(run_id) for run_id in old] == [[], [], []]
    left = {path.name for path in store.home.rglob("*.db*") if any(run_id in path.name for run_id in old)}
    assert left <= {f"{run_id}.db{ending}" for run_id in old for ending in ("", "-wal", "-shm")}, (
        "made anew by the question above"
    )
    if (shards := store.home / "history" / "runs").is_dir() and store.instance.event_log_storage.is_run_sharded:
        with sqlite3.connect(shards / "index.db") as index:
            assert index.execute("PRAGMA freelist_count").fetchone() == (0,)
            assert {run for (run,) in index.execute("SELECT run_id FROM event_logs")} == {stays}


def test_files_of_events_without_a_run_which_a_killed_daemon_left_go(store: Store, later: None) -> None:
    kept = store.run("load", load="success")
    if not event_storage(store.instance).is_run_sharded:
        pytest.skip("Postgres has no such files")
    old, new = shard(store.instance, "asked-for-at-four"), shard(store.instance, "asked-for-now")
    for path, age in ((old, timedelta(days=31)), (new, timedelta())):
        path.write_bytes(b"x" * 100_000)
        os.utime(path, times=((now() - age).timestamp(),) * 2)
    os.utime(shard(store.instance, kept), (0, 0))
    os.utime(shard(store.instance, "index"), (0, 0))
    assert store.project.history.clean_up(30, dry_run=True).bytes_freed >= 100_000
    assert old.exists()
    store.project.history.clean_up(30)
    assert not old.exists()
    assert new.exists()
    assert shard(store.instance, "index").exists()


def test_old_ticks_go_but_never_the_last_one_of_a_schedule(store: Store, later: None) -> None:
    storage = store.instance.schedule_storage
    assert storage
    for selector, count in (("a", 3), ("b", 1)):
        for number in range(count):
            storage.create_tick(
                TickData(
                    instigator_origin_id=f"origin {selector}",
                    instigator_name=selector,
                    instigator_type=InstigatorType.SCHEDULE,
                    status=TickStatus.SKIPPED,
                    timestamp=now().timestamp() - 86400 * (100 - number),
                    selector_id=selector,
                )
            )
    assert store.project.history.clean_up(30).ticks == 2
    assert [len(storage.get_ticks(f"origin {one}", one)) for one in ("a", "b")] == [1, 1]


@pytest.mark.parametrize("moment", ["_remove_events", "_remove_files"])
def test_a_cleanup_that_is_killed_loses_nothing_and_is_finished_by_the_next(
    store: Store, later: None, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    materialize(store, "2024-01-02")
    store.run("night", load="success", calc_it="failed")
    store.run("load", load="success")
    before = catalog(store), store.statistics()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(removal, moment, killed)
        with pytest.raises(KeyboardInterrupt):
            store.project.history.clean_up(30)
    assert (catalog(store), store.statistics()) == before
    store.throw_away()
    assert store.statistics() == before[1]
    assert store.project.history.clean_up(30).runs == 2
    assert (catalog(store), store.statistics()) == before
    store.throw_away()
    assert store.statistics() == before[1]


def test_a_cleanup_that_was_killed_is_in_the_audit_log_too(
    store: Store, later: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.run("load", load="success")
    store.run("load", load="success")

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    assert store.project.history.clean_up(30, dry_run=True).runs == 1
    assert store.project.audit(limit=9) == []
    monkeypatch.setattr(removal, "_remove_files", killed)
    with pytest.raises(KeyboardInterrupt):
        store.project.history.clean_up(30)
    (entry,) = store.project.audit(limit=9)
    assert (entry.action, entry.detail) == ("clean up the history", "1 runs, 30 days")
