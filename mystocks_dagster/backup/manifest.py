"""What a backup holds: each file with its digest, each table of the lake with its version."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from mystocks_dagster.backup.paths import stays_below
from mystocks_dagster.errors import BackupError
from mystocks_dagster.plain_files import read_plain

#: The file of a complete backup. It is written last, so a folder with it is complete.
FILE = "backup.json"
#: The file of a backup that was interrupted, or is being made.
UNFINISHED = "unfinished.json"
#: The form of the folder; a program reads those up to its own.
FORM = 1

#: The parts that a backup may leave out: they are large, or kept elsewhere.
Part = Literal["history", "lake"]
PARTS: tuple[Part, ...] = ("history", "lake")
_STORAGES = ("sqlite", "postgres", "")
#: Permissions of a file have no other bits: neither setuid nor setgid.
_PERMISSIONS = 0o777
#: The name of a table of Dagster's database; it stands in SQL.
_TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """One file.

    Attributes:
        path: Its path in the backup; the first folder is `project`, `tasks`, `instance`, `postgres` or `lake`.
        bytes: Its size.
        sha256: Its digest.
        mode: Its permissions.
    """

    path: str
    bytes: int
    sha256: str
    mode: int = 0o644


@dataclass(frozen=True, kw_only=True)
class TableEntry:
    """One table: of the lake with its version, or of Dagster's Postgres database with version 0."""

    table: str
    version: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The content of a backup.

    Attributes:
        made: When it was begun, ISO 8601 with offset.
        package: Version of this package.
        dagster: Version of Dagster.
        project: The folder of the project that was copied.
        task_file: The path of its task file in the backup.
        storage: Where the history is kept: `sqlite`, `postgres`, or empty if it was left out.
        lake: Whether the lake is in it.
        tables: The tables of the lake, of one moment.
        history: The tables of the Postgres database, in the order in which they are filled; empty for SQLite.
        left_out: What was there and is not in the backup, with the reason.
        files: All files.
        demo: Whether the lake is the demo's; None in a backup of a version that did not note it.
    """

    made: str
    package: str
    dagster: str
    project: str
    task_file: str
    storage: str
    lake: bool
    tables: tuple[TableEntry, ...]
    history: tuple[TableEntry, ...]
    left_out: tuple[str, ...]
    files: tuple[FileEntry, ...]
    demo: bool | None = None

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(file.bytes for file in self.files)

    @property
    def identity(self) -> str:
        """The digest of all that it says: two backups with the same one are the same."""
        return _digest(asdict(self))

    def below(self, folder: str) -> tuple[FileEntry, ...]:
        """Return the files below one of the first folders."""
        return tuple(file for file in self.files if file.path.startswith(f"{folder}/"))

    def write(self, folder: Path) -> None:
        """Make the backup complete."""
        scratch = folder / f"{FILE}.tmp"
        content = asdict(self)
        scratch.write_text(
            json.dumps({"form": FORM, "digest": _digest(content), **content}, ensure_ascii=False, indent=1),
            encoding="utf-8",
        )
        scratch.chmod(0o600)
        scratch.replace(folder / FILE)


def read_manifest(folder: Path) -> Manifest:
    """Return what a backup holds.

    Raises:
        BackupError: The folder holds no complete backup, or one of a newer version; or its list was altered, has
            another shape, or names a file that would not be below the places of a restore.
    """
    try:
        content = json.loads(read_plain(folder / FILE))
    except FileNotFoundError:
        begun = (folder / UNFINISHED).exists()
        remedy = f"finish it with: mystocks backup {folder}" if begun else "name the folder that `mystocks backup` made"
        state = "was begun and not finished" if begun else "holds no backup"
        raise BackupError(f"{folder} {state}; {remedy}.") from None
    except NotADirectoryError:
        raise BackupError(f"{folder} is not a folder; name the folder that `mystocks backup` made.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise BackupError(f"{folder / FILE} cannot be read ({error}). Copy it again from where it came.") from None
    if not isinstance(content, dict):
        raise _other_shape(folder, "/")
    form, digest = content.pop("form", None), content.pop("digest", None)
    if type(form) is not int:
        raise _other_shape(folder, "form")
    if form > FORM:
        raise BackupError(
            f"{folder} was made by the newer version {content.get('package')}. Install that version to restore it."
        )
    if digest != _digest(content):
        raise BackupError(f"{folder / FILE} was altered: its digest differs. Copy it again from where it came.")
    return _checked(folder, content)


def _checked(folder: Path, content: dict[str, Any]) -> Manifest:
    """Return the list once every entry is valid: an altered list can have a right digest."""
    from pydantic import TypeAdapter, ValidationError

    try:
        found = TypeAdapter(Manifest).validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        raise _other_shape(folder, ".".join(map(str, error.errors()[0]["loc"])) or "/") from None
    if found.storage not in _STORAGES:
        raise _other_shape(folder, "storage")
    for number, entry in enumerate(found.history):
        if not _TABLE_NAME.fullmatch(entry.table):
            raise _other_shape(folder, f"history.{number}.table")
    for number, file in enumerate(found.files):
        if not stays_below(file.path):
            raise BackupError(
                f"{folder / FILE} names the file {file.path!r}, which would not be below the folder of its part. "
                "Nothing was read or written; use a backup that you made yourself."
            )
        if not 0 <= file.mode <= _PERMISSIONS:
            raise _other_shape(folder, f"files.{number}.mode")
    return found


def _other_shape(folder: Path, where: str) -> BackupError:
    return BackupError(
        f"{folder / FILE} is not the list of a backup: it has another shape at {where}. Copy it again from where it "
        "came, or use another backup."
    )


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
