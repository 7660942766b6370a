"""Files of an archive: which table each holds, in which layout, and how it becomes that table's columns."""

import csv
import gzip
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from mystocks_dagster.errors import SourceChanged
from mystocks_dagster.market.schemas import MOMENT, TABLES, Column, Table
from mystocks_dagster.market.symbols import normalise_expr

#: Tables that an archive may hold: what no snapshot in time is needed for.
RECORDED_TABLES = (
    *("stocks", "daily_bars", "corporate_actions", "balance_sheets", "income_statements", "cash_flows", "longhubang"),
    *("capital_flow_stock", "capital_flow_sector", "capital_flow_concept"),
)
SUFFIXES = (".parquet", ".csv", ".csv.gz")

#: These columns together say that a file comes from baostock's query_history_k_data_plus.
_BAOSTOCK_MARKS = frozenset({"date", "code", "adjustflag"})
#: Our column from baostock's; volume in shares, amount in CNY, turn in percent already.
_BAOSTOCK = {
    "symbol": "code",
    "date": "date",
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "prev_close": "preclose",
    "volume": "volume",
    "amount": "amount",
    "turnover": "turn",
    "is_st": "isST",
    "suspended": "tradestatus",
}
_RAW = 3


@dataclass(frozen=True)
class RecordedFile:
    """One file that holds rows of one table.

    Attributes:
        needs: Our column names, and what each is called in the file.
        raw_only: The file may hold adjusted rows too; only raw ones are taken.
    """

    path: Path
    table: Table
    needs: dict[str, str]
    raw_only: bool = False

    def read(self, keep: pl.Expr) -> pl.DataFrame:
        """Return the rows for which `keep` holds, in the table's columns and types.

        Raises:
            SourceChanged: A value is missing or cannot be meant.
        """
        # A row without a key passes no filter: it must be seen and refused, not lost.
        keyless = pl.any_horizontal(pl.col(self.table.key).is_null())
        return self._checked(self._collected(self._ours().filter(keep | keyless)))

    def span(self, column: str) -> tuple[date, date] | None:
        """Return the first and the last day in a column; None when the file holds no row.

        Raises:
            SourceChanged: A value cannot be meant.
        """
        ends = self._collected(self._ours().select(first=pl.col(column).min(), last=pl.col(column).max()))
        first, last = ends.row(0)
        return None if first is None else (first, last)

    def _collected(self, rows: pl.LazyFrame) -> pl.DataFrame:
        try:
            return rows.collect()
        except (PolarsError, OSError) as error:
            raise SourceChanged(f"{self.path} cannot be read as {self.table.name}: {_first_line(error)}") from error

    def _ours(self) -> pl.LazyFrame:
        """Return all rows as the table wants them."""
        found = _scan(self.path)
        types = found.collect_schema()
        if not self.raw_only:
            return found.select(self._typed(column, types) for column in self.table.columns)
        # baostock: tradestatus 0 is suspended, and then volume and amount are often empty.
        raw = found.filter(pl.col("adjustflag").cast(pl.Int64) == _RAW).select(self._typed(column, types) for column in self.table.columns)
        return raw.with_columns(suspended=~pl.col("suspended")).with_columns(
            pl.when("suspended").then(pl.col(name).fill_null(0)).otherwise(pl.col(name)).alias(name) for name in ("volume", "amount")
        )

    def _typed(self, column: Column, types: pl.Schema) -> pl.Expr:
        if column.name not in self.needs:
            # Only `updated_at` may be left out: the file says itself when it was written.
            written = datetime.fromtimestamp(self.path.stat().st_mtime, UTC)
            return pl.lit(written).dt.convert_time_zone("Asia/Shanghai").cast(MOMENT).alias(column.name)
        theirs = self.needs[column.name]
        if column.name == "symbol":
            return normalise_expr(theirs).alias(column.name)
        return _cast(pl.col(theirs), types[theirs], column.dtype).alias(column.name)

    def _checked(self, rows: pl.DataFrame) -> pl.DataFrame:
        for column in self.table.columns:
            if not column.null and rows[column.name].null_count():
                key = rows.filter(pl.col(column.name).is_null()).row(0, named=True)
                where = ", ".join(f"{name} {key[name]}" for name in self.table.key)
                theirs = self.needs.get(column.name, column.name)
                raise SourceChanged(f"{self.path}: column {theirs!r} is empty, or not {column.unit}, in the row of {where}.")
        return rows


