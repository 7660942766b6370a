"""A program as a task: how its end is reported, and what is refused."""

import sys

import pytest
from pydantic import ValidationError

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.tasks.process import CommandParams, run_command
from mystocks_dagster.tasks.run import TaskRun


@pytest.mark.slow
def test_exit_code_0_is_success_and_any_other_is_named(computing: TaskRun) -> None:
    assert run_command(CommandParams(command=["true"]), computing).status == "success"
    failed = run_command(CommandParams(command=[sys.executable, "-c", "raise SystemExit(3)"]), computing)
    assert (failed.status, failed.error) == ("failed", f"{sys.executable} ended with exit code 3")


@pytest.mark.slow
def test_a_program_or_folder_that_does_not_exist_is_named(computing: TaskRun) -> None:
    with pytest.raises(InvalidParams, match="'no-such-program' cannot be started: No such file"):
        run_command(CommandParams(command=["no-such-program"]), computing)
    with pytest.raises(InvalidParams, match=r"folder: .*nowhere is not a folder"):
        run_command(CommandParams(command=["true"], folder="nowhere"), computing)


def test_a_shell_line_is_no_command() -> None:
    with pytest.raises(ValidationError):
        CommandParams.model_validate({"command": "rm -r /"})
    with pytest.raises(ValidationError):
        CommandParams(command=[])
