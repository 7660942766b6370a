"""What a message suggests to run: the groups of the shipped task file, or what this project has instead."""

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.project.project import Project
from mystocks_dagster.taskfile.group import Group

#: The groups that the demo runs.
DEMO_GROUPS = ("daily_job", "market_data_fetch")
#: The group that loads the newest trading day and what depends on it.
_DAILY = "daily_job"


def run_command(project: Project) -> str:
    """Return the command that runs the project's daily group, else its first group or task."""
    try:
        entries = project.taskfile.by_id()
    except MyStocksError:  # the file cannot be used, which another message says
        entries = {}
    groups = [name for name, entry in entries.items() if isinstance(entry, Group)]
    name = _DAILY if _DAILY in groups else next(iter([*groups, *entries]), "TASK")
    return f"mystocks run {name}"


def demo_lacks(project: Project) -> list[str]:
    """Return the groups of the demo that the project's task file does not have.

    Raises:
        TaskFileError: The task file cannot be used.
    """
    entries = project.version.taskfile.by_id()
    broken = project.version.broken
    return [name for name in DEMO_GROUPS if not isinstance(entries.get(name), Group) and name not in broken]
