"""Zip files from outside: whatever is wrong with one, it is damaged, and it never claims more than it can hold."""

import lzma
import struct
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

#: What Python's readers raise for a damaged or encrypted zip, or for one with a method that they lack.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    MemoryError,
)
#: No byte of a deflated file can stand for more bytes than this.
_MOST_TIMES = 1032


class DamagedZip(Exception):
    """It is not a complete zip; the message says why. Callers turn it into an error that names the file."""


@contextmanager
def opened_zip(file: Path | IO[bytes]) -> Generator[zipfile.ZipFile]:
    """Open a zip, to list and read its entries; what is done with their content belongs outside of the block.

    Raises:
        DamagedZip: It is damaged, or states sizes that it cannot have.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            _check_sizes(archive)
            yield archive
    except DAMAGED as error:
        raise DamagedZip(str(error) or type(error).__name__) from error


def _check_sizes(archive: zipfile.ZipFile) -> None:
    """Refuse sizes that would take memory for what is not there."""
    end = archive.start_dir
    for info in archive.infolist():
        if not info.filename or info.header_offset + info.compress_size > end:
            raise zipfile.BadZipFile(f"{info.filename!r} reaches beyond its end")
        if info.file_size > _MOST_TIMES * info.compress_size + _MOST_TIMES:
            raise zipfile.BadZipFile(f"{info.filename} cannot have {info.file_size:,} bytes")
