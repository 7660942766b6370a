"""What the calls take: ids, moments, bodies; each is checked before a handler sees it."""

import math
from datetime import datetime
from typing import Annotated, Any

from fastapi import Body, Depends, Path, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mystocks_dagster.manager.tasks import TaskManager
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.taskfile.names import ID_PATTERN, LONGEST_ID

#: Deeper than any honest task; what is nested without end would exhaust whoever walks it.
_DEEPEST = 30
_YEARS = range(1970, 2201)


async def _manager(request: Request) -> TaskManager:
    return request.app.state.manager


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what JSON parsers let through and no file can hold."""
    waiting: list[tuple[Any, int]] = [(value, 0)]
    while waiting:
        one, depth = waiting.pop()
        if depth > _DEEPEST:
            raise ValueError(f"it is nested deeper than {_DEEPEST} levels")
        if isinstance(one, dict):
            waiting += [(item, depth + 1) for pair in one.items() for item in pair]
        elif isinstance(one, list):
            waiting += [(item, depth + 1) for item in one]
        elif isinstance(one, float) and not math.isfinite(one):
            raise ValueError("NaN and Infinity are no JSON; leave the value out, or write null")
        elif isinstance(one, str):
            _check_text(one)
    return value


def _check_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half of a character (a lone surrogate); send UTF-8") from None
    return text


def _aware(moment: datetime) -> datetime:
    if moment.year not in _YEARS:
        raise ValueError(f"the year {moment.year} cannot be meant; {_YEARS[0]} to {_YEARS[-1]}")
    return moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)


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
        description="Only this task; of executions, also those of a group's runs.",
    ),
]
Moment = Annotated[datetime, AfterValidator(_aware)]
Since = Annotated[
    Moment | None, Query(description="Only what started at or after this time; Shanghai's when it has no offset.")
]
Until = Annotated[
    Moment | None, Query(description="Only what started before this time; Shanghai's when it has no offset.")
]
DryRun = Annotated[bool, Query(description="Check it and show the difference; change nothing.")]
Fields = Annotated[dict[str, Any], Body(), AfterValidator(_plain)]


class _Closed(BaseModel):
    """A misspelt key is refused rather than ignored."""

    model_config = ConfigDict(extra="forbid")


class StartBody(_Closed):
    """How to start a task; may be left out."""

    params: Annotated[dict[str, Any], AfterValidator(_plain)] = Field(
        default_factory=dict, description="Values for the task's parameters, for this run only."
    )
    only: bool = Field(default=False, description="Leave out the tasks that it depends on.")


class ImportBody(_Closed):
    """What to import: a file of the export folder, or the tasks themselves."""

    config_path: Annotated[str, AfterValidator(_check_text)] | None = Field(
        default=None, description="A task file, YAML or JSON, in the export folder.", examples=["tasks_20261124.json"]
    )
    config: Annotated[dict[str, Any], AfterValidator(_plain)] | None = Field(
        default=None, description="The content of a task file: `tasks`, `task_groups`, `defaults`."
    )
    dry_run: bool = Field(default=False, description="Check it and show the difference; change nothing.")


class ExportBody(_Closed):
    """Where to export to."""

    output_path: Annotated[str, AfterValidator(_check_text)] = Field(
        description="A file in the export folder, .yaml, .yml or .json. `$(date +%Y%m%d)` in its name is read as a shell would.",
        examples=["tasks_20261124.json"],
    )
