"""The shapes of the answers, for the OpenAPI document; the values themselves come from the manager's `to_json`."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mystocks_dagster.taskfile.model import Group, Task

_REF = "#/components/schemas/{model}"
#: Marks, in a call's `openapi_extra`, whose schema its body has.
BODY = "x-body"


class _Open(BaseModel):
    """More fields may come."""

    model_config = ConfigDict(extra="allow")


class TaskExecution(_Open):
    """One task's run."""

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


class TaskStatistics(_Open):
    """How often a task ran and how it went."""

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


class TaskResponse(_Open):
    """What became of a request."""

    success: bool
    message: str
    data: dict[str, Any] | None
    task_id: str | None
    execution_id: str | None


class SwitchState(_Open):
    """Whether a schedule is on."""

    task_id: str
    on: bool
    file: bool = Field(description="What the file says.")
    decided: bool = Field(description="A person has switched it, which counts until it is reset.")


class NextRun(_Open):
    """A coming start."""

    task_id: str
    time: str
    weekday: str
    trading_day: bool


class HealthState(_Open):
    """Whether the project works; only `status` without the token where one is set."""

    status: str = Field(description="healthy or degraded.")
    total_tasks: int | None = None
    running_tasks: int | None = None
    total_executions: int | None = None


class Cleaned(_Open):
    """What a clean-up removed."""

    success: bool
    count: int = Field(description="Executions that were removed.")


class Exported(_Open):
    """Where an export is."""

    success: bool
    path: str


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """Give the OpenAPI document the schemas of tasks and groups, which the reader of tasks.yaml checks by itself."""
    known = document.setdefault("components", {}).setdefault("schemas", {})
    for name, model in (("TaskConfig", Task), ("TaskGroup", Group)):
        schema = model.model_json_schema(ref_template=_REF)
        known |= schema.pop("$defs", {})
        known[name] = schema
    for calls in document["paths"].values():
        for call in calls.values():
            if name := call.pop(BODY, None):
                call["requestBody"]["content"]["application/json"]["schema"] = {"$ref": _REF.format(model=name)}
    return document


def described(model: Any, what: str = "Done") -> dict[int | str, dict[str, Any]]:
    """Return how a call documents its answer, of which the shape is not checked again."""
    return {200: {"model": model, "description": what}}
