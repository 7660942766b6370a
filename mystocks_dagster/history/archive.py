"""A compact archive of the runs that clean-ups removed, in Dagster's run storage, so that statistics remain.

A chunk is a value in the storage's key-value table: removed runs with task, status, start and end of each execution.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from mystocks_dagster.dagster_tables import DagsterTables
from mystocks_dagster.history.record import Record
from mystocks_dagster.tags import Storage

#: Run id to creation time and executions.
Runs = Mapping[str, tuple[float, Sequence[Record]]]


def store(instance: Any, runs: Runs) -> str:
    """Archive runs that are about to be removed, and return the chunk's key."""
    content = {
        run_id: [created, [_brief(execution) for execution in executions]]
        for run_id, (created, executions) in runs.items()
    }
    packed = zlib.compress(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(), 9)
    key = f"{Storage.REMOVED}{uuid4().hex}"
    instance.run_storage.set_cursor_values({key: base64.b85encode(packed).decode()})
    return key


def keys(tables: DagsterTables) -> set[str]:
    """Return the keys of all chunks."""
    rows = tables.rows("runs", "SELECT kvs.key FROM kvs WHERE kvs.key LIKE ?", [f"{Storage.REMOVED}%"])
    return {key for (key,) in rows}


def load(tables: DagsterTables, key: str) -> dict[str, tuple[float, list[Record]]]:
    """Return a chunk; its executions have only task, status, start and end."""
    packed = base64.b85decode(tables.note(key) or "")
    content = json.loads(zlib.decompress(packed))
    return {
        run_id: (created, [_full(run_id, *fields) for fields in executions])
        for run_id, (created, executions) in content.items()
    }


def _brief(execution: Record) -> list[Any]:
    return [execution.task, execution.status, execution.start, execution.end]


def _full(run_id: str, task: str, status: str, start: float | None, end: float | None) -> Record:
    return Record(run_id, "", "", task, status, start, end, 0, None, None, None, None)
