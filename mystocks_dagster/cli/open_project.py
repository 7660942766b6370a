"""Opening the project for commands. A broken task file is a warning on stderr, since most commands still work."""

from typing import Any

from mystocks_dagster.cli.printing import errors, escape
from mystocks_dagster.settings import Settings


def open_project_to_run(settings: Settings | None = None) -> Any:
    """Return the project of this folder, for a command that starts runs and follows them.

    Where no daemon takes a run off the queue, its process is forked from this one, which has imported Dagster already.

    Raises:
        OtherLake: Other machines execute the runs, and their lake or source is another one.
    """
    from mystocks_dagster.project.daemon_queue import is_taken_by_daemon

    settings = settings or Settings.from_env()
    if not is_taken_by_daemon(settings):
        from mystocks_dagster.factory import fork_server

        fork_server.begin()
    return open_project(settings)


def open_project(settings: Settings | None = None) -> Any:
    """Return the project of this folder."""
    from mystocks_dagster.project.project import Project

    return Project(settings or Settings.from_env(), warn=warn)


def open_task_file(settings: Settings, *, functions: bool = True) -> Any:
    """Return the version of the task file for reading, without importing Dagster, which is slow.

    Args:
        settings: The project's settings.
        functions: Whether the tasks' functions are checked.

    Raises:
        TaskFileError: The file is unusable, and there is no last good version.
    """
    from mystocks_dagster.taskfile.last_good import load_for_reading, load_usable, notice

    version = load_for_reading(settings) if functions else load_usable(settings, functions=False)
    if text := notice(version):
        warn(text)
    return version


def warn(text: str) -> None:
    """Print a warning to stderr, so that JSON on stdout stays valid."""
    errors.print(f"[yellow]Warning:[/] {escape(text)}")


def ui_command(settings: Settings) -> str:
    """Return the command that starts the web UI: that of a clone, or of a project of one's own."""
    return "make ui" if (settings.root / "Makefile").is_file() else "mystocks ui"
