"""The steps of a run as Dagster's own classes have them: slow, and without any code of ours."""

from typing import Any

import dagster as dg

_STARTED = (dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_RESTARTED)
_ENDED = (dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE)


def steps_of(instance: dg.DagsterInstance, run_id: str) -> dict[str, dict[str, Any]]:
    """Return, by step that has begun, what Dagster says of it."""
    found: dict[str, dict[str, Any]] = {}
    for entry in instance.all_logs(run_id):
        event = entry.dagster_event
        if event is None or event.step_key is None:
            continue
        step = found.setdefault(event.step_key, {"starts": [], "end": None, "reported": {}, "error": None})
        if event.event_type in _STARTED:
            step["starts"].append(entry.timestamp)
        if event.event_type in _ENDED:
            step["end"] = entry.timestamp
        if values := {
            name.removeprefix("mystocks/"): value.value
            for name, value in _metadata(event).items()
            if name.startswith("mystocks/")
        }:
            step["reported"] = values
        if event.event_type == dg.DagsterEventType.STEP_FAILURE:
            data = event.step_failure_data
            described = data.user_failure_data and data.user_failure_data.description
            step["error"] = described or (data.error and data.error.message.strip())
    return {name: step for name, step in found.items() if step["starts"]}


def _metadata(event: dg.DagsterEvent) -> Any:
    match event.event_type:
        case dg.DagsterEventType.STEP_OUTPUT:
            return event.step_output_data.metadata
        case dg.DagsterEventType.ASSET_MATERIALIZATION:
            return event.step_materialization_data.materialization.metadata
        case dg.DagsterEventType.STEP_FAILURE:
            user = event.step_failure_data.user_failure_data
            return user.metadata if user else {}
    return {}
