"""A task file whose functions were imported and found right is not checked again while neither file nor modules change.

Looking at tasks then imports none of their modules, which bring in polars. The verdict stands beside the copies of the
file's versions, and holds no value of a variable: a file whose params name one is checked each time, and so is one whose defaults give
params.
"""

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile import atomic_files
from mystocks_dagster.taskfile.functions import find
from mystocks_dagster.taskfile.names import remember_right
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.reader import Version, content_hash
from mystocks_dagster.taskfile.versions import load_version
from mystocks_dagster.taskfile.yaml.source import read_text

#: Beside the copies of all versions: task file to what was found right, and when it is to be looked at again.
FILE = "known-good.json"
_PACKAGE = Path(__file__).parent.parent


def load(settings: Settings, folder: Path, only: str | None = None) -> Version | None:
    """Return the task file without its functions, where they are known to be right; None where they are not.

    Args:
        settings: The project's.
        folder: Where the copies of versions are.
        only: Dagster's name of a task or group: only that, and what it needs, is built, with its functions.
    """
    known = _read(folder).get(str(settings.task_file.resolve()))
    try:
        content = content_hash(read_text(settings.task_file))
        if known is None or known["hash"] != content or not _unchanged(known, settings.task_file.resolve().parent):
            return None
        remember_right(known["ids"])
        version = load_version(folder, content, only, functions=only is not None)
    except (TaskFileError, KeyError, TypeError):  # who reads the file itself says what is wrong with it
        return None
    return None if version.problems else version


def note(version: Version, folder: Path) -> None:
    """Keep that a version whose functions were imported has nothing wrong with it."""
    if version.problems or _depends_on_more(version):
        return
    key = str(version.source.resolve())
    modules = {
        function.__module__: _file(sys.modules.get(function.__module__)) for function in version.functions.values()
    }
    files = {*modules.values(), *_users_files()} - {None}
    verdict = {
        "hash": version.hash,
        "program": _program(),
        "ids": [*version.taskfile.by_id()],
        "modules": modules,
        "files": {file: _state(file) for file in sorted(map(str, files))},
    }
    if _read(folder).get(key) == verdict:
        return
    with suppress(SettingsError), atomic_files.locked(folder / FILE):
        content = {**_read(folder), key: verdict}
        atomic_files.replace(folder / FILE, json.dumps(content, ensure_ascii=False, indent=1).encode())


def _unchanged(known: Mapping[str, Any], beside: Path) -> bool:
    """Return whether each module is still found in the same file, and no file has changed."""
    return (
        known["program"] == _program()
        and all(_state(file) == state for file, state in known["files"].items())
        and all(_origin(module, beside) == file for module, file in known["modules"].items())
    )


def _depends_on_more(version: Version) -> bool:
    """Return whether params name variables, or come from the file's defaults, of which each function takes its own."""
    params = [raw.data.get("params") for raw in version.document.entries["tasks"] if isinstance(raw.data, dict)]
    return bool(version.document.defaults.get("params")) or "${" in repr(params)


def _users_files() -> list[str]:
    """Return the files of the modules in this process that belong neither to Python, nor to a package, nor to us."""
    installed_in = (Path(sys.prefix), Path(sys.base_prefix), _PACKAGE)
    files = [file for name, module in list(sys.modules.items()) if name != "__main__" and (file := _file(module))]
    return [file for file in files if not any(Path(file).is_relative_to(folder) for folder in installed_in)]


def _origin(module: str, beside: Path) -> str | None:
    spec = find(module, beside)
    return spec.origin if spec else None


def _file(module: Any) -> str | None:
    return getattr(module, "__file__", None)


def _state(file: str) -> list[int] | None:
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return [found.st_mtime_ns, found.st_size]


def _program() -> str:
    """Return which Python and which MyStocks this is."""
    return f"{sys.prefix} {sys.version} {installed('mystocks-dagster')}"


def _read(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