def recognise(path: Path, root: Path) -> RecordedFile | str:
    """Return the file as a part of the archive, or the reason for which it is none.

    A file belongs to the table after which it, or a folder above it within `root`, is called; its columns are then
    ours. Elsewhere only raw bars of baostock are recognised.

    Raises:
        SourceChanged: The file cannot be read, or lacks a column of its table.
    """
    places = path.relative_to(root)
    named = [name for name in (*places.parts[:-1], path.name.split(".")[0]) if name in TABLES]
    columns = _columns(path)
    if named:
        if named[-1] not in RECORDED_TABLES:
            return f"an archive cannot hold {named[-1]}"
        table = TABLES[named[-1]]
        optional = {"updated_at"} - columns
        return _complete(RecordedFile(path, table, {name: name for name in table.dtypes if name not in optional}), columns)
    if columns >= _BAOSTOCK_MARKS:
        if _RAW not in _adjustments(path):
            return "adjusted prices (adjustflag is not 3), which are never stored"
        return _complete(RecordedFile(path, TABLES["daily_bars"], _BAOSTOCK, raw_only=True), columns)
    return "neither called after a table nor raw bars of baostock"


def _complete(file: RecordedFile, columns: set[str]) -> RecordedFile:
    missing = [theirs for theirs in file.needs.values() if theirs not in columns]
    if missing:
        raise SourceChanged(
            f"{file.path} has no column {missing[0]!r}; {file.table.name} needs {', '.join(file.needs.values())} (see docs/sources.md)."
        )
    return file


def _columns(path: Path) -> set[str]:
    try:
        if path.suffix == ".parquet":
            return set(pl.read_parquet_schema(path))
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8-sig", newline="") as text:
            return set(next(csv.reader(text), []))
    except (PolarsError, OSError, UnicodeDecodeError) as error:
        raise SourceChanged(f"{path} cannot be read ({_first_line(error)}); mend it or take it out of the archive.") from error


def _adjustments(path: Path) -> set[int]:
    return set(_scan(path).select(pl.col("adjustflag").cast(pl.Int64).unique()).collect().to_series())


def _scan(path: Path) -> pl.LazyFrame:
    # Text stays text until its column's type is known: a guess from the first rows would fail later.
    return pl.scan_parquet(path) if path.suffix == ".parquet" else pl.scan_csv(path, infer_schema=False)


def _cast(value: pl.Expr, found: pl.DataType, wanted: pl.DataType | type[pl.DataType]) -> pl.Expr:
    """Return `value` as `wanted`; what cannot be read raises when it is collected."""
    if found != pl.String:
        if wanted == MOMENT and isinstance(found, pl.Datetime):
            here = value.dt.replace_time_zone("Asia/Shanghai") if found.time_zone is None else value.dt.convert_time_zone("Asia/Shanghai")
            return here.cast(MOMENT)
        return value.cast(wanted)
    text = value.str.strip_chars().replace("", None)
    if wanted == pl.Date:
        return text.str.replace_all("-", "").str.to_date("%Y%m%d")
    if wanted == pl.Boolean:
        return text.str.to_lowercase().replace_strict({"1": True, "0": False, "true": True, "false": False}, return_dtype=pl.Boolean)
    if wanted == pl.Int64:
        return text.cast(pl.Float64).cast(pl.Int64)
    if wanted == MOMENT:
        return text.str.to_datetime("%+").dt.convert_time_zone("Asia/Shanghai").cast(MOMENT)
    return text.cast(wanted)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
