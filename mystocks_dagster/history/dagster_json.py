"""Reads the runs and events that Dagster stores as JSON, without importing Dagster.

Stored class names differ from the names of the classes, and stay the same across versions, as databases do. Values of
an unknown form are deserialized by Dagster itself.
"""

import json
import zlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

#: Event types by their stored names.
STEP_START, STEP_RESTARTED = "STEP_START", "STEP_RESTARTED"
#: Dagster's error of a step whose last attempt has failed outside the task; the reason is its cause.
_RETRIES_USED_UP = ("RetryRequested", "RetryRequestedFromPolicy")
STEP_SUCCESS, STEP_FAILURE = "STEP_SUCCESS", "STEP_FAILURE"
STEP_OUTPUT, ASSET_MATERIALIZATION = "STEP_OUTPUT", "ASSET_MATERIALIZATION"
LOGS_CAPTURED, RUN_FAILURE = "LOGS_CAPTURED", "PIPELINE_FAILURE"
#: Final statuses of a run.
FINISHED = ("SUCCESS", "FAILURE", "CANCELED")
#: Stored class of a metadata value to the field with the value.
_VALUES = {
    "TextMetadataEntryData": "text",
    "FloatMetadataEntryData": "value",
    "IntMetadataEntryData": "value",
    "JsonMetadataEntryData": "data",
    "MarkdownMetadataEntryData": "md_str",
}


class Run(NamedTuple):
    """The fields of a run that the history needs.

    Attributes:
        status: Dagster's, such as STARTED.
        updated: Time of its last change, in seconds since 1970, as Dagster reads it.
        config: Its run config.
        plan: Id of its stored execution plan.
    """

    run_id: str
    status: str
    updated: float
    job: str
    config: Mapping[str, Any]
    plan: str | None

    @classmethod
    def of(cls, run_id: str, status: str, updated: float, body: str) -> "Run":
        """Return the run of a row of Dagster's table."""
        tree = json.loads(body)
        return cls(
            run_id,
            status,
            updated,
            tree["pipeline_name"],
            tree.get("run_config") or {},
            tree.get("execution_plan_snapshot_id"),
        )

    @property
    def finished(self) -> bool:
        """Whether it has ended."""
        return self.status in FINISHED


class Event:
    """An entry of Dagster's event log about a step or the end of a run."""

    def __init__(self, text: str) -> None:
        tree = json.loads(text)
        self._event = tree["dagster_event"]
        self.timestamp: float = tree["timestamp"]
        self.type: str = self._event["event_type_value"]
        self.step: str | None = self._event["step_key"]

    @property
    def message(self) -> str | None:
        """Dagster's message."""
        return self._event["message"]

    @property
    def interrupted(self) -> bool:
        """Whether a step failed because its run was stopped."""
        return (self._data.get("error_source") or {}).get("__enum__") == "ErrorSource.INTERRUPT"

    @property
    def error(self) -> str | None:
        """The error message of a failed step."""
        if description := (self._data.get("user_failure_data") or {}).get("description"):
            return description
        error = self._data.get("error")
        if error and error.get("cause") and error.get("cls_name") in _RETRIES_USED_UP:
            error = error["cause"]
        return error["message"].strip() if error else None

    @property
    def captured(self) -> dict[str, str]:
        """Step to the name of its captured output."""
        return dict.fromkeys(self._data["step_keys"] or (), self._data["log_key"])

    def metadata(self, prefix: str) -> dict[str, Any]:
        """Return the values of the metadata whose names begin with `prefix`, by the rest of the name."""
        return {
            label.removeprefix(prefix): _value(entry["entry_data"])
            for entry in self._entries
            if (label := entry["label"]).startswith(prefix)
        }

    @cached_property
    def _data(self) -> dict[str, Any]:
        return self._event["event_specific_data"] or {}

    @property
    def _entries(self) -> list[dict[str, Any]]:
        match self.type:
            case "ASSET_MATERIALIZATION":
                holder = self._data["materialization"]
            case "STEP_FAILURE":
                holder = self._data.get("user_failure_data")
            case _:
                holder = self._data
        return (holder or {}).get("metadata_entries") or []


def plan_steps(snapshot: bytes) -> list[str]:
    """Return the steps of a stored execution plan, in its order."""
    return json.loads(zlib.decompress(snapshot))["step_keys_to_execute"]


def _value(stored: dict[str, Any]) -> Any:
    field = _VALUES.get(stored["__class__"])
    if field is not None and _is_plain(stored[field]):
        return stored[field]
    import dagster as dg

    value: Any = dg.deserialize_value(json.dumps(stored))
    return value.value


def _is_plain(value: Any) -> bool:
    """Return whether a value is plain JSON, without Dagster's marks for types that JSON does not have."""
    if isinstance(value, dict):
        return not any(key.startswith("__") for key in value) and all(map(_is_plain, value.values()))
    return all(map(_is_plain, value)) if isinstance(value, list) else True
