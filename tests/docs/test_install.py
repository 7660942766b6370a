"""The packages come from where pip would get them, with uv where it works, and with pip where it does not."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from support.project import ROOT

SCRIPT = ROOT / "tools" / "install.py"
LINES = ["global.index-url='https://mirror.example/simple'", ":env:.default-timeout='180'"]


class World:
    """A virtual environment and a path whose programs write down how they were called."""

    def __init__(self, root: Path) -> None:
        self.calls = root / "calls"
        self.venv, self.path = root / "我的 项目" / ".venv", root / "path"
        (self.venv / "bin").mkdir(parents=True)
        self.path.mkdir()

    def program(self, place: Path, *lines: str) -> None:
        place.write_text("\n".join(["#!/bin/sh", f'echo {place.name} "$@" >> "{self.calls}"', *lines, ""]))
        place.chmod(0o755)

    def install(self) -> tuple[int, list[str]]:
        """Return the exit code, and the calls."""
        environment = {"PATH": f"{self.path}:/usr/bin:/bin", "LANG": "C.UTF-8"}
        done = subprocess.run([sys.executable, SCRIPT, str(self.venv), "some.lock"], env=environment)
        return done.returncode, self.calls.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_with_uv_on_the_path_pip_has_nothing_to_do(world: World) -> None:
    world.program(world.venv / "bin" / "python")
    world.program(world.path / "uv")
    code, calls = world.install()
    assert code == 0
    assert [call.split()[0] for call in calls] == ["uv", "uv"]
    assert "--require-hashes -r some.lock" in calls[0]
    assert calls[1].endswith("--no-deps --no-build-isolation -e .")


def test_uv_comes_from_pip_and_asks_the_mirror_that_pip_is_told_to_use(world: World) -> None:
    listed = "\n".join(LINES)
    world.program(world.venv / "bin" / "python", f'case "$*" in *"config list"*) cat <<EOF\n{listed}\nEOF\n;; esac')
    world.program(world.venv / "bin" / "uv", f'echo "from $UV_DEFAULT_INDEX" >> "{world.calls}"')
    code, calls = world.install()
    assert code == 0
    assert "--require-hashes -r" in calls[0]
    assert calls[0].endswith("requirements-uv.lock")
    assert calls[3] == "from https://mirror.example/simple"
    assert [call.split()[0] for call in calls] == ["python", "python", "uv", "from", "uv", "from"]


@pytest.mark.parametrize("uv", ["fails", "cannot be had"])
def test_where_uv_does_not_work_pip_installs_all(world: World, uv: str) -> None:
    if uv == "fails":
        world.program(world.path / "uv", "exit 2")
        world.program(world.venv / "bin" / "python")
    else:
        world.program(world.venv / "bin" / "python", 'case "$*" in *requirements-uv.lock) exit 1;; esac')
    code, calls = world.install()
    assert code == 0
    with_pip = [call for call in calls if "-m pip" in call and "uv.lock" not in call]
    assert len(with_pip) == 2
    assert "--require-hashes" in with_pip[0]
    assert with_pip[1].endswith("-e .")


def test_a_package_that_pip_cannot_get_ends_the_installation(world: World) -> None:
    world.program(world.venv / "bin" / "python", 'case "$*" in *pip*) exit 3;; esac')
    assert world.install()[0] == 3


@pytest.mark.parametrize(
    ("listed", "variables"),
    [
        ([], {}),
        (["global.index-url='https://a/simple'", ":env:.index-url='https://b/simple'"], {"UV_DEFAULT_INDEX": "https://b/simple"}),
        (["global.index-url='https://a/simple'", "install.index-url='https://b/simple'"], {"UV_DEFAULT_INDEX": "https://b/simple"}),
        (
            ["global.extra-index-url='\\nhttps://a/simple\\nhttps://b/simple'"],
            {"UV_INDEX": "https://a/simple https://b/simple", "UV_INDEX_STRATEGY": "unsafe-best-match"},
        ),
        (["global.find-links='/a /b'", "global.no-index='true'"], {"UV_FIND_LINKS": "/a,/b", "UV_NO_INDEX": "true"}),
        (
            ["global.cert='/a.pem'", "global.proxy='http://p:8080'", ":env:.timeout='60'", "global.trusted-host='m'"],
            {"SSL_CERT_FILE": "/a.pem", "ALL_PROXY": "http://p:8080", "UV_HTTP_TIMEOUT": "60", "UV_INSECURE_HOST": "m"},
        ),
        (["freeze.timeout='10'", "global.quiet='1'"], {}),
    ],
)  # fmt: skip
def test_uv_is_told_what_pip_reads_in_its_settings(listed: list[str], variables: dict[str, str]) -> None:
    assert runpy.run_path(os.fspath(SCRIPT))["as_variables"](listed) == variables
