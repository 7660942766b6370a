"""The calls that tasks and groups have in common: register, show, change, stop, the switch, the next starts."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from mystocks_dagster.api.request_models import DryRun, Fields, Manager
from mystocks_dagster.api.response_models import BODY, NextRun, SwitchState, TaskResponse, described
from mystocks_dagster.manager.tasks import TaskManager
from mystocks_dagster.scheduling.switch_table import Switch
from mystocks_dagster.taskfile.model import Group, Task
from mystocks_dagster.taskfile.names import ID_PATTERN, LONGEST_ID

Count = Annotated[int, Query(ge=1, le=1000, description="How many of each schedule.")]
#: Call to the manager's method, and what it does.
_SWITCHES: tuple[tuple[str, Callable[[TaskManager, str], Switch], str], ...] = (
    ("enable", TaskManager.enable, "Switch a {noun}'s schedule on, whatever the file says."),
    ("disable", TaskManager.disable, "Switch a {noun}'s schedule off, whatever the file says; what runs goes on."),
    ("reset", TaskManager.reset, "Let the file's `enabled` count again."),
)


def to_public(entry: Task | Group, switches: dict[str, Switch]) -> dict[str, Any]:
    """Return a task or group as the calls show it: all fields, secrets as `${VAR}`, and its switch."""
    name = entry.task_id if isinstance(entry, Task) else entry.group_id
    switch = switches.get(name)
    return {**entry.masked(), "switch": switch.to_json() if switch else None}


def add_calls(router: APIRouter, noun: str, schema: str, tags: list[Any]) -> None:
    """Add the calls of one kind to its router.

    Args:
        router: With the kind's prefix.
        noun: `task` or `group`: in the names and descriptions of the calls, and in the names of the manager's methods.
        schema: Of the body of `register`.
        tags: Where /docs also lists the calls about a schedule.
    """
    get_entry: Callable[[TaskManager, str], Task | Group] = getattr(TaskManager, f"get_{noun}")
    register_entry, update_entry = (getattr(TaskManager, f"{verb}_{noun}") for verb in ("register", "update"))
    named = Path(alias=f"{noun}_id", pattern=ID_PATTERN, max_length=LONGEST_ID, description=f"Id of a {noun}.")
    Id = Annotated[str, named]
    at_id = f"/{{{noun}_id}}"

    def call(method: str, path: str, name: str, description: str, model: Any = TaskResponse, **options: Any) -> Any:
        return router.api_route(
            path, methods=[method], name=name, description=description, responses=described(model), **options
        )

    @call(
        "POST",
        "/register",
        f"register_{noun}",
        f"Register a {noun}: add it to tasks.yaml.",
        openapi_extra={BODY: schema},
    )
    def register(manager: Manager, config: Fields, dry_run: DryRun = False) -> Any:
        return register_entry(manager, config, dry_run=dry_run).to_json()

    @router.get(
        at_id,
        name=f"get_{noun}",
        description=f"Show a {noun}.",
        responses=described(dict[str, Any], f"A {noun} with all its fields"),
    )
    def get(manager: Manager, name: Id) -> Any:
        return to_public(get_entry(manager, name), manager.switches())

    @call(
        "PATCH",
        at_id,
        f"update_{noun}",
        f"Change fields of a {noun}: null removes a field, mappings are merged, all else replaces (RFC 7386).",
    )
    def update(manager: Manager, name: Id, changes: Fields, dry_run: DryRun = False) -> Any:
        return update_entry(manager, name, changes, dry_run=dry_run).to_json()

    @call("POST", f"{at_id}/stop", f"stop_{noun}", f"Stop what a {noun} has under way; answered when it has ended.")
    def stop(manager: Manager, name: Id) -> Any:
        return manager.stop_task(name).to_json()

    def switch(turn: Callable[[TaskManager, str], Switch]) -> Callable[..., Any]:
        def turned(manager: Manager, name: Id) -> Any:
            get_entry(manager, name)
            return turn(manager, name).to_json()

        return turned

    for verb, turn, description in _SWITCHES:
        add = call("POST", f"{at_id}/{verb}", f"{verb}_{noun}", description.format(noun=noun), SwitchState, tags=tags)
        add(switch(turn))

    @call(
        "GET",
        f"{at_id}/next",
        f"next_runs_of_{noun}",
        f"List the coming starts of a {noun}; none while its schedule is off.",
        list[NextRun],
        tags=tags,
    )
    def next_runs(manager: Manager, name: Id, count: Count = 10) -> Any:
        get_entry(manager, name)
        return [start.to_json() for start in manager.next_runs(name, count)]
