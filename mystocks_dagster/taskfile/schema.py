"""The JSON Schema of a task file, for completion, hints and checks in YAML editors."""

import copy
import json
from typing import Any

from mystocks_dagster.taskfile.model import TaskFile

#: A value that is not free text may also be a variable.
_VARIABLE = {"type": "string", "pattern": r"\$\{"}
_MOMENT = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}|\$\{"}


def task_file_schema() -> dict[str, Any]:
    """Return the schema, generated from the models."""
    schema = TaskFile.model_json_schema()
    kinds = schema["$defs"]
    for model in (schema, *kinds.values()):
        model["properties"] = {name: _property(field) for name, field in model["properties"].items()}
        model.pop("title", None)
    kinds["ScheduleDefaults"] = _partial(kinds["Schedule"])
    kinds["TaskDefaults"] = _partial(kinds["Task"], without="task_id")
    kinds["TaskDefaults"]["properties"]["schedule"] = {"$ref": "#/$defs/ScheduleDefaults"}
    schema["properties"]["defaults"] = {
        **_texts(schema["properties"]["defaults"]),
        "anyOf": [{"$ref": "#/$defs/TaskDefaults"}, {"type": "null"}],
    }
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "MyStocks task file", "required": ["tasks"]}
    # YAML editors know draft 7, in which $defs is called definitions.
    return json.loads(json.dumps({**head, **schema}).replace("$defs", "definitions"))


def schema_text() -> str:
    """Return the schema as it is committed."""
    return json.dumps(task_file_schema(), ensure_ascii=False, indent=2) + "\n"


def _property(schema: dict[str, Any]) -> dict[str, Any]:
    """Return one field's schema without titles; with null where an empty key is allowed, and with variables."""
    schema = {key: value for key, value in schema.items() if key != "title"}
    kinds = schema.pop("anyOf", None) or [{key: schema.pop(key) for key in list(schema) if key not in _texts(schema)}]
    types = [_MOMENT if kind.get("format") == "date-time" else kind for kind in kinds]
    if any(kind.get("type") in ("integer", "boolean", "number") or "enum" in kind for kind in types):
        types.append(_VARIABLE)
    if any(kind.get("type") == "object" or (kind.get("type") == "array" and "default" in schema) for kind in types):
        types.append({"type": "null"})
    return {**schema, **(types[0] if len(types) == 1 else {"anyOf": types})}


def _texts(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: schema[key] for key in ("description", "default", "examples") if key in schema}


def _partial(schema: dict[str, Any], without: str = "") -> dict[str, Any]:
    """Return a mapping's schema without required fields."""
    partial = copy.deepcopy({key: value for key, value in schema.items() if key != "required"})
    partial["properties"].pop(without, None)
    return partial
