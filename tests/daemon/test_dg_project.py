"""A dg project of a team's own, in which task files are components beside hand-written assets: real `dg` processes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.blocks import block
from support.dagster_cli import dagster_command
from support.project import ROOT

TOML = """
[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "quant"
"""
DEFINITIONS = """
from pathlib import Path

import dagster as dg


@dg.definitions
def defs():
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
"""
CLOSES = """
import dagster as dg
from mystocks_dagster import LakeResource


@dg.asset(deps=[["hongkong", "daily_bars"]])
def closes(hongkong_lake: LakeResource) -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"bars": hongkong_lake.read("daily_bars").height})
"""


class Quant:
    """The project, and its commands."""

    def __init__(self, root: Path) -> None:
        self.root, self.defs = root, root / "quant" / "defs"
        self.defs.mkdir(parents=True)
        (root / "home").mkdir()
        (root / "home" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        (root / "pyproject.toml").write_text(TOML)
        (root / "quant" / "__init__.py").touch()
        (root / "quant" / "definitions.py").write_text(DEFINITIONS)
        (self.defs / "__init__.py").touch()

    def dg(self, *arguments: str, code: int = 0) -> str:
        """Run `dg` in the project's root."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("MYSTOCKS_", "DAGSTER_"))}
        env |= {"HOME": str(self.root), "DAGSTER_HOME": str(self.root / "home"), "PYTHONPATH": str(self.root)}
        env |= {"MYSTOCKS_SIMULATED": "symbols=5,start=2026-11-25", "MYSTOCKS_NOW": "2026-11-27T20:00:00+08:00"}
        env |= {"VIRTUAL_ENV": str(ROOT / ".venv")}
        return dagster_command("dg", *arguments, cwd=self.root, env=env, code=code)

    def tasks(self, name: str) -> Path:
        """Return the task file of a component."""
        return self.defs / name / "tasks.yaml"


@pytest.fixture(scope="module")
def quant(tmp_path_factory: pytest.TempPathFactory) -> Quant:
    project = Quant(tmp_path_factory.mktemp("quant") / "project")
    program, *scaffold = block("dagster.md", "console", 1).lines[1].split()
    assert (program, scaffold[-1]) == ("dg", "market")
    for name in ("market", "hongkong"):
        project.dg(*scaffold[:-1], name)
    return project


@pytest.fixture
def kept(quant: Quant) -> Iterator[None]:
    """Put the task files back as they were."""
    before = {path: path.read_text() for path in quant.defs.rglob("*.yaml")}
    yield
    for path, text in before.items():
        path.write_text(text)


def test_the_component_is_listed(quant: Quant) -> None:
    line = block("dagster.md", "console", 1).lines[0]
    assert "mystocks_dagster.TaskFileComponent" in quant.dg(*line.split()[1:])


def test_what_is_scaffolded_is_right_and_runs_in_one_location_with_hand_written_assets(quant: Quant) -> None:
    defs = quant.defs / "hongkong" / "defs.yaml"
    defs.write_text(block("dagster.md", "yaml").text)
    (quant.defs / "closes.py").write_text(CLOSES)
    assert "All component YAML validated successfully" in quant.dg("check", "defs")
    told = quant.dg("list", "defs", "--json")
    for name in ("market_daily_bars__schedule", "hongkong_daily_bars__schedule", "hongkong/daily_bars", "closes"):
        assert f'"{name}"' in told
    quant.dg("launch", "--job", "hongkong_daily_bars")
    assert (quant.root / "lakes" / "hongkong" / "daily_bars").is_dir()
    assert not (quant.root / "data").exists()
    assert "Materialized value closes" in quant.dg("launch", "--assets", "closes")


@pytest.mark.usefixtures("kept")
def test_check_yaml_names_file_and_line_of_every_mistake_in_every_task_file(quant: Quant) -> None:
    hongkong, market = quant.tasks("hongkong"), quant.tasks("market")
    hongkong.write_text(hongkong.read_text().replace("0 16", "0 99"))
    market.write_text(market.read_text().replace("timeout: 3600", "timeout: soon"))
    lines = {
        hongkong: next(n for n, line in enumerate(hongkong.read_text().splitlines(), 1) if "0 99" in line),
        market: next(n for n, line in enumerate(market.read_text().splitlines(), 1) if "soon" in line),
    }
    told = quant.dg(*block("dagster.md", "console", 1).lines[2].split()[1:], code=1)
    assert f"{hongkong}:{lines[hongkong]}:" in told
    assert "hour 99 is outside 0-23" in told
    assert f"{market}:{lines[market]}:" in told
    assert f"{market}:{lines[market]}:" in quant.dg("check", "defs", "--no-check-yaml", code=1)


@pytest.mark.usefixtures("kept")
def test_check_yaml_names_both_files_of_one_task_id(quant: Quant) -> None:
    hongkong, market = quant.tasks("hongkong"), quant.tasks("market")
    market.write_text(market.read_text().replace("market_daily_bars", "hongkong_daily_bars"))
    told = quant.dg("check", "yaml", code=1)
    line = next(n for n, line in enumerate(market.read_text().splitlines(), 1) if "task_id" in line)
    assert f"{market}:{line}:" in told
    assert str(hongkong) in told
