"""Response shapes for the OpenAPI document; the values come from the manager's `to_json`."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task

_REF = "#/components/schemas/{model}"
#: Key in a call's `openapi_extra`: name of the schema of its body.
BODY = "x-body"


class _OpenModel(BaseModel):
    """Allows further fields."""

    model_config = ConfigDict(extra="allow")


class TaskExecution(_OpenModel):
    """One task within one run."""

    execution_id: str
    task_id: str
    status: str = Field(description="pending, running, success, partial_success, failed, skipped or cancelled.")
    start_time: str | None
    end_time: str | None
    duration: float | None = Field(description="Seconds.")
    result: dict[str, Any] | None
    error_message: str | None
    log_path: str | None
    retry_count: int
    run_id: str
    job: str
    params: dict[str, Any] | None


class TaskStatistics(_OpenModel):
    """Counts, durations and success rate of a task."""

    task_id: str
    task_name: str
    total_executions: int
    success_count: int
    failed_count: int
    avg_duration: float | None = Field(description="Seconds.")
    p95_duration: float | None = Field(description="Seconds.")
    last_execution_time: str | None
    last_status: str | None
    success_rate: float | None = Field(description="Percent.")


class TaskResponse(_OpenModel):
    """The result of a request."""

    success: bool
    message: str
    data: dict[str, Any] | None
    task_id: str | None
    execution_id: str | None


class SwitchState(_OpenModel):
    """The switch of a schedule."""

    task_id: str
    on: bool
    file: bool = Field(description="The task file's `enabled`.")
    decided: bool = Field(description="Turned by a person, which overrides the task file until `reset`.")


class NextRun(_OpenModel):
    """The next run of a schedule."""

    task_id: str
    time: str
    weekday: str
    trading_day: bool


class HealthState(_OpenModel):
    """The project's health; only `status` if a token is set and the request lacks it."""

    status: str = Field(description="healthy or degraded.")
    total_tasks: int | None = None
    running_tasks: int | None = None
    total_executions: int | None = None


class Coverage(_OpenModel):
    """The state of each trading day of each table."""

    days: list[str] = Field(description="The trading days, ascending.")
    letters: dict[str, str] = Field(description="Letter to state: complete, partial, missing, quarantined, ...")
    tables: dict[str, str] = Field(description="Table to one letter for each of `days`.")
    counts: dict[str, dict[str, int]] = Field(description="Table to the number of days in each state.")
    gaps: list[dict[str, Any]] = Field(description="Stretches of days that are not complete.")
    never_loaded: dict[str, str | None] = Field(description="Table without any day to the task that loads it.")
    outdated: list[dict[str, Any]] = Field(description="Computed tables whose inputs have changed since.")


class PassedSymbol(_OpenModel):
    """A symbol that passes a screen."""

    symbol: str
    name: str | None = Field(description="Its name; null if no stock list has it.")
    close: float = Field(description="CNY per share, raw.")
    values: dict[str, float | None] = Field(description="The values that made it pass, by their text in the formula.")


class Screened(_OpenModel):
    """The result of a screen."""

    formula: str
    day: str
    period: str
    passed: int = Field(description="Number of symbols that pass, also beyond `limit`.")
    screened: int = Field(description="Number of symbols with a bar on the day.")
    without_values: int = Field(description="Those of them for which a value of the formula does not exist.")
    doubtful: dict[str, str] = Field(description="Symbol that was not screened to the day of its unknown ratio.")
    notes: list[str] = Field(description="What the reader must know.")
    reach: int | None = Field(description="Bars before the day that the formula depends on; null: all.")
    bars: int = Field(description="Number of daily bars that were read.")
    seconds: float
    symbols: list[PassedSymbol]


class Cleaned(_OpenModel):
    """The result of a clean-up."""

    success: bool
    count: int = Field(description="Number of removed executions.")


class Exported(_OpenModel):
    """The result of an export."""

    success: bool
    path: str


def add_entry_schemas(document: dict[str, Any]) -> dict[str, Any]:
    """Add the schemas of tasks and groups, which the reader of tasks.yaml validates, to the OpenAPI document."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name, model in (("TaskConfig", Task), ("TaskGroup", Group)):
        schema = model.model_json_schema(ref_template=_REF)
        schemas |= schema.pop("$defs", {})
        schemas[name] = schema
    for calls in document["paths"].values():
        for call in calls.values():
            if name := call.pop(BODY, None):
                call["requestBody"]["content"]["application/json"]["schema"] = {"$ref": _REF.format(model=name)}
    return document


def documented(model: Any, description: str = "Done") -> dict[int | str, dict[str, Any]]:
    """Return the documentation of a call's response; the shape of the response is not validated."""
    return {200: {"model": model, "description": description}}
