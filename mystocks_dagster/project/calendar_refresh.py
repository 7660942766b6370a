"""Fetching the trading calendar for the project, and the choice of its source."""

from collections.abc import Sequence

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.settings import Settings
from mystocks_dagster.source_choice import AUTO, split_sources
from mystocks_dagster.sources.preference import ready
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
        return sorted(_expanded(project.settings.source, project.settings))
    return sorted({name for task in project.taskfile.tasks for name in _sources_of(project, task)})


def _sources_of(project: ProjectState, task: Task) -> tuple[str, ...]:
    """Return the names of the sources that a task reads; empty if it does not read one."""
    model = params_model(project.version.functions[task.task_id])
    if "data_source" not in task.params and (model is None or "data_source" not in model.model_fields):
        return ()
    return _expanded(task.params.get("data_source"), project.settings) or (DEFAULT,)


def _expanded(choice: str | Sequence[str] | None, settings: Settings) -> tuple[str, ...]:
    """Return the names in a choice of sources; `auto` is the sources that are ready to be opened."""
    names = split_sources(choice)
    return ready(settings) if names == (AUTO,) else names
