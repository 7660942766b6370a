"""Copies with digests: a file appears under its name only when all of it is there."""

import errno
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from mystocks_dagster import disk_errors
from mystocks_dagster.backup.manifest import FileEntry

_BLOCK = 1 << 20
#: The first bytes of each file of SQLite.
_SQLITE = b"SQLite format 3\x00"
_BUSY_SECONDS = 60


class DigestReader:
    """A stream that computes the digest of what is read from it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._hash, self.bytes = stream, hashlib.sha256(), 0

    def read(self, size: int = _BLOCK) -> bytes:
        """Read on."""
        block = self._stream.read(size)
        self._hash.update(block)
        self.bytes += len(block)
        return block

    def digest(self) -> str:
        """Return the digest of what was read."""
        return self._hash.hexdigest()


def copied(stream: IO[bytes], out: IO[bytes]) -> tuple[int, str]:
    """Copy a stream; return its size and digest."""
    reader = DigestReader(stream)
    while block := reader.read():
        out.write(block)
    return reader.bytes, reader.digest()


def digest_of(path: Path) -> tuple[int, str]:
    """Return size and digest of a file."""
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def appearing(path: Path, mode: int = 0o600) -> Generator[IO[bytes]]:
    """Write a file that appears when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name[:200]}.{os.getpid()}.tmp")
    try:
        with scratch.open("wb") as file:
            yield file
        scratch.chmod(mode)
        scratch.replace(path)
    except OSError as error:
        if error.filename is None and error.errno in disk_errors.FULL_CODES:
            error.filename = str(path)
        raise
    finally:
        scratch.unlink(missing_ok=True)


class Folder:
    """The folder of a backup that is being made; all in it is readable by its user only."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: list[FileEntry] = []

    def put(self, path: str, fill: Callable[[IO[bytes]], object], mode: int = 0o644) -> None:
        """Write a file whose content `fill` writes."""
        with appearing(self.root / path) as file:
            fill(file)
        self.note(path, mode)

    def copy(self, source: Path, path: str) -> None:
        """Copy a file; one of SQLite as its database is at one moment, whoever writes in it."""
        mode = source.stat().st_mode & 0o777
        with source.open("rb") as stream:
            if stream.read(len(_SQLITE)) == _SQLITE:
                _copy_database(source, self.root / path)
            else:
                stream.seek(0)
                with appearing(self.root / path) as out:
                    shutil.copyfileobj(stream, out, _BLOCK)
        self.note(path, mode)

    def note(self, path: str, mode: int = 0o644) -> None:
        """Note a file that is there."""
        size, digest = digest_of(self.root / path)
        self.files.append(FileEntry(path=path, bytes=size, sha256=digest, mode=mode))


def _copy_database(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    scratch.unlink(missing_ok=True)
    try:
        # Not read-only: a database in WAL mode needs its files beside it also to be read.
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_SECONDS)) as old,
            closing(sqlite3.connect(scratch)) as new,
        ):
            new.execute("PRAGMA synchronous = OFF")
            old.backup(new)
            # One file then holds all, wherever it is copied.
            new.execute("PRAGMA journal_mode = DELETE")
        scratch.chmod(0o600)
        scratch.replace(target)
    except sqlite3.Error as error:
        full = "disk is full" in str(error)
        code, path = (errno.ENOSPC, target) if full else (errno.EIO, source)
        raise OSError(code, str(error), str(path)) from error
    finally:
        scratch.unlink(missing_ok=True)
