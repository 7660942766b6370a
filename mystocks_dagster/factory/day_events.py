"""Materializations of many trading days, stored at once: Dagster commits each event by itself.

A bulk load of ten years is 2,400 events for each table. See docs/decisions/0038.
"""

import logging
import os
import time
from collections.abc import Iterator, Sequence

import dagster as dg

from mystocks_dagster.dagster_internals import SqliteEventLogStorage, StepMaterializationData

#: So few events are left to Dagster.
FEW = 20
#: Events in one statement: SQLite allows some 32,000 values.
_AT_ONCE = 1_000


def yield_or_store(
    context: dg.OpExecutionContext, events: Sequence[dg.AssetMaterialization]
) -> Iterator[dg.AssetMaterialization]:
    """Yield the events of a step for Dagster to store; of many, store all but the last at once and yield that one.

    Args:
        context: Context of the op or asset.
        events: Materializations of one asset, in the order of their days.
    """
    if len(events) > FEW:
        _store(context, events[:-1])
        events = events[-1:]
    yield from events


def _store(context: dg.OpExecutionContext, events: Sequence[dg.AssetMaterialization]) -> None:
    entries = [_entry(context, event) for event in events]
    storage = context.instance.event_log_storage
    for group in _groups(entries):
        if not isinstance(storage, SqliteEventLogStorage):
            storage.store_event_batch(group)
            continue
        # Its own `store_event_batch` is a loop. It keeps an event twice: with its run, and in the index of all assets.
        insert = storage.prepare_insert_event_batch(group)
        with storage.run_connection(context.run_id) as connection:
            connection.execute(insert)
        with storage.index_connection() as connection:
            connection.execute(insert)


def _groups(entries: Sequence[dg.EventLogEntry]) -> Iterator[Sequence[dg.EventLogEntry]]:
    return (entries[start : start + _AT_ONCE] for start in range(0, len(entries), _AT_ONCE))


def _entry(context: dg.OpExecutionContext, event: dg.AssetMaterialization) -> dg.EventLogEntry:
    step = context.get_step_execution_context().step
    message = "Materialized value."
    happened = dg.DagsterEvent(
        event_type_value=dg.DagsterEventType.ASSET_MATERIALIZATION.value,
        job_name=context.job_name,
        step_handle=step.handle,
        node_handle=step.node_handle,
        step_kind_value=step.kind.value,
        event_specific_data=StepMaterializationData(event),
        message=message,
        pid=os.getpid(),
        step_key=step.key,
    )
    return dg.EventLogEntry(
        error_info=None,
        level=logging.DEBUG,
        user_message=message,
        run_id=context.run_id,
        timestamp=time.time(),
        step_key=step.key,
        job_name=context.job_name,
        dagster_event=happened,
    )
