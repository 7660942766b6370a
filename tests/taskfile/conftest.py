"""A package of task functions, and task files in folders of their own."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mystocks_dagster.taskfile.problems import Problem
from mystocks_dagster.taskfile.reader import check_task_file

JOBS = """
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mystocks_dagster.tasks.run import declares


class Params(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    data_source: Literal["akshare", "simulated"] | None = Field(default=None, description="Where from.")
    symbols: list[str] = Field(default=[], description="Which.")
    days: int = Field(default=1, ge=1, le=30, description="How many.")
    start: date | None = Field(default=None, description="From when.")
    token: str | None = Field(default=None, description="A secret.")


class Fragile(BaseModel):
    value: int = 0

    @field_validator("value")
    @classmethod
    def _break(cls, value: int) -> int:
        return {}[value]


class Telling(BaseModel):
    token: str = ""

    @model_validator(mode="after")
    def _tell(self) -> "Telling":
        raise ValueError(f"{self.token} is not known there")


def telling(params: Telling) -> None:
    pass


def plain(params: dict[str, Any]) -> dict[str, Any]:
    return {"status": "success"}


@declares(writes=("daily_bars",))
def typed(params: Params, run: Any) -> None:
    pass


def fragile(params: Fragile) -> None:
    pass


@declares(snapshot=True)
def snapshot(params: dict[str, Any]) -> None:
    pass


def nothing() -> None:
    pass


async def later(params: Params) -> None:
    pass


def _hidden(params: dict[str, Any]) -> None:
    pass
"""


@pytest.fixture(scope="session", autouse=True)
def _samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Put the package `taskfile_samples` on the Python path."""
    folder = tmp_path_factory.mktemp("packages")
    package = folder / "taskfile_samples"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "jobs.py").write_text(JOBS, encoding="utf-8")
    (package / "raises.py").write_text("\n1 / 0\n", encoding="utf-8")
    (package / "exits.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    (package / "typo.py").write_text("def f(:\n", encoding="utf-8")
    (package / "needs.py").write_text("import no_such_package_of_mine\n", encoding="utf-8")
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == "taskfile_samples"]:
        del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Write a task file and return its path."""

    def _write(text: str, name: str = "tasks.yaml") -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text).removeprefix("\n"), encoding="utf-8")
        return path

    return _write


@pytest.fixture
def check(write: Callable[[str], Path]) -> Callable[[str], list[Problem]]:
    """Write a task file and return what is wrong with it."""
    return lambda text: check_task_file(write(text), environment={"HOME_TOKEN": "s3cret-value", "SHORT": "12"})


@pytest.fixture
def task() -> Callable[..., str]:
    """Write out one task as an entry of `tasks`; `lines` are added to it. It starts in line 3 of a file."""

    def _task(lines: str = "", *, task_id: str = "sync", kind: str = "cron", function: str = "plain") -> str:
        entry = [
            f"- task_id: {task_id}",
            f"  task_type: {kind}",
            "  task_module: taskfile_samples.jobs",
            f"  task_function: {function}",
        ]
        entry += [f"  {line}" for line in textwrap.dedent(lines).strip("\n").splitlines()]
        return "\n".join(f"  {line}".rstrip() for line in entry) + "\n"

    return _task


@pytest.fixture
def head() -> str:
    """The two lines above the first task."""
    return "task_packages: [taskfile_samples]\ntasks:\n"
