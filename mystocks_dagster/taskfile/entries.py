"""Building of a `Task` or `Group` from one entry of the file, with all faults within the entry."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mystocks_dagster.taskfile import pydantic_errors
from mystocks_dagster.taskfile.functions import Function, Functions, Unresolved, declared
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Entry, Task, task_faults
from mystocks_dagster.taskfile.problems import Fault, Path
from mystocks_dagster.taskfile.relations import EntryRefs
from mystocks_dagster.taskfile.schedule import schedule_faults
from mystocks_dagster.taskfile.signature import params_model, params_parameter
from mystocks_dagster.taskfile.variables import Written, as_unquoted, resolve_variables
from mystocks_dagster.taskfile.yaml.document import SECTIONS, Raw, Section, with_defaults

E = TypeVar("E", bound=Entry)


@dataclass(frozen=True)
class Built:
    """The result of building one entry.

    Attributes:
        raw: The entry as written.
        entry: The task or group; None when it has faults.
        function: The task's function, when functions are resolved.
        faults: The faults, with paths within the entry.
        refs: Its id and the ids that it refers to; None when it has no id.
    """

    raw: Raw
    entry: Task | Group | None = None
    function: Function | None = None
    faults: tuple[Fault, ...] = ()
    refs: EntryRefs | None = None


@dataclass(frozen=True)
class Builder:
    """Builds entries.

    Attributes:
        defaults: The file's defaults, as they are written.
        environment: Where variables are looked up.
        functions: Resolves functions; None leaves names and params unchecked.
    """

    defaults: Mapping[str, Any]
    environment: Mapping[str, str]
    functions: Functions | None

    def build(self, raw: Raw) -> Built:
        """Return the entry, or its faults."""
        if not isinstance(raw.data, dict):
            message = f"entry {raw.index + 1} of {raw.section} must be a mapping"
            return Built(raw, faults=(Fault((), message, "Write `key: value` lines below each other."),))
        other: Section = "tasks" if raw.section == "task_groups" else "task_groups"
        if SECTIONS[other] in raw.data and SECTIONS[raw.section] not in raw.data:
            return Built(raw, faults=(_misplaced(raw, other),))
        return self._task(raw, raw.data) if raw.section == "tasks" else self._group(raw, raw.data)

    def _task(self, raw: Raw, data: dict[str, Any]) -> Built:
        merged = with_defaults(self.defaults, data)
        function, faults = self._function(merged)
        model = params_model(function) if function else None
        if model:
            merged = self._with_accepted_params(merged, data, model)
        values, written, unset = resolve_variables(merged, self.environment)
        faults += unset
        if model:
            values = _with_numbers(values, model, written)
        task, invalid = _validated(Task, values, written)
        faults += invalid
        if function and model and isinstance(params := values.get("params") or {}, dict):
            secret = [path[1:] for path in _secret_paths(written) if path[0] == "params"]
            faults += (_below("params", fault) for fault in params_faults(model, function, params, secret))
        elif function and values.get("params") and params_parameter(function) is None:
            faults.append(
                Fault(("params",), f"{values['task_function']} takes no parameters", "Remove the params.", at_key=True)
            )
        faults += [*task_faults(values), *_schedule_faults(values)]
        if function:
            faults += _misfire_faults(values, function)
        faults = _first_per_path(faults)
        return Built(raw, None if faults else task, function, faults, _refs(raw, values, "dependencies"))

    def _group(self, raw: Raw, data: dict[str, Any]) -> Built:
        values, written, faults = resolve_variables(data, self.environment)
        group, invalid = _validated(Group, values, written)
        faults = _first_per_path([*faults, *invalid, *_schedule_faults(values)])
        return Built(raw, None if faults else group, None, faults, _refs(raw, values, "tasks"))

    def _function(self, values: Mapping[str, Any]) -> tuple[Function | None, list[Fault]]:
        module, name = values.get("task_module"), values.get("task_function")
        if self.functions is None or not (isinstance(module, str) and module and isinstance(name, str) and name):
            return None, []
        if "${" in module + name:
            return None, []
        try:
            return self.functions.resolve(module, name), []
        except Unresolved as error:
            return None, [Fault((error.field,), error.message, error.hint)]

    def _with_accepted_params(
        self, merged: dict[str, Any], data: Mapping[str, Any], model: type[BaseModel]
    ) -> dict[str, Any]:
        """Remove params that only the file's defaults give and the function does not accept."""
        common, own, params = self.defaults.get("params"), data.get("params"), merged.get("params")
        if not isinstance(common, dict) or not isinstance(params, dict):
            return merged
        accepted = {*model.model_fields, *(field.alias for field in model.model_fields.values()), *(own or ())}
        return {**merged, "params": {key: value for key, value in params.items() if key in accepted}}


