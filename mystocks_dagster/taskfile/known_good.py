"""The cached verdict on a valid task file: its functions are not checked again while file and modules are unchanged.

Commands that show tasks then import none of their modules, which import polars. The verdict is stored beside the
copies of the file's versions and depends on no variable: a file whose params contain variables, or whose defaults
contain params, is checked each time.
"""

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.plain_files import real_path
from mystocks_dagster.settings import Settings, dataset_folder, formula_folder
from mystocks_dagster.taskfile import atomic_files
from mystocks_dagster.taskfile.functions import find
from mystocks_dagster.taskfile.names import mark_valid
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.reader import Version, content_hash
from mystocks_dagster.taskfile.versions import load_version
from mystocks_dagster.taskfile.yaml.source import read_text

#: Beside the copies of all versions: task file to its verdict, and the state of the files that it depends on.
FILE = "known-good.json"
_PACKAGE = Path(__file__).parent.parent


def load(settings: Settings, folder: Path, only: str | None = None) -> Version | None:
    """Return the task file without its functions if they are known to be valid, else None.

    Args:
        settings: The project's settings.
        folder: Folder of the copies of versions.
        only: Dagster's name of a task or group: only its entries are built, with their functions.
    """
    known = _read(folder).get(str(real_path(settings.task_file)))
    try:
        content = content_hash(read_text(settings.task_file))
        if known is None or known["hash"] != content or not _unchanged(known, real_path(settings.task_file).parent):
            return None
        mark_valid(known["ids"])
        version = load_version(folder, content, only, functions=only is not None)
    except (TaskFileError, KeyError, TypeError):  # the caller then reads the file itself, which reports the error
        return None
    return None if version.problems else version


def note(version: Version, folder: Path) -> None:
    """Store the verdict that a version, with its functions, has no problems."""
    if version.problems or _depends_on_more(version):
        return
    key = str(real_path(version.source))
    modules = {
        function.__module__: _file(sys.modules.get(function.__module__)) for function in version.functions.values()
    }
    files = {*modules.values(), *_users_files(), *_own_files()} - {None}
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
    """Return whether each module still has the same file, and no file has changed."""
    return (
        known["program"] == _program()
        and all(_state(file) == state for file, state in known["files"].items())
        and all(_origin(module, beside) == file for module, file in known["modules"].items())
    )


def _depends_on_more(version: Version) -> bool:
    """Return whether params contain variables, or come from the file's defaults."""
    params = [raw.data.get("params") for raw in version.document.entries["tasks"] if isinstance(raw.data, dict)]
    return bool(version.document.defaults.get("params")) or "${" in repr(params)


def _users_files() -> list[str]:
    """Return the files of imported modules outside Python, installed packages and this package."""
    installed_in = (Path(sys.prefix), Path(sys.base_prefix), _PACKAGE)
    files = [file for name, module in sys.modules.copy().items() if name != "__main__" and (file := _file(module))]
    return [file for file in files if not any(Path(file).is_relative_to(folder) for folder in installed_in)]


def _own_files() -> list[str]:
    """Return the project's own dataset files and formulas, and their folders, whose state changes with a new file."""
    folders = {dataset_folder(): "*.y*ml", formula_folder(): "*.txt"}
    files = [path for folder, pattern in folders.items() for path in (folder, *sorted(folder.glob(pattern)))]
    return [str(path) for path in files]


def _origin(module: str, beside: Path) -> str | None:
    spec = find(module, beside)
    return spec.origin if spec else None


def _file(module: Any) -> str | None:
    return getattr(module, "__file__", None)


def _state(file: str) -> list[int] | None:
    try:
        status = Path(file).stat()
    except OSError:
        return None
    return [status.st_mtime_ns, status.st_size]


def _program() -> str:
    """Return the versions of Python and of this package."""
    return f"{sys.prefix} {sys.version} {installed('mystocks-dagster')}"


def _read(folder: Path) -> dict[str, Any]:
    try:
        verdicts = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return verdicts if isinstance(verdicts, dict) else {}
