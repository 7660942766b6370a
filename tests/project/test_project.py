"""The project as an object: nothing above it goes past it, and importing it costs no Dagster."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path

import pytest
from support.project import ROOT

from mystocks_dagster.project import start_params
from mystocks_dagster.taskfile.problems import Fault

PACKAGE = ROOT / "mystocks_dagster"
#: What is above `project`.
ABOVE = ("api", "cli", "manager", "web", "definitions.py", "component.py")
#: What it stands for.
BELOW = ("history", "runs", "scheduling")
#: Reads a time that a person typed; knows no project.
PURE = {("history.times", "parse_time")}


def imports(file: Path) -> Iterator[tuple[str, str]]:
    """Yield module and name of each import from our package, those within functions included."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("mystocks_dagster"):
            for alias in node.names:
                yield node.module.removeprefix("mystocks_dagster").strip("."), alias.name
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("mystocks_dagster."):
                    yield alias.name.removeprefix("mystocks_dagster."), ""


def files(name: str) -> list[Path]:
    """Return the modules of a package, or the one module."""
    return [PACKAGE / name] if name.endswith(".py") else sorted((PACKAGE / name).rglob("*.py"))


@pytest.mark.parametrize("name", ABOVE)
def test_what_is_above_the_project_takes_only_values_from_below_it(name: str) -> None:
    past = []
    for file in files(name):
        for module, imported in imports(file):
            first = (module or imported).partition(".")[0]
            if first not in BELOW or (module, imported) in PURE:
                continue
            value = getattr(importlib.import_module(f"mystocks_dagster.{module}"), imported, None) if imported else None
            constant = isinstance(value, str) and imported.isupper()
            if not (constant or (isinstance(value, type) and is_dataclass(value))):
                past.append(f"{file.relative_to(PACKAGE)}: {module}.{imported}")
    assert past == [], "ask the project instead: mystocks_dagster/project/project.py"


def test_importing_the_project_does_not_import_dagster() -> None:
    code = "import sys, mystocks_dagster.project.project; print('dagster' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["api/tasks.py", "api/groups.py", "api/entries.py"])
def test_rest_calls_ask_the_manager(name: str) -> None:
    assert {module.partition(".")[0] for module, _ in imports(PACKAGE / name)} <= {
        "api",
        "manager",
        "scheduling",
        "taskfile",
    }


def test_a_refused_parameter_ends_with_one_stop() -> None:
    hint = "there is no strategy 'ma_crossove'. Did you mean 'ma_crossover'?"
    assert start_params._told(Fault(("strategy_id",), hint)) == f"params.strategy_id: {hint}"
    assert start_params._told(Fault(("days",), "days: it is 0")) == "params.days: it is 0."
