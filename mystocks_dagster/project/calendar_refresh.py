"""Fetching the trading calendar for the project, and the choice of its source."""

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.sources.registry import DEFAULT, is_simulated, open_source
from mystocks_dagster.taskfile.model import Task
from mystocks_dagster.taskfile.signature import params_model
from mystocks_dagster.trading_calendar.refresh import RefreshResult, refresh


def refresh_calendar(project: ProjectState, source: str | None = None) -> RefreshResult:
    """Fetch the trading days from a source. Running servers reload them without a command.

    Args:
        project: The project.
        source: Name of the source; None: `MYSTOCKS_SOURCE`, else one that the tasks use.

    Raises:
        UnknownName, SettingsError: The source is unknown or lacks a setting, or the instance cannot be written.
    """
    return refresh(open_source(source or calendar_source(project), project.settings), project.settings)


def calendar_source(project: ProjectState) -> str:
    """Return the name of the source that the calendar is fetched from: of the used ones, a live one first."""
    try:
        names = used_sources(project)
    except MyStocksError:
        names = [DEFAULT]
    return DEFAULT if DEFAULT in names or not names else min(names, key=lambda name: (is_simulated(name), name))


def used_sources(project: ProjectState) -> list[str]:
    """Return the names of the sources that the tasks read, or the one that is set for all of them.

    Raises:
        TaskFileError: The task file is unusable.
    """
    if project.settings.source:
        return [project.settings.source]
    sources = (_source_of(project, task) for task in project.taskfile.tasks)
    return sorted({name for name in sources if name})


def _source_of(project: ProjectState, task: Task) -> str | None:
    """Return the name of the source that a task reads; None if it does not read one."""
    model = params_model(project.version.functions[task.task_id])
    if "data_source" not in task.params and (model is None or "data_source" not in model.model_fields):
        return None
    return task.params.get("data_source") or DEFAULT
