"""Compile once what the tests' processes import, also where the environment says to write no bytecode.

.venv/bin/python -P tests/support/keep_bytecode.py

Without that, each of a thousand processes compiles Dagster and the project anew, for a second of processor time.
"""

import compileall
import contextlib
import importlib
import importlib.util
import os
import pkgutil
import subprocess
import sys
import sysconfig
from pathlib import Path

_PACKAGE = Path(__file__).parent.parent.parent / "mystocks_dagster"
_INSTALLED = Path(sysconfig.get_path("purelib"))
#: What imports all that the programs need which tests start, those of the tests too.
_PROGRAMS = ("dagster._cli", "dagster._grpc.server", "dagster_webserver.cli", "hypothesis", "pytest", "schemathesis")


def keep_bytecode() -> None:
    """Compile what is not compiled yet, in a process of its own, where Python would not do so by itself."""
    if os.environ.get("PYTHONDONTWRITEBYTECODE") and not all(_compiled(file) for file in _files()):
        subprocess.run([sys.executable, "-P", "-W", "ignore", __file__], check=True)


def _files() -> list[Path]:
    return [*_PACKAGE.rglob("*.py"), *_INSTALLED.glob("dagster*/__init__.py")]


def _compiled(file: Path) -> bool:
    return Path(importlib.util.cache_from_source(str(file))).exists()


def main() -> None:
    """Compile the project and all of Dagster, and import them, for the packages that they use."""
    sys.dont_write_bytecode = False
    for package in (_PACKAGE, *_INSTALLED.glob("dagster*/")):
        compileall.compile_dir(package, quiet=2)
    for package in ("mystocks_dagster", "dagster_dg_cli"):
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            _import(found.name)
    for name in _PROGRAMS:
        _import(name)


def _import(name: str) -> None:
    with contextlib.suppress(Exception):  # a module may want a package that is not installed
        importlib.import_module(name)


if __name__ == "__main__":
    main()
