"""REST calls that tasks and groups share: register, get, update, stop, switch, next runs."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from mystocks_dagster.api.request_models import DryRun, Fields, Manager
from mystocks_dagster.api.response_models import BODY, NextRun, SwitchState, TaskResponse, documented
from mystocks_dagster.manager.tasks import TaskManager
from mystocks_dagster.scheduling.switch_table import Switch
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task
from mystocks_dagster.taskfile.names import ID_PATTERN, LONGEST_ID

Count = Annotated[int, Query(ge=1, le=1000, description="Number of next runs per schedule.")]
_REGISTER = "Register a {noun}: add it to tasks.yaml."
_GET = "Get a {noun} with all its fields."
_UPDATE = "Update fields of a {noun} by JSON Merge Patch (RFC 7386): null removes a field, mappings are merged."
_STOP = "Stop the active runs of a {noun}; responds when they have ended."
_NEXT = "List the next runs of a {noun}; empty while its schedule is off."
#: Call, the manager's method and the description.
_SWITCHES: tuple[tuple[str, Callable[[TaskManager, str], Switch], str], ...] = (
    ("enable", TaskManager.enable, "Turn a {noun}'s schedule on, overriding the task file."),
    ("disable", TaskManager.disable, "Turn a {noun}'s schedule off, overriding the task file. Active runs continue."),
    ("reset", TaskManager.reset, "Reset the switch to the task file's `enabled`."),
)


def to_public(entry: Task | Group, switches: dict[str, Switch]) -> dict[str, Any]:
    """Return a task or group as the calls show it: all fields, secrets masked, and its switch."""
    name = entry.task_id if isinstance(entry, Task) else entry.group_id
    switch = switches.get(name)
    return {**entry.masked(), "switch": switch.to_json() if switch else None}


def add_calls(router: APIRouter, noun: str, schema: str, tags: list[Any]) -> None:
    """Add the calls of one kind of entry to its router.

    Args:
        router: Router with the kind's prefix.
        noun: `task` or `group`, for the names and descriptions of the calls and the names of the manager's methods.
        schema: Name of the schema of `register`'s body.
        tags: Further OpenAPI tags of the calls about schedules.
    """
    calls = _Calls(router, noun)
    calls.add_edits(schema)
    calls.add_schedule(tags)


class _Calls:
    """Adds the calls of one kind of entry to its router."""

    def __init__(self, router: APIRouter, noun: str) -> None:
        self._router, self._noun, self._at_id = router, noun, f"/{{{noun}_id}}"
        self._id = Path(alias=f"{noun}_id", pattern=ID_PATTERN, max_length=LONGEST_ID, description=f"Id of a {noun}.")
        self._get: Callable[[TaskManager, str], Task | Group] = getattr(TaskManager, f"get_{noun}")

    def _call(
        self, verb: str, method: str, path: str, description: str, model: Any = TaskResponse, **options: Any
    ) -> Any:
        name, text = f"{verb}_{self._noun}", description.format(noun=self._noun)
        responses = documented(model)
        return self._router.api_route(
            path, methods=[method], name=name, description=text, responses=responses, **options
        )

    def add_edits(self, schema: str) -> None:
        """Add register, get, update and stop."""
        Id = Annotated[str, self._id]
        at_id, get_entry = self._at_id, self._get
        register_entry, update_entry = (getattr(TaskManager, f"{verb}_{self._noun}") for verb in ("register", "update"))

        @self._call("register", "POST", "/register", _REGISTER, openapi_extra={BODY: schema})
        def register(manager: Manager, config: Fields, dry_run: DryRun = False) -> Any:
            return register_entry(manager, config, dry_run=dry_run).to_json()

        @self._call("get", "GET", at_id, _GET, dict[str, Any])
        def get(manager: Manager, name: Id) -> Any:
            return to_public(get_entry(manager, name), manager.switches())

        @self._call("update", "PATCH", at_id, _UPDATE)
        def update(manager: Manager, name: Id, changes: Fields, dry_run: DryRun = False) -> Any:
            return update_entry(manager, name, changes, dry_run=dry_run).to_json()

        @self._call("stop", "POST", f"{at_id}/stop", _STOP)
        def stop(manager: Manager, name: Id) -> Any:
            return manager.stop_task(name).to_json()

    def add_schedule(self, tags: list[Any]) -> None:
        """Add enable, disable, reset and next."""
        Id = Annotated[str, self._id]
        at_id, get_entry = self._at_id, self._get

        def handler(turn: Callable[[TaskManager, str], Switch]) -> Callable[..., Any]:
            def turn_switch(manager: Manager, name: Id) -> Any:
                get_entry(manager, name)
                return turn(manager, name).to_json()

            return turn_switch

        for verb, turn, description in _SWITCHES:
            self._call(verb, "POST", f"{at_id}/{verb}", description, SwitchState, tags=tags)(handler(turn))

        @self._call("next_runs_of", "GET", f"{at_id}/next", _NEXT, list[NextRun], tags=tags)
        def next_runs(manager: Manager, name: Id, count: Count = 10) -> Any:
            get_entry(manager, name)
            return [start.to_json() for start in manager.next_runs(name, count)]
