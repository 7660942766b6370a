"""Files of an archive: which table each holds, in which layout, and how it becomes that table's columns."""

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from mystocks_dagster.errors import InvalidParams, SourceChanged
from mystocks_dagster.market.symbols import normalise, normalise_expr
from mystocks_dagster.market.table import MOMENT, Column, Table
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.sources.dates import UnclearDay, days_expr
from mystocks_dagster.sources.recorded.layouts import OWN, Layout, bars_layout, own_layout
from mystocks_dagster.sources.recorded.span import Span

#: Tables that an archive may hold: those of a source that are not snapshots of the present moment.
RECORDED_TABLES = tuple(name for name, table in TABLES.items() if table.origin == "source")
SUFFIXES = (".parquet", ".csv", ".csv.gz")

_FLAGS = {"1": True, "0": False, "1.0": True, "0.0": False, "true": True, "false": False}
#: So many bytes of a text are looked at to tell its columns and its encoding.
_LOOK = 65_536
#: baostock's adjustflag of raw rows.
_RAW = 3
#: Of a file that does not say whether its prices are raw, at least this share of rows must show it.
_PROOF = 0.9


@dataclass(frozen=True)
class RecordedFile:
    """One file that holds rows of one table in one layout.

    Attributes:
        columns: Our column names, and what each is called in the file.
        encoding: That of a text file.
    """

    path: Path
    table: Table
    layout: Layout
    columns: dict[str, str]
    encoding: str = "utf-8"

    def read(self, keep: pl.Expr) -> pl.DataFrame:
        """Return the rows for which `keep` holds, in the table's columns and types.

        Raises:
            SourceChanged: A value is missing or cannot be meant.
        """
        # A row without a key passes no filter: it must be seen and refused, not lost.
        keyless = pl.any_horizontal(pl.col(self.table.key).is_null())
        return self._checked(self._collected(lambda rows: rows.filter(keep | keyless)))

    def span(self, column: str, since: date, until: date) -> Span | None:
        """Return the first and the last day in a column; None when the file holds no row.

        Args:
            column: Our name of it.
            since: Days before it are strays.
            until: Days after it are strays.

        Raises:
            SourceChanged: A value cannot be meant.
        """
        day = pl.col(column)
        within = day.filter(day.is_between(since, until))
        ends = self._collected(
            lambda rows: rows.select(first=within.min(), last=within.max(), earliest=day.min(), latest=day.max())
        ).row(0, named=True)
        return None if ends["earliest"] is None else Span(**ends)

    def _collected(self, wanted: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.DataFrame:
        with _readable(self.path, self.table):
            return wanted(self._ours()).collect()

    def _ours(self) -> pl.LazyFrame:
        """Return all rows as the table wants them."""
        found = _scan(self.path, self.encoding)
        types = found.collect_schema()
        if self.layout.raw_only:
            found = found.filter(_adjustment(types) == _RAW)
        rows = found.select(self._typed(column, types) for column in self.table.columns)
        if self.layout.raw_only and "suspended" in self.columns:  # baostock: tradestatus 0 is suspended
            rows = rows.with_columns(suspended=~pl.col("suspended"))
        if self.table.name != "daily_bars" or self.layout.name == OWN:
            return rows
        if "suspended" not in self.columns:
            rows = rows.with_columns(suspended=pl.col("volume").fill_null(0) == 0)
        # On suspended days volume and amount are often empty.
        return rows.with_columns(
            pl.when("suspended").then(pl.col(name).fill_null(0)).otherwise(pl.col(name)).alias(name)
            for name in ("volume", "amount")
        )

    def _typed(self, column: Column, types: pl.Schema) -> pl.Expr:
        if column.name not in self.columns:
            return self._without(column)
        theirs = self.columns[column.name]
        if column.name == "symbol":
            return normalise_expr(codes_expr(theirs, types[theirs])).alias(column.name)
        if column.dtype == pl.Date:
            return days_expr(theirs, types[theirs]).alias(column.name)
        scale = self.layout.scale.get(column.name)
        value = _cast(pl.col(theirs), types[theirs], pl.Float64 if scale else column.dtype)
        return ((value * scale).round(2).cast(column.dtype) if scale else value).alias(column.name)

    def _without(self, column: Column) -> pl.Expr:
        """Return what a column holds that the file does not have."""
        if column.name == "updated_at":  # the file says itself when it was written
            written = datetime.fromtimestamp(self.path.stat().st_mtime, UTC)
            return pl.lit(written).dt.convert_time_zone("Asia/Shanghai").cast(MOMENT).alias(column.name)
        if column.name == "symbol":
            return pl.lit(normalise(_stem(self.path))).alias(column.name)
        return pl.lit(None, column.dtype).alias(column.name)

    def _checked(self, rows: pl.DataFrame) -> pl.DataFrame:
        for column in self.table.columns:
            if not column.null and rows[column.name].null_count():
                key = rows.filter(pl.col(column.name).is_null()).row(0, named=True)
                where = ", ".join(f"{name} {key[name]}" for name in self.table.key)
                theirs = self.columns.get(column.name, column.name)
                raise SourceChanged(
                    f"{self.path}: column {theirs!r} is empty, or not {column.unit}, in the row of {where}."
                )
        if self.layout.unproven:
            self._prove(rows)
        return rows

    def _prove(self, rows: pl.DataFrame) -> None:
        """Refuse rows whose mean price says that their prices are adjusted, or their units others."""
        traded = rows.filter(pl.col("volume") > 0)
        mean = pl.col("amount") / pl.col("volume")
        odd = traded.filter(~mean.is_between(pl.col("low") * 0.99, pl.col("high") * 1.01))
        if odd.height > (1 - _PROOF) * traded.height:
            where = ", ".join(f"{name} {odd[name][0]}" for name in self.table.key)
            raise SourceChanged(
                f"{self.path}: amount / volume is outside low to high in {odd.height:,} of {traded.height:,} rows, e.g. {where}: "
                f"its prices are adjusted, or its units are not those of {self.layout.name} (see docs/sources.md)."
            )


def recognise(path: Path, root: Path) -> RecordedFile | str:
    """Return the file as a part of the archive, or the reason for which it is none.

    A file belongs to the table after which it, or a folder above it within `root`, is called; its columns are then
    ours. Elsewhere only raw bars of baostock are recognised.

    Raises:
        SourceChanged: The file cannot be read, or lacks a column of its table.
    """
    places = path.relative_to(root)
    named = [name for name in (*places.parts[:-1], _stem(path)) if name in TABLES]
    if named and named[-1] not in RECORDED_TABLES:
        return f"an archive cannot hold {named[-1]}"
    columns, encoding = _head(path)
    layout = (
        bars_layout(columns, _stem(path), named="daily_bars" in named)
        if not named or named[-1] == "daily_bars"
        else None
    )
    if isinstance(layout, str):
        return layout
    if layout is not None:
        return _bars(path, layout, columns, encoding)
    if not named:
        return "neither called after a table nor daily bars of baostock or tushare"
    table = TABLES[named[-1]]
    return _complete(path, table, own_layout(table), columns, encoding)


def _bars(path: Path, layout: Layout, columns: set[str], encoding: str) -> RecordedFile | str:
    if layout.raw_only and _RAW not in _adjustments(path, encoding):
        return "adjusted prices (adjustflag is not 3), which are never stored"
    file = _complete(path, TABLES["daily_bars"], layout, columns, encoding)
    if "symbol" not in file.columns:
        try:
            normalise(_stem(path))
        except InvalidParams:
            return f"no column with the code ({layout.optional['symbol']}), and its name is not one"
    return file


def _complete(path: Path, table: Table, layout: Layout, columns: set[str], encoding: str) -> RecordedFile:
    if missing := layout.missing(columns):
        needs = ", ".join(layout.needs.values())
        raise SourceChanged(f"{path} has no column {missing!r}; {table.name} needs {needs} (see docs/sources.md).")
    return RecordedFile(path, table, layout, layout.columns(columns), encoding)


def _stem(path: Path) -> str:
    """Return a file's name without its suffixes: sh.600000.csv.gz is sh.600000."""
    return next(
        path.name[: -len(suffix)]
        for suffix in sorted(SUFFIXES, key=len, reverse=True)
        if path.name.lower().endswith(suffix)
    )


def _head(path: Path) -> tuple[set[str], str]:
    """Return a file's columns and, of a text file, its encoding."""
    try:
        if path.suffix.lower() == ".parquet":
            with path.open("rb") as file:
                return set(pl.read_parquet_schema(file)), "utf-8"
        with (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rb") as file:
            start = file.read(_LOOK)
        encoding = _encoding(start)
        head = start.decode(encoding, errors="ignore").removeprefix("\ufeff")
        return {name.strip() for name in next(csv.reader(io.StringIO(head)), [])}, encoding
    except csv.Error as error:
        raise SourceChanged(
            f"{path}:1 is no line of names ({error}); save the file as CSV whose lines end with LF or CRLF, or take it out of the archive."
        ) from error
    except (PolarsError, OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise SourceChanged(
            f"{path} cannot be read ({_first_line(error)}); mend it or take it out of the archive."
        ) from error


def _encoding(start: bytes) -> str:
    """Return the encoding of a text that begins so: UTF-8, or GBK as Excel in China writes it."""
    for encoding in ("utf-8", "gb18030"):
        try:
            start.decode(encoding)
        except UnicodeDecodeError as error:
            if error.end >= len(start) - 3:  # the last character is cut in two
                return encoding
        else:
            return encoding
    return start.decode("utf-8")  # raises, naming the byte


def _adjustments(path: Path, encoding: str) -> set[int]:
    with _readable(path, TABLES["daily_bars"]):
        rows = _scan(path, encoding)
        return set(rows.select(_adjustment(rows.collect_schema()).unique()).collect().to_series())


def _adjustment(types: pl.Schema) -> pl.Expr:
    return _cast(pl.col("adjustflag"), types["adjustflag"], pl.Int64)


@contextmanager
def _readable(path: Path, table: Table) -> Generator[None, None, None]:
    """Name the file when it turns out that its rows cannot be read."""
    try:
        yield
    except UnclearDay as error:
        raise SourceChanged(f"{path} cannot be read as {table.name}: {error}.") from error
    except (PolarsError, OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise SourceChanged(f"{path} cannot be read as {table.name}: {_first_line(error)}") from error


def _scan(path: Path, encoding: str) -> pl.LazyFrame:
    if path.suffix.lower() == ".parquet":
        return pl.scan_parquet(
            path, glob=False, hive_partitioning=False
        )  # a name is no pattern: `[x]` stands for itself
    # Text stays text until its column's type is known: a guess from the first rows would fail later.
    if encoding == "utf-8":
        rows = pl.scan_csv(path, infer_schema=False, glob=False)
    else:
        content = gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
        rows = pl.read_csv(content.decode(encoding).encode(), infer_schema=False).lazy()
    # `_head` strips the names too: blanks after the commas of a heading belong to no name.
    names = rows.collect_schema().names()
    blank = {name: name.strip() for name in names if name != name.strip()}
    return rows.rename(blank) if blank else rows


def codes_expr(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return a column of codes as text; numbers, which lost their leading zeros, get them back."""
    code = (
        pl.col(column).cast(pl.Int64).cast(pl.String)
        if dtype.is_numeric()
        else pl.col(column).cast(pl.String).str.strip_chars()
    )
    return pl.when(code.str.contains(r"^[0-9]{1,5}$")).then(code.str.zfill(6)).otherwise(code)


def _cast(value: pl.Expr, found: pl.DataType, wanted: pl.DataType | type[pl.DataType]) -> pl.Expr:
    """Return `value` as `wanted`; what cannot be read raises when it is collected."""
    if found != pl.String:
        if wanted == MOMENT and isinstance(found, pl.Datetime):
            here = (
                value.dt.replace_time_zone("Asia/Shanghai")
                if found.time_zone is None
                else value.dt.convert_time_zone("Asia/Shanghai")
            )
            return here.cast(MOMENT)
        return value.cast(wanted)
    text = value.str.strip_chars().replace("", None)
    if wanted == pl.Boolean:
        return text.str.to_lowercase().replace_strict(_FLAGS, return_dtype=pl.Boolean)
    if wanted == pl.Int64:
        return text.cast(pl.Float64).round().cast(pl.Int64)
    if wanted == MOMENT:
        return text.str.to_datetime("%+").dt.convert_time_zone("Asia/Shanghai").cast(MOMENT)
    return text.cast(wanted)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
