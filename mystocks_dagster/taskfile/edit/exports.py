"""Where an export of the task file may be written, for the command line, REST, Python and the job of Dagster's UI alike.

A file that stands there already is replaced when it is a former export that nobody has changed since; anything else
stays.
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
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile import atomic_files
from mystocks_dagster.taskfile.edit.serialization import Format, export_text

SUFFIXES = (".yaml", ".yml", ".json")
#: In the instance's folder: path of each export to the hash of what was written.
_NOTE = "exports.json"
#: What a person writes into a shell's quotes, and single quotes keep from being read.
_DATE = re.compile(r"\$\(date \+([%YmdHMSj_-]+)\)")
_KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISLNK: "a link",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISFIFO: "a pipe",
}


def confined(settings: Settings, named: str) -> Path:
    """Return the file of the export folder that a remote caller means.

    A relative name is looked for in the export folder; one that leads there from the project's root, such as
    `exports/tasks.yaml`, is the same file. `$(date +%Y%m%d)` in a name is read as a shell would read it.

    Raises:
        InvalidParams: It lies outside of the export folder, links included, or is no path, or none of a task file's
            kinds.
        SettingsError: The export folder holds the project itself.
    """
    folder = settings.exports.resolve()
    named = _DATE.sub(lambda match: now().strftime(match[1]), named)
    if settings.root.resolve().is_relative_to(folder) or settings.dagster_home.resolve().is_relative_to(folder):
        raise SettingsError(
            f"MYSTOCKS_EXPORTS is {folder}, which holds the project itself; name a folder of its own, such as exports."
        )
    try:
        from_root, path = (settings.root / named).resolve(), (folder / named).resolve()
        path = from_root if from_root.is_relative_to(folder) else path
        fits = max(map(len, map(str.encode, path.parts))) <= 255
    except (ValueError, OSError, RuntimeError):  # a null character, a circle of links
        raise InvalidParams(f"{named[:200]!r} is not a path.") from None
    if not fits or len(str(path)) > 4000:
        raise InvalidParams(f"{named[:200]!r}... is too long for a path.")
    if not path.is_relative_to(folder) or path == folder:
        raise InvalidParams(
            f"{named} is outside of the export folder {folder}. Name a file in it, such as tasks.yaml; another folder is set with "
            "MYSTOCKS_EXPORTS."
        )
    if path.suffix not in SUFFIXES:
        raise InvalidParams(f"{named}: the name of a task file ends in {', '.join(SUFFIXES)}.")
    return path


def export(settings: Settings, target: Path, form: Format | None = None, *, force: bool = False) -> Path:
    """Write the task file to another file, whole or not at all, and return its path.

    Args:
        settings: The project's.
        target: Where to.
        form: YAML (with its comments) or JSON; None: JSON when the name ends in .json, else YAML.
        force: Also replace a file that is no former export.

    Raises:
        InvalidParams: Something else stands there, or would be replaced that must stay.
        SettingsError: It cannot be written.
        TaskFileError: The task file cannot be read.
    """
    path = target.parent.resolve() / target.name
    content = export_text(settings.task_file, form or ("json" if path.suffix == ".json" else "yaml")).encode()
    known = _noted(settings)
    _check(settings, path, known.get(str(path)), force=force)
    mode = settings.task_file.stat().st_mode & 0o777  # who may not read the one may not read the other
    if path.exists():
        atomic_files.replace(path, content, mode)
    else:
        _create(path, content, mode)
    _note(settings, {**known, str(path): _hash(content)})
    return path


def is_unchanged(settings: Settings, path: Path, text: str) -> bool:
    """Say whether a text is what an export has written to a path: who has sent neither may bring it back."""
    known = _noted(settings).get(str(path.parent.resolve() / path.name))
    return known is not None and known == _hash(text.encode("utf-8", "surrogatepass"))


def _check(settings: Settings, path: Path, known: str | None, *, force: bool) -> None:
    """Refuse a path at which something must stay."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise InvalidParams(f"{path} cannot be written: {error.strerror}.") from None
    if kind := next(
        (name for test, name in _KINDS.items() if test(found.st_mode)),
        None if stat.S_ISREG(found.st_mode) else "no file",
    ):
        raise InvalidParams(f"{path} is {kind}; name a new file to export to.")
    if _same(path, settings.task_file):
        raise InvalidParams(f"{path} is the task file itself; choose another name to export to.")
    kept = (
        {"the instance": settings.dagster_home, "the lake": Path(settings.lake)} if "://" not in settings.lake else {}
    )
    for what, folder in (kept or {"the instance": settings.dagster_home}).items():
        if any(_same(parent, folder) for parent in path.parents):
            raise InvalidParams(
                f"{path} belongs to {what} {folder}, which an export must not change; choose another name to export to."
            )
    if not force and (known is None or _hash(path.read_bytes()) != known):
        raise InvalidParams(
            f"{path} already exists and is not a former export, or was changed since. Choose another name, or replace it with: "
            f"mystocks export {path.name} --force"
        )


def _same(one: Path, other: Path) -> bool:
    """Say whether two paths are one thing, whatever their letters' case and by whichever mount."""
    try:
        return one.samefile(other)
    except OSError:
        return one == other


def _create(path: Path, content: bytes, mode: int) -> None:
    """Write a new file; one that appears there meanwhile stays."""
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
        found = json.loads((settings.dagster_home / _NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _note(settings: Settings, exports: dict[str, str]) -> None:
    """Remember what was written where; without that the next export to the same name must be forced, which harms nothing."""
    present = {path: content for path, content in exports.items() if Path(path).exists()}
    with suppress(SettingsError):
        atomic_files.replace(settings.dagster_home / _NOTE, json.dumps(present, ensure_ascii=False, indent=1).encode())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
