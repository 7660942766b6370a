"""Many writes of Dagster's storages are one commit: all of them are stored, or none."""

import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from mystocks_dagster.history.dagster_storage import event_storage, run_storage
from mystocks_dagster.history.one_commit import is_sqlite, keep_open, one_commit


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def others_see(instance: dg.DagsterInstance) -> int:
    """Return the number of runs that another thread reads."""
    counted: list[int] = []
    thread = threading.Thread(target=lambda: counted.append(len(instance.get_runs())))
    thread.start()
    thread.join()
    return counted[0]


def test_runs_are_seen_by_others_when_all_are_stored(stored: dg.DagsterInstance) -> None:
    storage = run_storage(stored)
    with one_commit(storage):
        for _ in range(3):
            storage.add_run(dg.DagsterRun(job_name="job"))
        assert len(stored.get_runs()) == 3
        assert others_see(stored) == 0
    assert others_see(stored) == 3
    storage.add_run(dg.DagsterRun(job_name="job"))
    assert others_see(stored) == 4


def test_nothing_is_stored_when_a_write_fails(stored: dg.DagsterInstance) -> None:
    storage, run = run_storage(stored), dg.DagsterRun(job_name="job")

    def twice() -> None:
        with one_commit(storage):
            storage.add_run(run)
            storage.add_run(run)

    with pytest.raises(dg.DagsterError):
        twice()
    assert stored.get_runs() == []
    storage.add_run(run)
    assert len(stored.get_runs()) == 1


def test_events_of_runs_can_be_stored_while_their_index_is_written(stored: dg.DagsterInstance) -> None:
    with one_commit(event_storage(stored)):
        for run_id in ("first", "second"):
            stored.report_engine_event("hello", run_id=run_id, job_name="job")
    assert [len(stored.all_logs(run_id)) for run_id in ("first", "second")] == [1, 1]


def test_only_the_storages_of_sqlite_are_written_so(stored: dg.DagsterInstance) -> None:
    assert is_sqlite(stored)
    with dg.DagsterInstance.ephemeral() as instance:
        assert not is_sqlite(instance)


def test_the_journal_of_a_database_that_is_kept_open_is_not_moved_at_each_write(stored: dg.DagsterInstance) -> None:
    journal = Path(stored.root_directory) / "history" / "runs.db-wal"
    with keep_open(stored):
        run_storage(stored).add_run(dg.DagsterRun(job_name="job"))
        assert journal.exists()
        assert len(stored.get_runs()) == 1
    assert not journal.exists()
    with dg.DagsterInstance.ephemeral() as instance, keep_open(instance):
        assert instance.get_runs() == []
