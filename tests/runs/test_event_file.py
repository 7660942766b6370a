"""A run's events are stored in a copied file as in one that Dagster has created."""

import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg

from mystocks_dagster.history.dagster_storage import event_storage
from mystocks_dagster.runs import event_file


def schema(path: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return [
            *database.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"),
            *database.execute("SELECT version_num FROM alembic_version"),
            *database.execute("PRAGMA journal_mode"),
        ]


def test_a_prepared_file_is_the_one_that_dagster_would_create(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        storage = instance.event_log_storage
        event_file.prepare(instance, "prepared")
        prepared = Path(storage.path_for_shard("prepared"))  # ty: ignore[unresolved-attribute]
        before = schema(prepared)
        for run_id in ("prepared", "created"):
            instance.report_engine_event("hello", run_id=run_id, job_name="job")
        assert schema(prepared) == schema(prepared.with_name("created.db")) == before
        assert [entry.message for entry in instance.all_logs("prepared")] == ["hello"]
        assert [path.name for path in prepared.parent.glob("*.new")] == []


def test_a_file_with_events_is_left_alone(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.report_engine_event("hello", run_id="first", job_name="job")
        event_file.prepare(instance, "first")
        assert len(instance.all_logs("first")) == 1


def test_a_storage_without_files_is_left_alone() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        event_file.prepare(instance, "first")
        instance.report_engine_event("hello", run_id="first", job_name="job")
        assert len(instance.all_logs("first")) == 1


def test_the_files_of_many_runs_have_their_first_event_and_are_those_of_dagster(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        storage = event_storage(instance)
        names = [f"run_{number}" for number in range(20)]
        entries = [
            dg.EventLogEntry(
                error_info=None, level=20, user_message=f"hello {name}", run_id=name, timestamp=1.0, job_name="job"
            )
            for name in names
        ]
        event_file.write(storage, {entry.run_id: storage.prepare_insert_event(entry) for entry in entries})
        written = Path(storage.path_for_shard(names[0]))
        assert [path.name for path in written.parent.glob("run_*")] != []
        assert all([entry.message for entry in instance.all_logs(name)] == [f"hello {name}"] for name in names)
        instance.report_engine_event("created", run_id="created", job_name="job")
        instance.report_engine_event("more", run_id=names[0], job_name="job")
        assert [entry.message for entry in instance.all_logs(names[0])] == [f"hello {names[0]}", "more"]
        assert schema(written) == schema(written.with_name("created.db"))
        event_file.remove(storage, names)
        assert not list(written.parent.glob("run_*"))
