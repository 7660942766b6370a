"""The parameters of a start: refused if they are not those of its task, else Dagster's config of the run."""

from collections.abc import Mapping
from typing import Any

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.excerpts import near, sentence
from mystocks_dagster.factory.config_schema import form_values
from mystocks_dagster.taskfile.entries import params_faults
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task
from mystocks_dagster.taskfile.problems import Fault, path_text
from mystocks_dagster.taskfile.reader import Version
from mystocks_dagster.taskfile.signature import params_model


def config_of(version: Version, entry: Task | Group, params: Mapping[str, Any], *, only: bool) -> dict[str, Any]:
    """Return Dagster's config of a run with these parameters; empty without any.

    Args:
        version: The task file.
        entry: The task or group that is started.
        params: Values of the task's parameters, for this run only.
        only: Whether the tasks that it depends on are skipped.

    Raises:
        InvalidParams: Its function rejects the parameters, or it is a group, which takes none and no `only`.
    """
    if isinstance(entry, Group):
        if params or only:
            raise InvalidParams(f"{entry.group_id} is a group; only a single task takes parameters or --only.")
        return {}
    function = version.functions[entry.task_id]
    model = params_model(function)
    if not model:
        _check_names(entry, params)
    elif params:
        secret = [(name,) for name in entry.secrets]
        if faults := params_faults(model, function, {**entry.params, **params}, secret):
            raise InvalidParams(f"{entry.task_id} was not started. " + " ".join(map(_told, faults)))
    return {"ops": {entry.dagster_name: {"config": form_values(function, params)}}} if params else {}


def unlisted(version: Version, entry: Task | Group, params: Mapping[str, Any]) -> list[str]:
    """Return a warning per parameter that the task file does not list, if the function takes a plain dict."""
    if isinstance(entry, Group) or params_model(version.functions[entry.task_id]):
        return []
    listed = ", ".join(entry.params) or "none"
    return [
        f"{entry.task_id} has no parameter {param!r} in the task file (it has: {listed}); its function gets it anyway."
        for param in params
        if param not in entry.params
    ]


def _check_names(task: Task, params: Mapping[str, Any]) -> None:
    """Refuse a probably misspelt parameter of a function that takes a plain dict, which would have no effect."""
    for name in params:
        if name not in task.params and (similar := near(name, task.params)):
            raise InvalidParams(
                f"{task.task_id} was not started. It has no parameter {name!r} in the task file. "
                f"Did you mean {similar[0]!r}?"
            )


def _told(fault: Fault) -> str:
    """Return a fault of a parameter in a sentence, which names the parameter once."""
    said = fault.message.removeprefix(f"{fault.path[-1]}: ") if fault.path else fault.message
    return f"{path_text(('params', *fault.path))}: {sentence(said)} {fault.hint}".strip()
