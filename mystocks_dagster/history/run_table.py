"""Queries of Dagster's table of runs, for many runs at once."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from mystocks_dagster.dagster_tables import DagsterTables, marks, utc
from mystocks_dagster.history.dagster_json import Run, plan_steps


class Listed(NamedTuple):
    """A row of the list of runs; `updated` is comparable only with values of the same storage."""

    run_id: str
    status: str
    created: float
    updated: str


def listed(
    tables: DagsterTables, *, since: datetime | None = None, run_ids: Iterable[str] | None = None
) -> list[Listed]:
    """Return all runs, or some, the newest first.

    Args:
        tables: Dagster's tables.
        since: Only runs created or changed since then: a naive time as the storage writes it.
        run_ids: Only these runs.
    """
    query, values = "SELECT run_id, status, create_timestamp, update_timestamp FROM runs WHERE 1 = 1", []
    if since is not None:
        # In two steps: an index has the times, and reading the rows is slow.
        query += " AND id IN (SELECT id FROM runs WHERE create_timestamp >= ? OR update_timestamp >= ?)"
        values += [f"{since:%Y-%m-%d %H:%M:%S.%f}"] * 2
    if run_ids is not None:
        ids = list(run_ids)
        if not ids:
            return []
        query += f" AND run_id IN ({marks(ids)})"
        values += ids
    return [
        Listed(run_id, status, utc(created).timestamp(), str(utc(updated).replace(tzinfo=None)))
        for run_id, status, created, updated in tables.rows("runs", f"{query} ORDER BY id DESC", values)
    ]


def count_runs(tables: DagsterTables) -> int:
    """Return the number of runs."""
    return tables.rows("runs", "SELECT count(*) FROM runs")[0][0]


def runs(tables: DagsterTables, run_ids: Sequence[str]) -> list[Run]:
    """Return the runs with these ids, newest first; missing ones are left out."""
    if not run_ids:
        return []
    columns = "run_id, status, update_timestamp, run_body"
    query = f"SELECT {columns} FROM runs WHERE run_id IN ({marks(run_ids)}) ORDER BY id DESC"
    return [
        Run.of(run_id, status, utc(updated).timestamp(), body)
        for run_id, status, updated, body in tables.rows("runs", query, run_ids)
    ]


def planned_steps(tables: DagsterTables, plan: str) -> list[str]:
    """Return the steps of a stored execution plan; empty if it was removed."""
    rows = tables.rows("runs", "SELECT snapshot_body FROM snapshots WHERE snapshot_id = ?", [plan])
    return plan_steps(bytes(rows[0][0])) if rows else []
