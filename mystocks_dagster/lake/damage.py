"""Missing, truncated or corrupted files of a table: find them, and name the remedy."""

import io
import json
import os
import re
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

import polars as pl
from deltalake import DeltaTable

from mystocks_dagster.lake.location import local_path
from mystocks_dagster.market.tables import TABLES

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

LOG = "_delta_log"
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint.*\.parquet")
#: Versions between two checkpoints of delta-rs; it reads the commits since the last one.
_SINCE_CHECKPOINT = 100
_BLOCK = 1 << 20


def damage_message(uri: str, damage: str) -> str:
    """Return the error message about a damaged file, with the command that lists the versions to restore."""
    table = uri.rstrip("/").rpartition("/")[2]
    versions = f"List the versions that can be restored: mystocks data restore {table}"
    return f"The table {table} in {uri} is damaged: {damage}. {versions}"


def find_damage(uri: str) -> tuple[str, str] | None:
    """Check every file of a table, or of all tables of a lake.

    Returns:
        The table's location and what is wrong with its file; None when no file is damaged.
    """
    name = uri.rstrip("/").rpartition("/")[2]
    for table in [uri] if name in TABLES else [f"{uri}/{table_name}" for table_name in TABLES]:
        try:
            damage = log_damage(table) or next(iter(_data_damage(table).values()), None)
        except OSError:
            continue  # a folder that cannot be listed is another error
        if damage:
            return table, damage
    return None


def log_damage(uri: str, newest: int | None = None) -> str | None:
    """Return the damaged file of a transaction log and what is wrong with it; None when the log is intact.

    Args:
        uri: The table's location.
        newest: The version that was just opened. Then only empty or truncated commits are checked, which opening
            does not notice, and only in a local folder.
    """
    path = local_path(uri)
    if newest is not None:
        return _empty_commit(path, newest) if path else None
    if path and not os.path.isdir(path):  # noqa: PTH112 - asked often: no table, and pyarrow need not be imported
        return None
    files = files_of(uri)
    log_files = {info.base_name: info for info in _listed(files, LOG)}
    if not log_files:
        has_other_files = any(info.is_file or info.base_name != LOG for info in _listed(files, ""))
        return f"{uri}/{LOG} is missing, and the other files cannot be read without it" if has_other_files else None
    problem = _checkpoint_problem(files, log_files) or _commit_problem(files, log_files)
    return f"{uri}/{LOG}/{problem}" if problem else None


def data_damage(
    opened: DeltaTable,
    uri: str,
    *,
    years: tuple[int | None, int | None] = (None, None),
    read: bool = False,
    known: dict[str, str] | None = None,
) -> dict[str, str]:
    """Return the data files of a version that are missing or differ in size from the log, each with what is wrong.

    Args:
        opened: The version.
        uri: Its location.
        years: First and last year whose files are checked.
        read: Read each file too, which finds corrupted content.
        known: Results of earlier checks by path, extended by this call. An empty text means an intact file.
    """
    known = {} if known is None else known
    files, data_files = files_of(uri), list(_data_files(opened, years))
    for path, size, rows in data_files:
        if path not in known:
            known[path] = _file_problem(files, path, size, rows, read=read)
    return {path: f"{uri}/{path} {known[path]}" for path, _, _ in data_files if known[path]}


def files_of(uri: str) -> "FileSystem":
    """Return the file system of a table, with paths relative to it."""
    from deltalake.fs import DeltaStorageHandler
    from pyarrow import fs

    path = local_path(uri)
    return fs.SubTreeFileSystem(path, fs.LocalFileSystem()) if path else fs.PyFileSystem(DeltaStorageHandler(uri))


def upload(uri: str, path: str, content: IO[bytes]) -> None:
    """Write a file of an object store, which appears when all of it is there.

    Through the file system of `files_of`, pyarrow would pass a buffer, which delta-rs does not accept.

    Args:
        uri: The location of a table or a lake.
        path: The file's path below it.
        content: What is written, from where the stream stands to its end.
    """
    from deltalake._internal import DeltaFileSystemHandler

    stream: Any = DeltaFileSystemHandler(uri).open_output_stream(path)  # its type stub lacks `close`
    while block := content.read(_BLOCK):
        stream.write(block)
    stream.close()


def commits(uri: str) -> list[int]:
    """Return the numbers of the versions whose commits are in the log, ascending."""
    matches = (_COMMIT.fullmatch(info.base_name) for info in _listed(files_of(uri), LOG))
    return sorted(int(match[1]) for match in matches if match)


def commit_info(uri: str, version: int) -> dict[str, Any]:
    """Return the metadata of a commit (operation, timestamp...); empty when it cannot be read."""
    try:
        with files_of(uri).open_input_stream(f"{LOG}/{version:020}.json") as file:
            lines = [json.loads(line) for line in file.read().splitlines()]
    except (OSError, ValueError):
        return {}
    return next((line["commitInfo"] for line in lines if "commitInfo" in line), {})


