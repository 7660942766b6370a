"""From one entry as it is written to a `Task` or `Group`, with everything that is wrong with it by itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mystocks_dagster.taskfile import explain
from mystocks_dagster.taskfile.document import Raw, with_defaults
from mystocks_dagster.taskfile.functions import Function, Functions, Unresolved, params_model
from mystocks_dagster.taskfile.model import Entry, Group, Task, task_faults
from mystocks_dagster.taskfile.problems import Fault, Path
from mystocks_dagster.taskfile.relations import Named
from mystocks_dagster.taskfile.schedule import schedule_faults
from mystocks_dagster.taskfile.variables import resolve_variables

E = TypeVar("E", bound=Entry)


@dataclass(frozen=True)
class Built:
    """What became of one entry.

    Attributes:
        entry: The task or group; None when something is wrong with it.
        function: The task's function, when functions are resolved.
        faults: What is wrong, with paths within the entry.
        named: Its id and the ids that it refers to; None when it has no id.
    """

    raw: Raw
    entry: Task | Group | None
    function: Function | None
    faults: tuple[Fault, ...]
    named: Named | None


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
        """Return the entry, or what is wrong with it."""
        if not isinstance(raw.data, dict):
            return Built(raw, None, None, (Fault((), "an entry is a mapping", "Write `key: value` lines."),), None)
        return self._task(raw, raw.data) if raw.section == "tasks" else self._group(raw, raw.data)

    def _task(self, raw: Raw, data: dict[str, Any]) -> Built:
        values, written, faults = resolve_variables(with_defaults(self.defaults, data), self.environment)
        function, params, more = self._resolve(values, written)
        values = {**values, "params": params} if isinstance(params, dict) else values
        task, wrong = _validated(Task, values, written, [*faults, *more])
        wrong += _without_known(wrong, [*task_faults(values), *_schedule_faults(values)])
        return Built(raw, None if wrong else task, function, tuple(wrong), _named(raw, values, "dependencies"))

    def _group(self, raw: Raw, data: dict[str, Any]) -> Built:
        values, written, faults = resolve_variables(data, self.environment)
        group, wrong = _validated(Group, values, written, faults)
        wrong += _without_known(wrong, _schedule_faults(values))
        return Built(raw, None if wrong else group, None, tuple(wrong), _named(raw, values, "tasks"))

    def _resolve(self, values: dict[str, Any], written: Mapping[Path, str]) -> tuple[Function | None, Any, list[Fault]]:
        """Return the function, the params without defaults that it does not take, and what is wrong with either."""
        module, name, params = (values.get(key) for key in ("task_module", "task_function", "params"))
        if self.functions is None or not (isinstance(module, str) and module and isinstance(name, str) and name):
            return None, params, []
        try:
            function = self.functions.resolve(module, name)
        except Unresolved as error:
            return None, params, [Fault((error.field,), error.message, error.hint)]
        faults = list(_misfire_faults(values, function))
        model = params_model(function)
        if model is None or not isinstance(params, dict | None):
            return function, params, faults
        params = self._taken(model, params or {})
        secret = [path[1:] for path in written if path[0] == "params"]
        faults += [fault._replace(path=("params", *fault.path)) for fault in params_faults(model, name, params, secret)]
        return function, params, faults

    def _taken(self, model: type[BaseModel], params: dict[str, Any]) -> dict[str, Any]:
        """Return the params without those that only the file's defaults give and the function does not take."""
        common = self.defaults.get("params")
        fields = {*model.model_fields, *(field.alias for field in model.model_fields.values())}
        if not isinstance(common, dict) or common.keys() <= fields:
            return params
        own = self._own_params
        return {key: value for key, value in params.items() if key in fields or key in own}
