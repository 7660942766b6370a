"""The files of a lake as bytes, for backups: which files the tables' versions of one moment need, and their content."""

import re
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import polars as pl

from mystocks_dagster.errors import LakeUnavailable
from mystocks_dagster.lake import delta
from mystocks_dagster.lake.damage import LOG, files_of, upload
from mystocks_dagster.lake.location import check_location, local_path

#: A commit, a checkpoint or a checksum of the log: its name begins with its version.
_VERSIONED = re.compile(r"(\d{20})\.")
#: Seconds in which a moment is found at which no table was being written.
_PATIENCE = 60.0
#: Bytes of a file for an object store that are kept in memory; a larger one is in a temporary file until it is whole.
_IN_MEMORY = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One version of a table, and the files by which it can be opened elsewhere.

    Attributes:
        table: Its name.
        version: Its version.
        rows: Its number of rows.
        data: Its data files, relative to the lake, and their sizes in bytes by the log.
        log: The files of its log up to that version, ascending, relative to the lake.
    """

    table: str
    version: int
    rows: int
    data: Mapping[str, int]
    log: tuple[str, ...]


class TableFiles:
    """The files below a lake's location, in a folder or in an object store.

    Raises:
        LakeUnusable: The folder's name cannot hold a lake.
    """

    def __init__(self, location: str) -> None:
        check_location(location)
        self.location = location.rstrip("/")
        self._files = files_of(self.location)

    def tables(self) -> list[str]:
        """Return the names of the tables, of those too that this version does not know; empty without a lake."""
        folders = (name for name in self._listed("") if not name.startswith("."))
        return sorted(name for name in folders if self._listed(f"{name}/{LOG}"))

    def snapshots(self) -> list[Snapshot]:
        """Return all tables as they were at one moment, while others may go on writing.

        The versions are asked for twice. Where both answers agree, all tables had those versions at once in between.

        Raises:
            LakeUnavailable: For a minute there was no such moment, or a table cannot be opened.
            TableDamaged: A log is damaged.
        """
        deadline = time.monotonic() + _PATIENCE
        before = self._versions()
        while (after := self._versions()) != before:
            if time.monotonic() > deadline:
                busy = sorted(name for name in {**before, **after} if before.get(name) != after.get(name))
                raise LakeUnavailable(
                    f"The tables {', '.join(busy)} are written without a pause, so no moment of the whole lake can be "
                    "copied. Repeat it when the load has ended; `mystocks` names what runs."
                )
            before = after
        return [self._snapshot(table, version) for table, version in before.items()]

    def exists(self, path: str) -> bool:
        """Return whether there is such a file."""
        from pyarrow.fs import FileType

        return self._files.get_file_info(path).type == FileType.File

    @contextmanager
    def reading(self, path: str) -> Generator[IO[bytes]]:
        """Open a file for reading; errors of what is done with its content meanwhile stay as they are."""
        with delta.translate_errors(self.location):
            file = self._files.open_input_stream(path)
        with file:
            yield cast("IO[bytes]", _Reading(file, self.location))

    @contextmanager
    def writing(self, path: str) -> Generator[IO[bytes]]:
        """Write a file. A folder shows it from the start, an object store when the block has ended without an error."""
        folder = local_path(self.location)
        with delta.translate_errors(self.location):
            if folder is not None:
                target = Path(folder, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    yield file
                return
            with tempfile.SpooledTemporaryFile(_IN_MEMORY) as scratch:
                yield cast("IO[bytes]", scratch)
                scratch.seek(0)
                upload(self.location, path, cast("IO[bytes]", scratch))

    def _versions(self) -> Mapping[str, int]:
        return {table: opened.version() for table in self.tables() if (opened := delta.open_table(self._uri(table)))}

    def _snapshot(self, table: str, version: int) -> Snapshot:
        opened = delta.open_table(self._uri(table), version)
        assert opened is not None, table
        files = pl.DataFrame(cast("Any", opened.get_add_actions(flatten=True)))
        sizes = dict(files.select("path", "size_bytes").sort("path").iter_rows()) if files.height else {}
        return Snapshot(
            table=table,
            version=version,
            rows=int(files["num_records"].sum()) if files.height else 0,
            data={f"{table}/{name}": size for name, size in sizes.items()},
            log=tuple(f"{table}/{LOG}/{name}" for name in self._log(table, version)),
        )

    def _log(self, table: str, version: int) -> list[str]:
        # Without `_last_checkpoint`, which may name a later one, a reader lists the log.
        names = ((match, name) for name in self._listed(f"{table}/{LOG}") if (match := _VERSIONED.match(name)))
        return sorted(name for match, name in names if int(match[1]) <= version)

    def _uri(self, table: str) -> str:
        return f"{self.location}/{table}"

    def _listed(self, folder: str) -> list[str]:
        from pyarrow.fs import FileSelector

        with delta.translate_errors(self.location):
            return [info.base_name for info in self._files.get_file_info(FileSelector(folder, allow_not_found=True))]


class _Reading:
    """A stream from a file of a lake, whose errors are those of the lake."""

    def __init__(self, file: Any, location: str) -> None:
        self._file, self._location = file, location

    def read(self, size: int) -> bytes:
        """Read on."""
        with delta.translate_errors(self._location):
            return self._file.read(size)
