"""Exports of the task file, and the paths to which they may be written, for CLI, REST, Python and Dagster's job.

An existing file is replaced only if it is a former export that was not changed since.
"""

import hashlib
import json
import os
import re
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from mystocks_dagster.errors import InvalidParams, SettingsError
from mystocks_dagster.market.clock import now
from mystocks_dagster.plain_files import real_path
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile import atomic_files
from mystocks_dagster.taskfile.edit.serialization import Format, export_text
from mystocks_dagster.taskfile.problems import shorten

SUFFIXES = (".yaml", ".yml", ".json")
#: File in the instance's folder: path of each export to the hash of its content.
_NOTE = "exports.json"
#: A shell's date, which single quotes keep the shell from replacing.
_DATE = re.compile(r"\$\(date \+([%YmdHMSj_-]+)\)")
_KINDS = {
    stat.S_ISDIR: "is a folder",
    stat.S_ISLNK: "is a link",
    stat.S_ISCHR: "is a device",
    stat.S_ISBLK: "is a device",
    stat.S_ISFIFO: "is a pipe",
}


def confined(settings: Settings, named: str) -> Path:
    """Return the path of a file in the export folder, for a remote caller.

    A relative name is relative to the export folder, or to the project's root if it leads into the export folder, such
    as `exports/tasks.yaml`. `$(date +%Y%m%d)` in a name is replaced as by a shell.

    Raises:
        InvalidParams: The path is outside the export folder (links are resolved) or invalid, or its suffix is not one
            of a task file.
        SettingsError: The export folder contains the project itself.
    """
    folder = real_path(settings.exports)
    named = _DATE.sub(lambda match: now().strftime(match[1]), named)
    if real_path(settings.root).is_relative_to(folder) or real_path(settings.dagster_home).is_relative_to(folder):
        raise SettingsError(
            f"MYSTOCKS_EXPORTS is {folder}, which contains the project itself; "
            "name a folder for exports only, such as exports."
        )
    try:
        from_root, path = (settings.root / named).resolve(), (folder / named).resolve()
        path = from_root if from_root.is_relative_to(folder) else path
        fits = max(map(len, map(str.encode, path.parts))) <= 255
    except (ValueError, OSError, RuntimeError):  # a NUL character, a loop of links
        raise InvalidParams(f"{shorten(named, 200)} is not a path.") from None
    if not fits or len(str(path)) > 4000:
        raise InvalidParams(f"{shorten(named, 200)} is too long for a path.")
    if not path.is_relative_to(folder) or path == folder:
        raise InvalidParams(
            f"{named or '.'} is outside of the export folder {folder}. Name a file in it, such as tasks.yaml; "
            "MYSTOCKS_EXPORTS sets another folder."
        )
    if path.suffix not in SUFFIXES:
        raise InvalidParams(f"{named}: the name of a task file must end in {', '.join(SUFFIXES)}.")
    return path


def export(settings: Settings, target: Path, form: Format | None = None, *, force: bool = False) -> Path:
    """Write the task file atomically to another file, and return its path.

    Args:
        settings: The project's settings.
        target: The path of the export.
        form: YAML (with comments) or JSON; None for JSON when the name ends in .json, else YAML.
        force: Also replace a file that is not a former export.

    Raises:
        InvalidParams: The path is not a regular file, or an export must not replace it.
        SettingsError: The file cannot be written.
        TaskFileError: The task file cannot be read.
    """
    path = real_path(target.parent) / target.name
    content = export_text(settings.task_file, form or ("json" if path.suffix == ".json" else "yaml")).encode()
    known = _noted(settings)
    _check(settings, path, known.get(str(path)), force=force)
    mode = settings.task_file.stat().st_mode & 0o777  # an export has the permissions of the task file
    if path.exists():
        atomic_files.replace(path, content, mode)
    else:
        _create(path, content, mode)
    _note(settings, {**known, str(path): _hash(content)})
    return path


def is_unchanged(settings: Settings, path: Path, text: str) -> bool:
    """Return whether a text is exactly what an export wrote to a path, so that an untrusted caller may import it."""
    known = _noted(settings).get(str(real_path(path.parent) / path.name))
    return known is not None and known == _hash(text.encode("utf-8", "surrogatepass"))


def _check(settings: Settings, path: Path, known: str | None, *, force: bool) -> None:
    """Refuse a path that an export must not replace."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise InvalidParams(f"{path} cannot be written: {error.strerror}.") from None
    if not stat.S_ISREG(mode):
        kind = next((name for test, name in _KINDS.items() if test(mode)), "is not a file")
        raise InvalidParams(f"{path} {kind}; name a new file to export to.")
    if _same(path, settings.task_file):
        raise InvalidParams(f"{path} is the task file itself; choose another name to export to.")
    protected = {"the instance": settings.dagster_home}
    if "://" not in settings.lake:
        protected["the lake"] = Path(settings.lake)
    for what, folder in protected.items():
        if any(_same(parent, folder) for parent in path.parents):
            raise InvalidParams(
                f"{path} belongs to {what} ({folder}), which an export must not change; "
                "choose another name to export to."
            )
    if not force and (known is None or _hash(path.read_bytes()) != known):
        raise InvalidParams(
            f"{path} already exists and is not a former export, or was changed since. "
            f"Choose another name, or replace it with: mystocks export {path.name} --force"
        )


def _same(path: Path, other: Path) -> bool:
    """Return whether two paths are the same file, also on file systems that ignore case, and on several mounts."""
    try:
        return path.samefile(other)
    except OSError:
        return path == other


def _create(path: Path, content: bytes, mode: int) -> None:
    """Write a new file; do not replace one that another program creates meanwhile."""
    scratch: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".tmp")
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(scratch, path)
    except FileExistsError:
        raise InvalidParams(f"{path} was created by another program meanwhile; choose another name.") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}.") from None
    finally:
        if scratch:
            Path(scratch).unlink(missing_ok=True)


def _noted(settings: Settings) -> dict[str, str]:
    try:
        exports = json.loads((settings.dagster_home / _NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return exports if isinstance(exports, dict) else {}


def _note(settings: Settings, exports: dict[str, str]) -> None:
    """Store the hash of each export; if that fails, the next export to the same name only needs --force."""
    present = {path: content for path, content in exports.items() if Path(path).exists()}
    with suppress(SettingsError):
        atomic_files.replace(settings.dagster_home / _NOTE, json.dumps(present, ensure_ascii=False, indent=1).encode())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