def _with_numbers(values: dict[str, Any], model: type[BaseModel], written: Mapping[Path, Written]) -> dict[str, Any]:
    """Return an entry in whose params the text of a variable is a number, or true, where nothing else is accepted.

    A type that is strict for what is written takes no text; a variable has nothing else.
    """
    params = values.get("params")
    variables = {path[1:] for path in written if path[0] == "params"}
    if not variables or not isinstance(params, dict):
        return values
    try:
        model.model_validate(params)
    except ValidationError as error:
        places = [path for path in pydantic_errors.places_of_text(error, params) if path in variables]
    except Exception:  # noqa: BLE001 - a validator is the user's code; `params_faults` reports its exception
        return values
    else:
        return values
    return as_unquoted(values, [("params", *path) for path in places])


def _misplaced(raw: Raw, other: Section) -> Fault:
    kind = "task" if other == "tasks" else "group"
    message = f"the {kind} {raw.data[SECTIONS[other]]!r} is listed under {raw.section}"
    hint = (
        f"Move its lines up, to the end of the list below `{other}:`."
        if kind == "task"
        else f"Move its lines below `{other}:`."
    )
    return Fault((SECTIONS[other],), message, hint, at_key=True)


def params_faults(
    model: type[BaseModel], function: Function, params: dict[str, Any], secret: Sequence[Path] = ()
) -> list[Fault]:
    """Return the faults of a function's params, with paths within the params."""
    try:
        model.model_validate(params)
    except ValidationError as error:
        taker = getattr(function, "__name__", "the function")
        return list(pydantic_errors.faults(error, model, params, secret=secret, taker=taker))
    except Exception as error:  # noqa: BLE001 - a validator is the user's code; its exception becomes a fault
        message = f"{model.__name__} cannot check these params: {type(error).__name__}: {error}"
        message = pydantic_errors.without_secrets(message, params, secret)
        return [Fault((), message, "Correct the validators of that model.")]
    return []


def _validated(model: type[E], values: dict[str, Any], written: Mapping[Path, Written]) -> tuple[E | None, list[Fault]]:
    try:
        entry = model.model_validate(values)
    except ValidationError as error:
        return None, list(pydantic_errors.faults(error, model, values, secret=_secret_paths(written)))
    entry._written = dict(written)  # set once, before the entry is used
    return entry, []


def _secret_paths(written: Mapping[Path, Written]) -> list[Path]:
    return [path for path, value in written.items() if value.secret]


def _schedule_faults(values: Mapping[str, Any]) -> Iterator[Fault]:
    schedule = values.get("schedule")
    if isinstance(schedule, dict):
        yield from (_below("schedule", fault) for fault in schedule_faults(schedule))


def _misfire_faults(values: Mapping[str, Any], function: Function) -> Iterator[Fault]:
    schedule = values.get("schedule")
    if (
        declared(function, values.get("params")).snapshot
        and isinstance(schedule, dict)
        and schedule.get("misfire") == "all"
    ):
        name = getattr(function, "__name__", "the function")
        message = f"misfire cannot be all: {name} takes a snapshot of the present, which cannot be made up for"
        yield Fault(("schedule", "misfire"), message, "Write latest or skip.")


def _refs(raw: Raw, values: Mapping[str, Any], field: str) -> EntryRefs | None:
    names = values.get(field)
    names = names if isinstance(names, (list, tuple)) else ()
    refers = tuple((index, name) for index, name in enumerate(names) if isinstance(name, str))
    endless = values.get("task_type") == "supervisor"
    return EntryRefs(raw.key, raw.first, raw.id, field, refers, endless) if raw.id else None


def _below(key: str, fault: Fault) -> Fault:
    return fault._replace(path=(key, *fault.path))


def _first_per_path(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Keep the first fault of each path: later ones there follow from it."""
    first: dict[Path, Fault] = {}
    for fault in faults:
        first.setdefault(fault.path, fault)
    return tuple(first.values())
