"""The project as the commands open it: what its task file has wrong is said on stderr, once, and ends nothing that only looks or steers."""

from typing import Any

from mystocks_dagster.cli.printing import errors, escape
from mystocks_dagster.settings import Settings


def open_project(settings: Settings | None = None) -> Any:
    """Return the project of this folder."""
    from mystocks_dagster.project.project import Project

    return Project(settings or Settings.from_env(), warn=warn)


def open_task_file(settings: Settings, *, functions: bool = True) -> Any:
    """Return the version of the task file that looking goes by, without Dagster, which takes long to import.

    Args:
        settings: The project's.
        functions: False: nobody asks whether they are right.

    Raises:
        TaskFileError: The file cannot be used, and there is no good version of it.
    """
    from mystocks_dagster.taskfile.last_good import load_for_looking, load_usable, notice

    version = load_for_looking(settings) if functions else load_usable(settings, functions=False)
    if text := notice(version):
        warn(text)
    return version


def warn(text: str) -> None:
    """Print a line to stderr, which programs that read JSON from stdout are not disturbed by."""
    errors.print(f"[yellow]Warning:[/] {escape(text)}")
