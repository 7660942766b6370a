"""Asking for the trading calendar on behalf of the whole project: which source is asked."""

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.sources.registry import DEFAULT, is_simulated, open_source
from mystocks_dagster.taskfile.model import Task
from mystocks_dagster.taskfile.signature import params_model
from mystocks_dagster.trading_calendar.refresh import RefreshResult, refresh


def refresh_calendar(project: ProjectState, source: str | None = None) -> RefreshResult:
    """Ask a source for the trading days that it knows. Servers that run follow by themselves.

    Args:
        project: Whose calendar it is.
        source: Its name; None means the project's own: `MYSTOCKS_SOURCE`, else one that the tasks use.

    Raises:
        UnknownName, SettingsError: There is no such source, it lacks a setting, or the instance cannot be written.
    """
    return refresh(open_source(source or calendar_source(project), project.settings), project.settings)


def calendar_source(project: ProjectState) -> str:
    """Return the name of the source that the project asks: of those that it uses, a live one first."""
    try:
        names = used_sources(project)
    except MyStocksError:
        names = [DEFAULT]
    return DEFAULT if DEFAULT in names or not names else min(names, key=lambda name: (is_simulated(name), name))


def used_sources(project: ProjectState) -> list[str]:
    """Return the names of the sources that the tasks read, or the one that is set for all of them.

    Raises:
        TaskFileError: The task file cannot be used.
    """
    if project.settings.source:
        return [project.settings.source]
    found = (_source_of(project, task) for task in project.taskfile.tasks)
    return sorted({name for name in found if name})


def _source_of(project: ProjectState, task: Task) -> str | None:
    """Return the source that a task reads; None when it reads none."""
    model = params_model(project.version.functions[task.task_id])
    if "data_source" not in task.params and (model is None or "data_source" not in model.model_fields):
        return None
    return task.params.get("data_source") or DEFAULT
