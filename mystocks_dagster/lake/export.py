"""Write a table as files that other tools load: Parquet, CSV, Excel, or the folder of qlib."""

import errno
import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl

from mystocks_dagster import disk_errors
from mystocks_dagster.errors import InvalidParams, LakeError, UnknownName
from mystocks_dagster.lake.prices import How, adjusted_bars
from mystocks_dagster.lake.qlib import is_qlib_folder, write_qlib
from mystocks_dagster.lake.selection import Selection
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.symbols import normalise_all
from mystocks_dagster.market.table import MOMENT
from mystocks_dagster.market.tables import table as table_of

Format = Literal["parquet", "csv", "xlsx", "qlib"]
#: Rows of an Excel sheet, without the header.
EXCEL_ROWS = 1_048_575
#: How the operating system, and polars after it, says that the disk is full.
_FULL = os.strerror(errno.ENOSPC)


@dataclass(frozen=True, kw_only=True)
class Export:
    """What to export.

    Attributes:
        table: Name of the table.
        adjust: How the prices of `daily_bars` are adjusted; None leaves them raw.
        symbols: Symbols to keep, in any spelling; None means all.
        start: First day to keep, by the table's date column.
        end: Last day to keep.
    """

    table: str
    adjust: How | None = None
    symbols: tuple[str, ...] | None = None
    start: date | None = None
    end: date | None = None


def export(lake: Lake, request: Export, target: Path, form: Format | None = None, *, force: bool = False) -> int:
    """Write rows to a new file (or folder, with qlib), sorted by their key; return the number of rows.

    The target appears when it is complete; after an error or a kill there is none, or the earlier one.

    Args:
        lake: The lake.
        request: The rows.
        target: The file or folder to write.
        form: The format; None takes it from the file's name.
        force: Replace an existing file, or an earlier export for qlib.

    Raises:
        LakeError: The target exists, its folder does not, or the rows do not fit the format.
        TableMissing: The table does not exist yet.
        UnknownName: There is no such table or format, the table has no such column to select by, or none of its rows
            is of one of the symbols.
        InvalidParams: One of the symbols is not a code, or the first day is after the last one.
    """
    if request.start and request.end and request.start > request.end:
        raise InvalidParams(f"The first day, {request.start}, is after the last one, {request.end}.")
    form = form or _format_of(target)
    _check_target(target, form, force=force)
    if request.symbols is not None:
        request = replace(request, symbols=tuple(normalise_all(request.symbols)))
        _check_symbols(lake, request.table, request.symbols or ())
    frame = _rows(lake, request)
    if frame.is_empty():
        raise LakeError(f"{request.table} has no such rows, so nothing is exported.")
    _replace(target, lambda path: _WRITERS[form](frame, path))
    return frame.height


def _format_of(target: Path) -> Format:
    suffix = target.suffix.removeprefix(".").lower()
    for form in get_args(Format):
        if suffix == form:
            return form
    formats = ", ".join(get_args(Format))
    raise UnknownName(f"The name {target.name} does not say the format; pass --format, one of {formats}.")


def _check_target(target: Path, form: Format, *, force: bool) -> None:
    if not target.absolute().parent.is_dir():
        raise LakeError(f"The folder {target.absolute().parent} does not exist; create it first.")
    if not os.path.lexists(target):
        return
    if not force:
        raise LakeError(f"{target} exists already. Choose another name, or pass --force to replace it.")
    if form == "qlib" and not is_qlib_folder(target):
        raise LakeError(f"{target} is not an earlier export for qlib, so it is not replaced. Choose another name.")
    if form != "qlib" and (target.is_dir() or target.is_symlink()):
        raise LakeError(f"{target} is not a file, so it is not replaced. Choose another name.")


def _check_symbols(lake: Lake, table: str, symbols: Sequence[str]) -> None:
    """Refuse an export in which a symbol would be missing without a word."""
    stored = set(lake.read(table, columns=["symbol"], symbols=symbols)["symbol"].unique())
    # A code of the past is read under the newest code.
    missing = [
        symbol
        for symbol in symbols
        if symbol not in stored and lake.read(table, columns=["symbol"], symbols=[symbol]).is_empty()
    ]
    if missing:
        raise UnknownName(f"{table} has no rows of {', '.join(missing)}, so nothing is exported.")


def _rows(lake: Lake, request: Export) -> pl.DataFrame:
    schema = table_of(request.table)
    selection: Selection = {"symbols": request.symbols, "start": request.start, "end": request.end}
    if request.adjust is None:
        return lake.read(request.table, **selection).sort(schema.key)
    if request.table != "daily_bars":
        raise UnknownName(f"Only the prices of daily_bars can be adjusted, not those of {request.table}.")
    return adjusted_bars(lake, request.adjust, symbols=request.symbols, start=request.start, end=request.end)


def _replace(target: Path, write: Callable[[Path], None]) -> None:
    """Write beside the target, then exchange the two in one step (two for a folder)."""
    partial = target.absolute().parent / f".{target.name}.{uuid.uuid4().hex[:8]}.partial"
    try:
        write(partial)
        if target.is_dir():
            old = partial.with_suffix(".old")
            target.rename(old)
            partial.rename(target)
            shutil.rmtree(old)
        else:
            partial.replace(target)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = _FULL if _FULL in f"{error}" else getattr(error, "strerror", None) or error
        free, total = disk_errors.megabytes(target.absolute().parent)
        space = f" Of {total:,.1f} MB {free:,.1f} are free: free some space." if reason == _FULL else ""
        raise LakeError(f"{target} cannot be written: {reason}. Nothing was exported.{space}") from error
    finally:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _write_parquet(frame: pl.DataFrame, path: Path) -> None:
    with path.open("wb") as file:
        frame.write_parquet(file)


def _write_csv(frame: pl.DataFrame, path: Path) -> None:
    """Write UTF-8 with a byte order mark, by which Excel recognises Chinese; pandas and polars skip it."""
    with path.open("wb") as file:
        frame.write_csv(file, include_bom=True)


def _write_xlsx(frame: pl.DataFrame, path: Path) -> None:
    """Write one sheet; moments are Shanghai's time, because Excel knows no time zones."""
    if frame.height > EXCEL_ROWS:
        raise LakeError(
            f"An Excel sheet has at most {EXCEL_ROWS:,} rows, and these are {frame.height:,}. Select fewer with "
            "--symbols, --start and --end, or choose --format csv or parquet."
        )
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.utils.exceptions import IllegalCharacterError

    moments = [name for name, dtype in frame.schema.items() if dtype == MOMENT]
    frame = frame.with_columns(pl.col(moments).dt.replace_time_zone(None))
    texts = {index for index, dtype in enumerate(frame.dtypes) if dtype == pl.String}
    book = Workbook(write_only=True)
    sheet = book.create_sheet("data")

    def text_cell(text: str | None) -> Any:
        if text is None:
            return None
        cell = WriteOnlyCell(sheet, value=text)
        cell.data_type = "s"  # a text such as "=1" is not a formula
        return cell

    sheet.append(frame.columns)
    try:
        for row in frame.iter_rows():
            sheet.append([text_cell(value) if index in texts else value for index, value in enumerate(row)])
    except IllegalCharacterError as error:
        raise LakeError(f"Excel cannot hold the text {error}. Choose --format csv or parquet.") from None
    with path.open("wb") as file:
        book.save(file)


_WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    "parquet": _write_parquet,
    "csv": _write_csv,
    "xlsx": _write_xlsx,
    "qlib": write_qlib,
}
