"""`pytest --quick`: the tests that start no process and no server, chosen by what their code names, and held to it.

A test is left out when it is marked `slow`, stands in a folder of whole-product tests, or when its code, its fixtures
or the helpers that they call name a module that starts processes or servers. What this rule does not see fails: the
guard lets no quick test start one.
"""

import inspect
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

TESTS = Path(__file__).parent.parent
#: What is not even imported: folders whose tests all run servers, and a file that imports schemathesis (seconds).
LEFT_OUT = {TESTS / "browser", TESTS / "daemon", TESTS / "live", TESTS / "api" / "test_app.py"}
#: Modules that start processes or listen, and functions that execute a run or an attempt, which have processes too.
STARTERS = {"aiosmtpd", "http", "multiprocessing", "socket", "socketserver", "subprocess", "uvicorn"}
FUNCTIONS = {"execute_in_process", "execute_run", "run_attempt"}
#: Events of Python's own audit that a quick test may not cause.
FORBIDDEN = {
    "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system",
    "socket.bind", "socket.connect", "subprocess.Popen",
}  # fmt: skip


@cache
def starts(*functions: Any) -> bool:
    """Return whether functions, or helpers of the tests that they call, name what starts a process or a server."""
    seen: set[Any] = set()
    waiting: list[tuple[Any, type | None]] = [(function, None) for function in functions]
    while waiting:
        function, owner = waiting.pop()
        function = inspect.unwrap(function)
        if not _is_of_tests(function) or function in seen:
            continue
        seen.add(function)
        names = frozenset(_names(function.__code__))
        values = [function.__globals__[name] for name in names if name in function.__globals__]
        if names & FUNCTIONS or any(_root(value) in STARTERS for value in [*names, *values]):
            return True
        classes = {value for value in [owner, *values, *function.__annotations__.values()] if isinstance(value, type)}
        waiting += [(value, None) for value in values]
        waiting += [(method, kind) for kind in classes for method in _methods(kind, names)]
    return False


def _is_of_tests(value: Any) -> bool:
    return isinstance(value, FunctionType) and Path(value.__code__.co_filename).is_relative_to(TESTS)


def _methods(owner: type, names: frozenset[str]) -> list[Any]:
    """Return the methods of a class that a caller may mean, and those that run without being named."""
    wanted = names | {"__init__", "__post_init__", "__enter__", "__call__"}
    attributes = [value for name, value in vars(owner).items() if name in wanted]
    return [getattr(value, "fget", None) or getattr(value, "func", value) for value in attributes]


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _root(value: Any) -> str:
    """Return the first part of the module of a value, or of a name that is imported within a function."""
    if isinstance(value, ModuleType):
        return value.__name__.partition(".")[0]
    name = value if isinstance(value, str) and "." in value else getattr(value, "__module__", None)
    return name.partition(".")[0] if isinstance(name, str) else ""


class QuickMode:
    """The plugin behind `--quick`."""

    #: Whether the tests that run are the quick ones.
    chosen = False

    def __init__(self) -> None:
        QuickMode.chosen = True
        self._within_test = False
        self._caused: list[str] = []
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._within_test and event in FORBIDDEN:
            self._caused.append(event)
            raise AssertionError(
                f"a quick test may start no process and no server, and this is {event}: mark it `slow`"
            )

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave files out before they are imported."""
        return True if collection_path in LEFT_OUT else None

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what is not quick."""
        slow = [item for item in items if is_slow(item)]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in set(slow)]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        """Guard a test with its fixtures."""
        self._caused.clear()
        self._within_test = True
        try:
            return (yield)
        finally:
            self._within_test = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Iterator[Any]:
        """Fail a test that caught the guard's error."""
        report = yield
        if self._caused and report.passed:
            report.outcome, report.longrepr = "failed", f"it started a process or a server: {self._caused}"
        self._caused.clear()
        return report


def is_slow(item: pytest.Item) -> bool:
    """Return whether a test is not among the quick ones."""
    if item.get_closest_marker("slow"):
        return True
    if not isinstance(item, pytest.Function):
        return False
    definitions = item._fixtureinfo.name2fixturedefs  # which fixtures a test uses is nowhere public
    fixtures: list[Callable[..., Any]] = [found[-1].func for found in definitions.values()]
    return starts(item.function, *fixtures)
