"""Reading of an archive's files: their columns, encoding and rows, and what is said of those that cannot be read."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import polars as pl
from polars.exceptions import InvalidOperationError, PolarsError

from mystocks_dagster.errors import SourceChanged
from mystocks_dagster.market.table import Table
from mystocks_dagster.sources.csv_text import UTF_16
from mystocks_dagster.sources.dates import AmbiguousDate

#: The number of bytes from which the columns and the encoding of a text file are determined.
_HEAD_BYTES = 65_536


def head(path: Path) -> tuple[set[str], str]:
    """Return a file's columns and the encoding of a text file."""
    try:
        if path.suffix.lower() == ".parquet":
            with path.open("rb") as file:
                return set(pl.read_parquet_schema(file)), "utf-8"
        with open_file(path, encoding=None) as file:
            start = file.read(_HEAD_BYTES)
        if start.startswith(UTF_16):
            raise SourceChanged(f"{path} is UTF-16 text. Save it as `CSV UTF-8`, or remove it from the archive.")
        encoding = _encoding(start)
        text = start.decode(encoding, errors="ignore").removeprefix("\ufeff")
        return {name.strip() for name in next(csv.reader(io.StringIO(text)), [])}, encoding
    except csv.Error as error:
        raise SourceChanged(
            f"{path}:1 is not a valid header line ({error}); save the file as CSV with LF or CRLF line ends, "
            "or remove it from the archive."
        ) from error
    except (PolarsError, OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise SourceChanged(
            f"{path} cannot be read ({_first_line(error)}); repair it or remove it from the archive."
        ) from error


def _encoding(start: bytes) -> str:
    """Return the encoding of a text from its first bytes: UTF-8, or GB18030, which Chinese Excel writes."""
    for encoding in ("utf-8", "gb18030"):
        try:
            start.decode(encoding)
        except UnicodeDecodeError as error:
            if error.end >= len(start) - 3:  # the last character is cut in two
                return encoding
        else:
            return encoding
    return start.decode("utf-8")  # raises an error with the position of the byte


def open_file(path: Path, encoding: str | None) -> IO[Any]:
    """Open a text file, compressed or not; without an encoding its bytes."""
    opened: Any = gzip.open if path.suffix.lower() == ".gz" else open
    mode, newline = ("rb", None) if encoding is None else ("rt", "")
    return opened(path, mode, encoding=encoding, newline=newline)


def scan(path: Path, encoding: str, **options: Any) -> pl.LazyFrame:
    """Return the rows of a file, whose columns are all text if it is CSV, which is read with Polars' options."""
    if path.suffix.lower() == ".parquet":
        return pl.scan_parquet(path, glob=False, hive_partitioning=False)  # a `[` in a file's name is not a pattern
    # All columns are read as text: types inferred from the first rows would fail later.
    if encoding == "utf-8":
        rows = pl.scan_csv(path, infer_schema=False, glob=False, **options)
    else:
        content = gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
        rows = pl.read_csv(content.decode(encoding).encode(), infer_schema=False, **options).lazy()
    # `head` also strips the names: blanks after the commas of a header are not part of them.
    names = rows.collect_schema().names()
    stripped = {name: name.strip() for name in names if name != name.strip()}
    return rows.rename(stripped) if stripped else rows


@contextmanager
def readable(path: Path, table: Table) -> Generator[None, None, None]:
    """Convert reading errors to `SourceChanged` with the file's path."""
    try:
        yield
    except AmbiguousDate as error:
        raise SourceChanged(f"{path} cannot be read as {table.name}: {_first_line(error)}.") from error
    except InvalidOperationError as error:
        raise SourceChanged(f"{path} cannot be read as {table.name}: {_not_converted(error)}") from error
    except (PolarsError, OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise SourceChanged(f"{path} cannot be read as {table.name}: {_first_line(error)}") from error


def _not_converted(error: InvalidOperationError) -> str:
    """Return which values are not numbers: polars names a column of its own, which is not in the file."""
    words = re.search(r"to `[fiu]\d+` failed in column '.*?' for (\d+) out of \d+ values: (.*)", str(error))
    if words is None:
        return _first_line(error)
    return f"{words[1]} value(s) are not numbers: {words[2]}. Write numbers like 1010.00, without separators."


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
