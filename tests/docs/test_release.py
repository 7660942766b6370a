"""The wheel and the sdist that `make release` builds: what is in them, and that the wheel works where it is installed.

`make release` runs this file over the files in dist/; elsewhere it builds them in a folder of its own.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.project import ROOT

pytestmark = pytest.mark.slow

PACKAGE = ROOT / "mystocks_dagster"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
#: Set by `make release`: the folder with the files to check.
DIST = "MYSTOCKS_TEST_DIST"


@dataclass
class Release:
    wheel: Path
    sdist: Path


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The built files; a build in the repository would find the leftovers of earlier ones."""
    dist = Path(os.environ.get(DIST) or tmp_path_factory.mktemp("dist"))
    if DIST not in os.environ:
        source = tmp_path_factory.mktemp("source") / "project"
        source.mkdir()
        for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
            shutil.copy(ROOT / name, source)
        shutil.copytree(PACKAGE, source / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
        (source / "tests").mkdir()
        (source / "tests" / "test_nothing.py").write_text("def test_nothing(): ...\n")
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(source), cwd=dist)
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    return Release(wheel, sdist)


def run(*command: str, cwd: Path, **variables: str) -> str:
    """Run a command without the environment of the tests and return what it printed."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    done = subprocess.run(
        command, cwd=cwd, env=kept | variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_wheel_has_every_file_of_the_package_and_nothing_else(release: Release) -> None:
    assert release.wheel.name == f"mystocks_dagster-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(release.wheel) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        about = wheel.read(metadata).decode()
        assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())
    files = {
        str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == files
    assert {"mystocks_dagster/py.typed", "mystocks_dagster/project/templates/tasks.yaml"} <= names
    assert f"Version: {VERSION}\n" in about
    assert "License-Expression: Apache-2.0" in about


def test_the_sdist_builds_the_same_package(release: Release) -> None:
    top = f"mystocks_dagster-{VERSION}"
    assert release.sdist.name == f"{top}.tar.gz"
    with tarfile.open(release.sdist) as sdist, zipfile.ZipFile(release.wheel) as wheel:
        inside = {member.removeprefix(f"{top}/") for member in sdist.getnames()}
        assert {name for name in wheel.namelist() if ".dist-info/" not in name} <= inside
    assert {"pyproject.toml", "README.md", "LICENSE"} <= inside
    assert not [name for name in inside if "__pycache__" in name or name.startswith((".venv", "data/", "demo/"))]


def test_the_wheel_makes_a_project_that_works_in_an_empty_environment(release: Release, tmp_path: Path) -> None:
    """The libraries come from this environment by a path file, the package only from the wheel."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    install = ("install", "--quiet", "--no-deps", "--no-index", "--no-compile", str(release.wheel))
    run(sys.executable, "-m", "pip", "--python", str(python), *install, cwd=tmp_path)
    packages = next((tmp_path / "venv").glob("lib/python*/site-packages"))
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")

    where = run(str(python), "-c", "import mystocks_dagster; print(mystocks_dagster.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(packages)
    mystocks = str(python.with_name("mystocks"))
    run(mystocks, "init", "我的 项目", "--lang", "zh", cwd=tmp_path)
    project = tmp_path / "我的 项目"
    assert "ok" in run(mystocks, "check", cwd=project)
    assert "market_breadth" in run(mystocks, "list", cwd=project)
