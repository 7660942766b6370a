"""Dagster's databases are opened without reading its migrations each time."""

import importlib.util
from pathlib import Path

import dagster as dg
import pytest

from mystocks_dagster.migration_scripts import read_once


def test_the_events_of_many_runs_are_stored_without_reading_the_migrations_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_once()
    read: list[str] = []
    original = importlib.util.module_from_spec

    def counted(spec: importlib.machinery.ModuleSpec) -> object:
        if "alembic/versions" in (spec.origin or ""):
            read.append(spec.name)
        return original(spec)

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.report_engine_event("first", run_id="first", job_name="job")
        monkeypatch.setattr(importlib.util, "module_from_spec", counted)
        for run_id in ("second", "third"):
            instance.report_engine_event("another", run_id=run_id, job_name="job")
        monkeypatch.undo()
        newest = instance.event_log_storage.alembic_version()
    assert not read
    assert newest is not None
    assert newest[0] == newest[1]
