"""Run the functions of `bodies/` as a caller would."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.load import slowdown
from support.processes import running

from mystocks_dagster.execution.attempt import LogLine, Outcome, run_attempt
from mystocks_dagster.execution.attempt_spec import AttemptSpec

HERE = Path(__file__).parent


@dataclass
class Heard:
    """An attempt's outcome and all that was heard of it."""

    logs: list[LogLine] = field(default_factory=list)
    progress: list[tuple[int, int, str]] = field(default_factory=list)
    output: dict[str, bytes] = field(default_factory=lambda: {"stdout": b"", "stderr": b""})
    outcome: Outcome | None = None

    @property
    def result(self):
        assert self.outcome.error is None, self.outcome.error
        return self.outcome.result

    @property
    def error(self):
        assert self.outcome.error is not None, self.outcome.result
        return self.outcome.error

    def write(self, stream: str, text: bytes) -> None:
        self.output[stream] += text


@pytest.fixture
def attempt() -> Callable[..., Heard]:
    """Run `module.function` of bodies/ once: `attempt("answers.seed", {"a": 1}, timeout=3)`."""

    def run(name: str, params: dict | None = None, should_stop=None, **fields) -> Heard:
        module, _, function = name.partition(".")
        fields = {"task_id": "a_task", "run_id": "run-1", "task_packages_path": (str(HERE),)} | fields
        body = AttemptSpec(module=f"bodies.{module}", function=function, params=params or {}, **fields)
        heard = Heard()
        heard.outcome = run_attempt(
            body,
            on_log=heard.logs.append,
            on_progress=lambda *report: heard.progress.append(report),
            should_stop=should_stop,
            on_output=heard.write,
        )
        return heard

    return run


@pytest.fixture
def pids(tmp_path: Path) -> Callable[..., list[int]]:
    """Read the processes that a function of bodies/hangs.py noted; `pids.file` is where."""

    def read(at_least: int = 1, within: float = 60.0) -> list[int]:
        deadline = time.monotonic() + within
        while True:
            found = sorted({int(line) for line in read.file.read_text().split()}) if read.file.exists() else []
            if len(found) >= at_least or time.monotonic() > deadline:
                assert len(found) >= at_least, f"only {found} started"
                return found
            time.sleep(0.05)

    read.file = tmp_path / "pids"
    return read


@pytest.fixture
def gone() -> Callable[..., bool]:
    """Say whether every one of these processes has ended within some seconds; on a slow machine these are longer."""

    def all_gone(numbers: list[int], within: float = 0.0) -> bool:
        start, limit, measured = time.monotonic(), within, False
        while alive := running(numbers):
            if time.monotonic() - start > limit:
                if measured or not within:
                    break
                limit, measured = within * slowdown(), True
            time.sleep(0.05)
        return not alive

    return all_gone
