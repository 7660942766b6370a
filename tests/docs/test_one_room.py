"""One rule, one room: what decides something for all stands in one module, and no other decides it again."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

import pytest

from mystocks_dagster.lake.prices import AdjustedSelection, adjusted_bars, scan_adjusted
from mystocks_dagster.lake.reading import Selection
from mystocks_dagster.lake.store import Lake

#: Seconds of computing each: not among the quick tests.
pytestmark = pytest.mark.slow

PACKAGE = Path(__file__).parents[2] / "mystocks_dagster"


def calls(path: Path) -> Iterator[str]:
    """Yield what a module calls, dotted, with what stands before a method's object left out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute):
                holder = function.value
                name = holder.attr if isinstance(holder, ast.Attribute) else getattr(holder, "id", "")
                yield f"{name}.{function.attr}"
            elif isinstance(function, ast.Name):
                yield function.id


@pytest.mark.parametrize(
    ("call", "rooms"),
    [
        # How a stop works.
        ("run_coordinator.cancel_run", {"runs/stop.py"}),
        # The run coordinator is asked by Dagster, and asks the launcher.
        ("run_launcher.terminate", {"runs/stop.py", "factory/coordinator.py"}),
        # Which parameter of a task's function takes what.
        ("inspect.signature", {"taskfile/signature.py"}),
    ],
)
def test_only_these_modules_call(call: str, rooms: set[str]) -> None:
    assert {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if call in calls(path)} == rooms


@pytest.mark.parametrize("function", ["params_model", "owners", "is_stopped", "schedule_name", "asset_op_name"])
def test_a_rule_is_written_once(function: str) -> None:
    written = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name == function
    ]
    assert len(written) == 1


def keywords(function: object) -> dict[str, object]:
    """Return the keywords of a function that names them, with their types."""
    parameters = inspect.signature(function).parameters.values()  # ty: ignore[invalid-argument-type]
    return {one.name: one.annotation for one in parameters if one.kind is one.KEYWORD_ONLY}


def test_what_of_a_table_is_read_is_said_with_the_same_words_everywhere() -> None:
    assert keywords(Lake.scan) == get_type_hints(Selection)
    assert keywords(scan_adjusted) == get_type_hints(AdjustedSelection)
    for function in (Lake.read, Lake.read_pandas, adjusted_bars):
        assert not keywords(function)
