"""Run any program as a task."""

import subprocess
from pathlib import Path

from pydantic import Field

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.tasks.param_types import TaskParams
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares


class CommandParams(TaskParams):
    """Parameters of `run_command`."""

    command: list[str] = Field(
        min_length=1, description="The program and its arguments, one item each; no shell is used."
    )
    folder: str = Field(
        default="", description="Working directory, relative to the project's root; empty means the root."
    )


@declares()
def run_command(params: CommandParams, run: TaskRun) -> TaskResult:
    """Run a program until it ends; its output goes to the task's log, and it ends when the task is stopped.

    Raises:
        InvalidParams: The program or the folder does not exist, or access is denied.
    """
    folder = Path(run.settings.root, params.folder)
    if not folder.is_dir():
        raise InvalidParams(f"folder: {folder} is not a folder.")
    try:
        code = subprocess.run(params.command, cwd=folder, stdin=subprocess.DEVNULL, check=False).returncode
    except OSError as error:
        raise InvalidParams(f"command: {params.command[0]!r} cannot be started: {error.strerror}.") from None
    if code:
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        return TaskResult(status="failed", error=f"{params.command[0]} ended with {how}")
    return TaskResult(message=f"{params.command[0]} ended with exit code 0")
