"""What an installation consists of: every package has one version and hashes, and the bill of materials lists all."""

import os
import shutil
import subprocess
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.project import ROOT
from support.sbom import LOCK, document, locked


@pytest.mark.parametrize("name", sorted(path.name for path in ROOT.glob("*.lock")))
def test_every_locked_package_has_one_version_and_hashes(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    packages = locked(text)
    assert packages
    assert [one.name for one in packages if not one.hashes] == []
    # pip reads the same lines: a name, one version, and nothing from elsewhere.
    lines = [line.removesuffix(" \\") for line in text.splitlines() if line and line[0] not in " #"]
    requirements = [Requirement(line) for line in lines]
    assert [str(one) for one in requirements if one.url or {each.operator for each in one.specifier} != {"=="}] == []
    assert sorted(one.name for one in requirements) == sorted(one.name for one in packages)


def test_the_packages_of_the_commands_are_those_of_the_tests() -> None:
    def lines(name: str) -> set[tuple[str, str, str]]:
        return {(one.name, one.version, str(one.hashes)) for one in locked((ROOT / name).read_text(encoding="utf-8"))}

    assert len(lines("requirements.lock")) > 50
    assert lines("requirements.lock") | lines("requirements-build.lock") <= lines("requirements-dev.lock")
    assert lines("requirements.lock") <= lines("requirements-servers.lock")


def test_the_demo_installs_nothing_that_only_tests_need(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", *(path.name for path in ROOT.glob("*.lock"))):
        shutil.copy(ROOT / name, tmp_path)

    def planned(target: str) -> str:
        # Without what a surrounding `make` tells those that it starts.
        environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
        command = ["make", "--no-print-directory", "-n", target]
        return subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True).stdout

    for target in ("demo", "ui"):
        assert "requirements.lock requirements-build.lock" in planned(target)
        assert "requirements-dev.lock" not in planned(target)
    assert "requirements-dev.lock" in planned("test")
    (tmp_path / ".venv").mkdir()
    for stamp in (".installed", ".packages"):  # as `make setup` leaves them
        (tmp_path / ".venv" / stamp).touch()
    assert planned("demo").split() == [".venv/bin/mystocks", "demo"]


def test_the_bill_of_materials_lists_what_is_installed_and_who_needs_it() -> None:
    packages = locked(LOCK.read_text(encoding="utf-8"))
    made = document(packages)
    assert made == document(packages)
    installed = {canonicalize_name(one.metadata["Name"]): one.version for one in distributions()}
    listed = {(one["name"], one["version"]): one for one in made["components"]}
    here = {name: one for (name, version), one in listed.items() if installed.get(name) == version}
    assert {name for name, _ in listed if name in installed} == here.keys()
    assert {"dagster", "akshare", "deltalake", "polars"} <= here.keys()
    needs = {one["ref"]: one["dependsOn"] for one in made["dependencies"]}
    assert here["dagster"]["purl"] in needs["pkg:pypi/mystocks-dagster"]
    assert here["starlette"]["purl"] in needs[here["fastapi"]["purl"]]
    reached, waiting = set(), ["pkg:pypi/mystocks-dagster"]
    while waiting:
        reached.add(one := waiting.pop())
        waiting += [other for other in needs[one] if other not in reached]
    assert reached == needs.keys(), "nothing is installed that nobody needs"
    without = [name for name, one in here.items() if "licenses" not in one]
    assert without == ["pytdx", "resvg-py"], "each declares its licence, but two"  # MIT, as repository and wheel say


def test_a_line_without_a_hash_or_of_another_form_is_noticed() -> None:
    assert [one.hashes for one in locked("six==1.17.0\n    # via x\n")] == [[]]
    with pytest.raises(ValueError, match="another form"):
        locked("six @ https://example.org/six.whl\n")
