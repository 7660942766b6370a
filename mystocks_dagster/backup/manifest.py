"""What a backup holds: each file with its digest, each table of the lake with its version."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from mystocks_dagster.errors import BackupError

#: The file of a complete backup. It is written last, so a folder with it is complete.
FILE = "backup.json"
#: The file of a backup that was interrupted, or is being made.
UNFINISHED = "unfinished.json"
#: The form of the folder; a program reads those up to its own.
FORM = 1

#: The parts that a backup may leave out: they are large, or kept elsewhere.
Part = Literal["history", "lake"]
PARTS: tuple[Part, ...] = ("history", "lake")


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
        BackupError: The folder holds no complete backup, or one of a newer version; or its list was altered.
    """
    try:
        content: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        form, digest = content.pop("form"), content.pop("digest")
    except FileNotFoundError:
        begun = (folder / UNFINISHED).exists()
        remedy = f"finish it with: mystocks backup {folder}" if begun else "name the folder that `mystocks backup` made"
        state = "was begun and not finished" if begun else "holds no backup"
        raise BackupError(f"{folder} {state}; {remedy}.") from None
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise BackupError(f"{folder / FILE} cannot be read ({error}). Copy it again from where it came.") from None
    if form > FORM:
        raise BackupError(
            f"{folder} was made by the newer version {content.get('package')}. Install that version to restore it."
        )
    if digest != _digest(content):
        raise BackupError(f"{folder / FILE} was altered: its digest differs. Copy it again from where it came.")
    return Manifest(
        made=content["made"],
        package=content["package"],
        dagster=content["dagster"],
        project=content["project"],
        task_file=content["task_file"],
        storage=content["storage"],
        lake=content["lake"],
        tables=tuple(TableEntry(**entry) for entry in content["tables"]),
        history=tuple(TableEntry(**entry) for entry in content["history"]),
        left_out=tuple(content["left_out"]),
        files=tuple(FileEntry(**entry) for entry in content["files"]),
    )


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
