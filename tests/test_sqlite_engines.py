"""Dagster's SQLite storages do not make an engine, which compiles all SQL anew, for each statement."""

from pathlib import Path

import dagster as dg

from mystocks_dagster.history.dagster_storage import event_storage, run_storage, schedule_storage
from mystocks_dagster.sqlite_engines import keep_engines


def test_two_connections_to_a_database_have_one_engine_and_are_two(tmp_path: Path) -> None:
    keep_engines()
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        for storage in (run_storage(instance), schedule_storage(instance)):
            with storage.connect() as first, storage.connect() as second:
                assert first.engine is second.engine
                assert first.connection.dbapi_connection is not second.connection.dbapi_connection
        events = event_storage(instance)
        with events.index_connection() as index:
            engine = index.engine
        with events.index_connection() as index:
            assert index.engine is engine


def test_each_run_s_events_are_in_the_run_s_own_file(tmp_path: Path) -> None:
    keep_engines()
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        for number in range(40):
            instance.report_engine_event(f"hello {number}", run_id=f"run_{number}", job_name="job")
        for number in range(40):
            assert [entry.message for entry in instance.all_logs(f"run_{number}")] == [f"hello {number}"]
