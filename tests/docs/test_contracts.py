"""The import contracts of pyproject.toml notice what they are for: each is broken once, in a copy of the package."""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.project import ROOT

#: Contract to a module, old or new, and the import in it that the contract forbids.
BREAKS: Mapping[str, tuple[str, str]] = {
    "imports point down": ("market/clock.py", "from mystocks_dagster import definitions"),
    "no circle in any package": ("lake/layout.py", "from mystocks_dagster.lake import store"),
    "a task file is read, then judged, then edited": (
        "taskfile/yaml/scalars.py",
        "from mystocks_dagster.taskfile.edit import plans",
    ),
    "a clean-up knows the history, and no history a clean-up": (
        "history/models.py",
        "from mystocks_dagster.history import cleanup",
    ),
    "alert rules know neither the engine nor a channel": (
        "alerts/rules/scratch.py",
        "from mystocks_dagster.alerts import engine",
    ),
    "a source knows no other source": (
        "sources/recorded/scratch.py",
        "from mystocks_dagster.sources.simulated import noise",
    ),
    "messages, ledger and channels know no Dagster": ("alerts/texts.py", "import dagster"),
    "Dagster is known from dagster_internals upward": ("tasks/scratch.py", "def late():\n    import dagster"),
    "only dagster_internals knows Dagster's web server": ("web/app.py", "import dagster_webserver.app"),
    "only sources/akshare knows akshare": ("project/health.py", "import akshare"),
    "only its own process knows baostock's client": ("sources/baostock/source.py", "import baostock"),
    "only sources ask upstreams": ("cli/scratch.py", "import requests"),
    "only the lake knows its formats and engines": ("tasks/changes.py", "import duckdb"),
    "frames are polars, except where pandas is asked for or delivered": ("market/scratch.py", "import pandas as pd"),
    "only api and web know HTTP servers": ("cli/main.py", "from starlette.responses import Response"),
    "only the commands know the terminal": ("project/scratch.py", "import typer"),
    "only project/metrics knows Prometheus": ("project/doctor.py", "import prometheus_client"),
    "only alerts/channels knows apprise": ("alerts/engine.py", "import apprise"),
    "only these know the database": ("runs/scratch.py", "import sqlalchemy as db"),
    "only the queue of the machines knows procrastinate": ("runs/held.py", "import procrastinate"),
    "only the launcher for Kubernetes knows Kubernetes": ("runs/late.py", "import kubernetes"),
    "only the grid's cluster knows Dask": ("tasks/late.py", "import distributed"),
    "only these read or write YAML": ("cli/edit.py", "import yaml"),
}


def lint(folder: Path, additions: Mapping[str, str]) -> dict[str, str]:
    """Return the verdict of each contract, and the whole output as `""`, on a copy of the package with some lines more.

    Args:
        folder: An empty folder.
        additions: File below the package to the lines that are added at its end; a file that is not there is made.
    """
    package = folder / "mystocks_dagster"
    shutil.copytree(ROOT / "mystocks_dagster", package, ignore=shutil.ignore_patterns("__pycache__", "static"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name, lines in additions.items():
        with (package / name).open("a", encoding="utf-8") as file:
            file.write(f"\n{lines}\n")
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)
    verdicts = {"": done.stdout + done.stderr}
    for line in done.stdout.splitlines():
        name, mark, _ = line.partition(" BROKEN") if " BROKEN" in line else line.partition(" KEPT")
        if mark:
            verdicts[name] = mark.strip()
    return verdicts


def contracts() -> list[str]:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [contract["name"] for contract in configuration["tool"]["importlinter"]["contracts"]]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the verdicts on a package in which every contract is broken."""
    return lint(tmp_path_factory.mktemp("broken"), dict(BREAKS.values()))


def test_each_contract_has_its_proof() -> None:
    assert sorted(BREAKS) == sorted(contracts())
    assert len({file for file, _ in BREAKS.values()}) == len(BREAKS)


@pytest.mark.parametrize("contract", BREAKS)
def test_an_import_where_it_does_not_belong_is_refused(broken: dict[str, str], contract: str) -> None:
    assert broken.get(contract) == "BROKEN", broken[""]


def test_a_module_in_no_layer_is_refused_and_all_else_holds(tmp_path: Path) -> None:
    verdicts = lint(tmp_path, {"new_room.py": '"""A module that nobody has given a layer."""'})
    assert "- mystocks_dagster.new_room" in verdicts.pop("")
    assert verdicts == {name: "BROKEN" if name == "imports point down" else "KEPT" for name in contracts()}
