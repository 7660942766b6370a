"""Tools about tasks and runs: list, history, logs, why a task failed; with permission also start and fill."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from mystocks_dagster.days import day_or_none
from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.project.project import Project
from mystocks_dagster.tags import State, Status

#: Most log lines of an answer.
_MOST_LINES = 200
Name = Annotated[str, Field(description="Id of a task or group.")]
_Day = Annotated[date, BeforeValidator(day_or_none)]


def reading_tools(project: Callable[[], Project]) -> list[Callable[..., Any]]:
    """Return the tools that change nothing."""

    def list_tasks() -> list[dict[str, Any]]:
        """List the tasks and groups: id, name, type, whether its schedule is on, next start, last status."""
        current = project()
        statistics, switches = current.history.statistics(), current.schedules.switches()
        listed = []
        for task in current.taskfile.tasks:
            figures, switch = statistics.get(task.task_id), switches.get(task.task_id)
            start = next(iter(current.schedules.next_runs(task.task_id, 1)), None) if switch and switch.on else None
            listed.append(
                {
                    "task_id": task.task_id,
                    "name": task.task_name,
                    "type": task.task_type,
                    "schedule_on": bool(switch and switch.on),
                    "next_start": start and start.time.isoformat(),
                    "last_status": figures and figures.last_status,
                    "success_rate": figures and figures.success_rate,
                }
            )
        groups = [
            {"group_id": group.group_id, "name": group.group_name, "tasks": group.tasks}
            for group in current.taskfile.task_groups
        ]
        return [*listed, *groups]

    def executions(
        name: Annotated[str | None, Field(description="Id of a task or group; all by default.")] = None,
        status: Annotated[Status | None, Field(description="Only executions with this status.")] = None,
        limit: Annotated[int, Field(ge=1, le=100)] = 20,
    ) -> list[dict[str, Any]]:
        """List executions, newest first: when they ran, how they ended, with message and error."""
        return [item.to_json() for item in project().history.executions(name, limit=limit, status=status)]

    def log(name: Annotated[str, Field(description="Id of a task, an execution or a run.")]) -> list[str]:
        """Get the last lines of an execution's log."""
        return _log(project(), name)

    def explain_failure(name: Name) -> dict[str, Any]:
        """Explain the last failure of a task: its error, its last log lines, and what can be done."""
        current = project()
        current.find(name)
        failed = [
            execution
            for status in (State.FAILED, State.PARTIAL_SUCCESS)
            for execution in current.history.executions(name, limit=1, status=status)
        ]
        if failed:
            execution = max(failed, key=lambda one: one.start_time.timestamp() if one.start_time else 0.0)
            return {
                "execution": execution.to_json(),
                "log": _log(current, execution.execution_id)[-30:],
                "next": [
                    f"mystocks logs {execution.execution_id}",
                    f"mystocks run {name} --failed-only",
                    "mystocks doctor",
                ],
            }
        return {"message": f"{name} has no failed execution."}

    def health() -> dict[str, Any]:
        """Check whether the project does its work: daemon, schedules, late data, disk."""
        return project().health().to_json()

    return [list_tasks, executions, log, explain_failure, health]


def starting_tools(project: Callable[[], Project]) -> list[Callable[..., Any]]:
    """Return the tools that start runs, for `mystocks mcp --allow-start`."""

    def start(
        name: Name,
        params: Annotated[
            dict[str, Any] | None, Field(description="Parameters of the task, for this run only.")
        ] = None,
    ) -> dict[str, str]:
        """Start a task or group now; `executions` tells how it ends."""
        return {"run_id": project().runs.start(name, params or {})}

    def fill(
        table: Annotated[str, Field(description="A table that is loaded by trading day.")], first: _Day, last: _Day
    ) -> dict[str, Any]:
        """Load the missing trading days of a table, each stretch from its cheapest source."""
        current = project()
        plan = current.coverage.plan([table], start=first, end=last)
        if not plan.fills:
            raise InvalidParams(f"Nothing of {table} can be filled from {first} to {last}: {plan.to_json()}")
        return {"run_ids": current.runs.fill(plan.fills), "plan": plan.to_json()}

    return [start, fill]


def _log(project: Project, name: str) -> list[str]:
    texts = [project.logs.read(execution.execution_id) for execution in project.logs.find(name)]
    return "".join(texts).splitlines()[-_MOST_LINES:]
