"""The parameters and bodies of the calls, checked before a handler runs."""

import math
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import Body, Depends, Path, Query, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from mystocks_dagster.api.auth import USER
from mystocks_dagster.days import YEARS, day_or_none
from mystocks_dagster.manager.tasks import TaskManager
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.project.access import REST
from mystocks_dagster.project.users import caller_of
from mystocks_dagster.taskfile.names import ID_PATTERN, LONGEST_ID

#: Largest nesting depth of a body. Real tasks stay far below; unbounded nesting would exhaust recursive code.
_MAX_DEPTH = 30


async def _manager(request: Request) -> TaskManager:
    user, state = request.scope.get(USER), request.app.state
    if user is None:
        return state.manager
    return TaskManager(state.manager.settings, caller=caller_of(REST, user), projects=state.projects)


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse values that JSON parsers accept but a task file cannot store."""
    stack: list[tuple[Any, int]] = [(value, 0)]
    while stack:
        node, depth = stack.pop()
        if depth > _MAX_DEPTH:
            raise ValueError(f"nested deeper than {_MAX_DEPTH} levels")
        if isinstance(node, dict):
            stack += [(item, depth + 1) for item in (*node.keys(), *node.values())]
        elif isinstance(node, list):
            stack += [(item, depth + 1) for item in node]
        elif isinstance(node, float) and not math.isfinite(node):
            raise ValueError("NaN and Infinity are not valid JSON; leave the value out or send null")
        elif isinstance(node, str):
            check_text(node)
    return value


def check_text(text: str) -> str:
    """Refuse text that cannot be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("contains a lone surrogate; send UTF-8") from None
    return text


def _aware(moment: datetime) -> datetime:
    if moment.year not in YEARS:
        raise ValueError(f"year {moment.year} is out of range ({YEARS[0]}-{YEARS[-1]})")
    return moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)


def _end_of_day(written: object) -> object:
    """Return the midnight that ends a day, as the commands take it; anything else as it was."""
    try:
        day = date.fromisoformat(str(written))
        return datetime.combine(day + timedelta(days=1), time(), SHANGHAI)
    except (ValueError, OverflowError):
        return written


Manager = Annotated[TaskManager, Depends(_manager)]
TaskId = Annotated[str, Path(pattern=ID_PATTERN, max_length=LONGEST_ID, description="Id of a task.")]
GroupId = Annotated[str, Path(pattern=ID_PATTERN, max_length=LONGEST_ID, description="Id of a group.")]
ExecutionId = Annotated[
    str,
    Path(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}:[A-Za-z][A-Za-z0-9_]*$",
        max_length=200,
        description="Id of an execution, `<run id>:<step>`.",
    ),
]
OptionalId = Annotated[
    str | None,
    Query(
        pattern=ID_PATTERN,
        max_length=LONGEST_ID,
        description="Only this task, or the runs of this group.",
    ),
]
Moment = Annotated[datetime, AfterValidator(_aware)]
#: A day, or none; never a number of seconds, for which pydantic takes 20261127.
Day = Annotated[date | None, BeforeValidator(day_or_none)]
_ZONE = "Shanghai time unless it has an offset."
Since = Annotated[Moment | None, Query(description=f"Only executions that started at or after this time. {_ZONE}")]
Until = Annotated[
    Moment | None,
    BeforeValidator(_end_of_day),
    Query(description=f"Only executions that started before this time; a date includes the whole day. {_ZONE}"),
]
_DRY_RUN = "Check and show the changes without making them."
DryRun = Annotated[bool, Query(description=_DRY_RUN)]
Fields = Annotated[dict[str, Any], Body(), AfterValidator(_plain)]


class StrictModel(BaseModel):
    """Refuses unknown keys, such as misspelt ones."""

    model_config = ConfigDict(extra="forbid")


class StartBody(StrictModel):
    """Options of a start; the body is optional."""

    params: Annotated[dict[str, Any], AfterValidator(_plain)] = Field(
        default_factory=dict, description="Parameters of the task for this run only."
    )
    only: bool = Field(default=False, description="Run without the task's dependencies.")
    failed_only: bool = Field(default=False, description="Repeat just what failed in the task's last execution.")


class ImportBody(StrictModel):
    """What to import: a file in the export folder, or the content of a task file."""

    config_path: Annotated[str, AfterValidator(check_text)] | None = Field(
        default=None, description="A YAML or JSON task file in the export folder.", examples=["tasks_20261124.json"]
    )
    config: Annotated[dict[str, Any], AfterValidator(_plain)] | None = Field(
        default=None, description="The content of a task file: `tasks`, `task_groups`, `defaults`."
    )
    dry_run: bool = Field(default=False, description=_DRY_RUN)


class ExportBody(StrictModel):
    """The file to export to."""

    output_path: Annotated[str, AfterValidator(check_text)] = Field(
        description="A .yaml, .yml or .json file in the export folder. `$(date +%Y%m%d)` in its name becomes the date.",
        examples=["tasks_20261124.json"],
    )
