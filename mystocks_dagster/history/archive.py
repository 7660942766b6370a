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

import dagster as dg
import sqlalchemy as db

from mystocks_dagster.dagster_internals import KeyValueStoreTable
from mystocks_dagster.history.dagster_storage import run_storage
from mystocks_dagster.history.record import Record
from mystocks_dagster.tags import Storage

#: Runs, by id: when each was made, and its executions.
Runs = Mapping[str, tuple[float, Sequence[Record]]]


def store(instance: dg.DagsterInstance, runs: Runs) -> str:
    """Keep what statistics need of runs that are about to be removed, and return the chunk's key."""
    content = {run_id: [created, [_brief(one) for one in those]] for run_id, (created, those) in runs.items()}
    packed = zlib.compress(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(), 9)
    key = f"{Storage.REMOVED}{uuid4().hex}"
    run_storage(instance).set_cursor_values({key: base64.b85encode(packed).decode()})
    return key


def keys(instance: dg.DagsterInstance) -> set[str]:
    """Return the keys of all chunks."""
    query = db.select(KeyValueStoreTable.c.key).where(KeyValueStoreTable.c.key.startswith(Storage.REMOVED))
    with run_storage(instance).connect() as connection:
        return set(connection.execute(query).scalars())


def load(instance: dg.DagsterInstance, key: str) -> dict[str, tuple[float, list[Record]]]:
    """Return a chunk; its executions know task, status, start and end only."""
    packed = base64.b85decode(run_storage(instance).get_cursor_values({key})[key])
    content = json.loads(zlib.decompress(packed))
    return {
        run_id: (created, [_full(run_id, *brief) for brief in those]) for run_id, (created, those) in content.items()
    }


def _brief(one: Record) -> list[Any]:
    return [one.task, one.status, one.start, one.end]


def _full(run_id: str, task: str, status: str, start: float | None, end: float | None) -> Record:
    return Record(run_id, "", "", task, status, start, end, 0, None, None, None, None)
