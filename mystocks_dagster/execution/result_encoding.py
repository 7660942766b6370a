"""Encoding of a function's return value in the task's process, and decoding to a `TaskResult` at the caller."""

import json
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.execution.jsonable import NotJsonable, to_jsonable
from mystocks_dagster.tags import RESULT_STATES, State

if TYPE_CHECKING:
    from mystocks_dagster.tasks.run import TaskResult

#: Characters of JSON. A result is stored with the run and shown in the UI; data belongs in the lake.
_LARGEST = 5_000_000


class BadResult(MyStocksError, status=500, exit_code=1):
    """The function's return value is not a result; the message says what it may return."""

    remedy = "Return None, a mapping such as `{'status': 'success'}`, or a `TaskResult`; docs/how-to.md has an example."


def to_record(returned: Any) -> dict[str, Any]:
    """Return a result as JSON values.

    None is a success. A mapping's known keys (those of `TaskResult`) keep their meaning where their value has the right
    type; all others become metadata. A dataclass or a pydantic model is read as the mapping of its fields.

    Raises:
        BadResult: The value is none of these, has an unknown status, holds a value that JSON cannot express, or is
            too large to be stored with a run.
    """
    if returned is None:
        return {"status": State.SUCCESS}
    if not (isinstance(returned, Mapping) or _has_fields(returned)):
        raise BadResult(f"it returned a {type(returned).__name__}; return a dict, a TaskResult or None.")
    try:
        values = to_jsonable(returned, "")
    except NotJsonable as error:
        raise BadResult(
            f"its result cannot be stored: {error.where} is a {error.kind}; return text, numbers, lists and dicts."
        ) from None
    size = len(json.dumps(values))
    if size > _LARGEST:
        raise BadResult(f"its result is too large: {size:,} characters; store data in the lake and return counts.")
    return _to_record(values, strict=not isinstance(returned, Mapping))


def from_record(record: Mapping[str, Any]) -> "TaskResult":
    """Return the result that `to_record` wrote."""
    from mystocks_dagster.tasks.run import TaskResult

    fields: dict[str, Any] = {
        **record,
        "days": {table: tuple(map(date.fromisoformat, days)) for table, days in record.get("days", {}).items()},
        "failed_items": tuple(map(str, record.get("failed_items", ()))),
    }
    return TaskResult(**fields)


def _has_fields(value: Any) -> bool:
    return not isinstance(value, type) and (is_dataclass(value) or hasattr(type(value), "model_fields"))


def _to_record(values: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    """Separate the fields of a `TaskResult` from metadata; `strict` refuses a field of another type."""
    status = values.pop("status", State.SUCCESS)
    if status not in RESULT_STATES:
        raise BadResult(f"it returned status {status!r}; allowed: {', '.join(RESULT_STATES)}.")
    record: dict[str, Any] = {"status": status}
    metadata = values.pop("metadata", {})
    others = {"metadata": metadata} if not isinstance(metadata, dict) else metadata
    for key, value in values.items():
        if key not in _CHECKS:
            others[key] = value
        elif _CHECKS[key](value):
            record[key] = value
        elif strict and value is not None:
            raise BadResult(f"its result's {key} is {value!r:.80}, which is not of the type that TaskResult declares.")
        elif value is not None:
            others[key] = value
    return {**record, "metadata": others}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_counts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_count, value.values()))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_seconds(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, int | float) for item in value.values())


def _is_days(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_day_list, value.values()))


def _is_day_list(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_day, value))


def _is_day(value: Any) -> bool:
    try:
        date.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "message": _is_text,
    "error": _is_text,
    "rows": _is_counts,
    "days": _is_days,
    "failed_items": _is_list,
    "retry_params": _is_mapping,
    "stages": _is_seconds,
}
