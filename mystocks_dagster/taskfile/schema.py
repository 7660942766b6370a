"""The JSON Schema of a task file, for completion, hints and checks in YAML editors."""

import copy
import json
from importlib import import_module
from typing import Any

from mystocks_dagster.taskfile.model import TaskFile
from mystocks_dagster.taskfile.signature import params_model

#: Functions whose params are in the schema, since people write formulas and lists of parameters there, by module. They
#: are named and not imported, as they are above this package.
_WITH_PARAMS = {
    "mystocks_dagster.tasks.indicators": "calculate_technical_indicators",
    "mystocks_dagster.tasks.screening": "screen_market",
}

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
    kinds["Task"]["allOf"] = [_params(module, function, kinds) for module, function in _WITH_PARAMS.items()]
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


def _params(module: str, function: str, kinds: dict[str, Any]) -> dict[str, Any]:
    """Return what the params of a function must be like, and add the models that they use to `kinds`."""
    model = params_model(getattr(import_module(module), function))
    if model is None:
        raise TypeError(f"{function} has no model of its params")
    schema = model.model_json_schema()
    kinds |= schema.pop("$defs", {})
    fields = {name: _property(field) for name, field in schema["properties"].items()}
    short = module.rpartition(".")[2]
    return {
        "if": {
            "required": ["task_module", "task_function"],
            "properties": {"task_module": {"pattern": rf"tasks\.{short}$"}, "task_function": {"const": function}},
        },
        "then": {"properties": {"params": {"properties": fields}}},
    }


def _partial(schema: dict[str, Any], without: str = "") -> dict[str, Any]:
    """Return a mapping's schema without required fields."""
    partial = copy.deepcopy({key: value for key, value in schema.items() if key != "required"})
    partial["properties"].pop(without, None)
    return partial
