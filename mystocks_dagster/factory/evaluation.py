"""What the evaluations of schedules share in a code server, where a thousand may be due in the same minute."""

import threading
from typing import Any
from weakref import WeakKeyDictionary

import dagster as dg

from mystocks_dagster.dagster_internals import InstigatorType

_lock = threading.Lock()
#: The reference of an instance, and the instance.
_opened: list[tuple[Any, dg.DagsterInstance]] = []

#: For each instance, the ids of the states of schedules by the schedules' names.
_ids: WeakKeyDictionary[dg.DagsterInstance, dict[str, tuple[str, str]]] = WeakKeyDictionary()


def opened_instance(context: dg.ScheduleEvaluationContext) -> dg.DagsterInstance:
    """Return the instance of an evaluation, which stays open: Dagster would open its databases for each."""
    reference = context.instance_ref
    if reference is None:
        return context.instance
    with _lock:
        if not _opened or _opened[0][0] != reference:
            _opened[:] = [(reference, dg.DagsterInstance.from_ref(reference))]
        instance = _opened[0][1]
    # Dagster's own part of the evaluation reads it there, and opens another one if there is none.
    context._instance = instance
    return instance


def switch_state(instance: dg.DagsterInstance, name: str) -> Any:
    """Return the stored state of a schedule; None if it has none.

    Dagster reads one state by its ids, but does not find it by its name. The ids stay, so all states are read once.
    """
    ids = _ids.setdefault(instance, {})
    state = instance.get_instigator_state(*ids[name]) if name in ids else None
    if state is None:
        states = instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
        ids.update({state.instigator_name: (state.instigator_origin_id, state.selector_id) for state in states})
        state = next((state for state in states if state.instigator_name == name), None)
    return state