def _data_damage(uri: str) -> dict[str, str]:
    try:
        return data_damage(DeltaTable(uri), uri, read=True)
    except Exception:  # noqa: BLE001 - it cannot be opened: its log is damaged, or there is no table
        return {}


def _data_files(opened: DeltaTable, years: tuple[int | None, int | None]) -> Iterator[tuple[str, int, int | None]]:
    """Yield path, size in bytes and number of rows of the data files of those years."""
    files = pl.DataFrame(opened.get_add_actions(flatten=True))
    if "partition.year" in files.columns:
        files = files.filter(pl.col("partition.year").is_between(years[0] or 0, years[1] or 9999))
    yield from files.select("path", "size_bytes", "num_records").iter_rows()


def _file_problem(files: "FileSystem", path: str, size: int, rows: int | None, *, read: bool) -> str:
    from pyarrow.fs import FileType

    info = files.get_file_info(path)
    if info.type != FileType.File:
        return "is missing" if info.type == FileType.NotFound else "is not a file"
    if info.size != size:
        return f"has {info.size:,} bytes and should have {size:,}"
    return _content_problem(files, path, rows) if read else ""


def _content_problem(files: "FileSystem", path: str, rows: int | None) -> str:
    try:
        with files.open_input_file(path) as file:
            height = pl.read_parquet(io.BytesIO(file.read())).height
    except BaseException as error:  # a panic of the native libraries is not an Exception
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        return "cannot be read: its content is corrupted"
    return "" if rows in (None, height) else f"has {height:,} rows and should have {rows:,}"


def _listed(files: "FileSystem", folder: str) -> list["FileInfo"]:
    from pyarrow.fs import FileSelector

    return files.get_file_info(FileSelector(folder, allow_not_found=True))


def _empty_commit(path: str, newest: int) -> str | None:
    name = os.path.join(path, LOG, f"{newest:020}.json")  # noqa: PTH118 - pathlib is slow, and this runs a hundred times at each opening
    if os.path.exists(name) and not _is_complete(name):  # noqa: PTH110
        return f"{name} is truncated"
    for version in range(newest - 1, max(newest - _SINCE_CHECKPOINT, -1), -1):
        name = os.path.join(path, LOG, f"{version:020}.json")  # noqa: PTH118
        try:
            if os.stat(name).st_size == 0:  # noqa: PTH116
                return f"{name} is empty"
        except OSError:
            return None  # older ones are in the checkpoint
    return None


def _is_complete(name: str) -> bool:
    """Return whether a commit lists as many files as it states; one truncated between two lines is valid JSON."""
    with open(name, encoding="utf-8") as file:  # noqa: PTH123
        lines = [json.loads(line) for line in file if line.strip()]
    metrics = next((line["commitInfo"].get("operationMetrics", {}) for line in lines if "commitInfo" in line), None)
    counts = {kind: sum(kind in line for line in lines) for kind in ("add", "remove")}
    added, removed = (metrics or {}).get("num_added_files"), (metrics or {}).get("num_removed_files")
    return metrics is not None and added in (None, counts["add"]) and removed in (None, counts["remove"])


def _checkpoint_problem(files: "FileSystem", log_files: dict[str, "FileInfo"]) -> str | None:
    from pyarrow import ArrowInvalid, parquet

    for name in sorted((name for name in log_files if _CHECKPOINT.fullmatch(name)), reverse=True)[:1]:
        try:
            with files.open_input_file(f"{LOG}/{name}") as file:
                parquet.read_table(file)
        except (OSError, ArrowInvalid):
            return f"{name} cannot be read"
    version = _hint(files, log_files)
    if version is not None and not any(name.startswith(f"{version:020}.checkpoint") for name in log_files):
        return f"{version:020}.checkpoint.parquet is missing"
    return None


def _hint(files: "FileSystem", log_files: dict[str, "FileInfo"]) -> int | None:
    if "_last_checkpoint" not in log_files:
        return None
    try:
        with files.open_input_stream(f"{LOG}/_last_checkpoint") as file:
            return int(json.loads(file.read())["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # readers do without the hint


def _commit_problem(files: "FileSystem", log_files: dict[str, "FileInfo"]) -> str | None:
    versions = sorted(int(match[1]) for name in log_files if (match := _COMMIT.fullmatch(name)))
    start = max((int(match[1]) + 1 for name in log_files if (match := _CHECKPOINT.fullmatch(name))), default=0)
    for version in range(start, max(versions, default=-1) + 1):
        name = f"{version:020}.json"
        if name not in log_files:
            return f"{name} is missing"
        try:
            with files.open_input_stream(f"{LOG}/{name}") as file:
                lines = [json.loads(line) for line in file.read().splitlines()]
        except (OSError, ValueError):
            return f"{name} is truncated or corrupted"
        if not lines:
            return f"{name} is empty"
    return None
