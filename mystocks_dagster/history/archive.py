"""What clean-ups removed, in few bytes: kept in Dagster's own run storage, so that statistics outlive runs and the roll-up.

A chunk is a value of the storage's key-value table: each removed run with task, status, start and duration of its
executions.
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

#: Runs, by id: when each was made, and its executions.
Runs = Mapping[str, tuple[float, Sequence[Record]]]


def store(instance: Any, runs: Runs) -> str:
    """Keep what statistics need of runs that are about to be removed, and return the chunk's key."""
    content = {run_id: [created, [_brief(one) for one in those]] for run_id, (created, those) in runs.items()}
    packed = zlib.compress(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(), 9)
    key = f"{Storage.REMOVED}{uuid4().hex}"
    instance.run_storage.set_cursor_values({key: base64.b85encode(packed).decode()})
    return key


def keys(tables: DagsterTables) -> set[str]:
    """Return the keys of all chunks."""
    return {
        key for (key,) in tables.rows("runs", "SELECT kvs.key FROM kvs WHERE kvs.key LIKE ?", [f"{Storage.REMOVED}%"])
    }


def load(tables: DagsterTables, key: str) -> dict[str, tuple[float, list[Record]]]:
    """Return a chunk; its executions know task, status, start and end only."""
    packed = base64.b85decode(tables.note(key) or "")
    content = json.loads(zlib.decompress(packed))
    return {
        run_id: (created, [_full(run_id, *brief) for brief in those]) for run_id, (created, those) in content.items()
    }


def _brief(one: Record) -> list[Any]:
    return [one.task, one.status, one.start, one.end]


def _full(run_id: str, task: str, status: str, start: float | None, end: float | None) -> Record:
    return Record(run_id, "", "", task, status, start, end, 0, None, None, None, None)
