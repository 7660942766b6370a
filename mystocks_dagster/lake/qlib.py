"""Write rows in the binary format of qlib, as its own dumper (`scripts/dump_bin.py dump_all`) writes them.

* `calendars/day.txt`: the days, one a line.
* `instruments/all.txt`: SH600519, its first and its last day, separated by tabs.
* `features/sh600519/close.day.bin`: little-endian 32-bit floats. The first is the position of the symbol's first day in
  the calendar; then comes one value for each day from its first to its last, NaN where there is none.
"""

from pathlib import Path

import numpy as np
import polars as pl

from mystocks_dagster.errors import LakeError
from mystocks_dagster.market.adjust import PRICES

_CALENDAR = Path("calendars", "day.txt")


def is_qlib_folder(path: Path) -> bool:
    """Return whether a folder has qlib's layout."""
    return (path / _CALENDAR).is_file() and (path / "features").is_dir() and not path.is_symlink()


def write_qlib(frame: pl.DataFrame, folder: Path) -> None:
    """Write the numbers and flags of rows by symbol and day; texts and moments have no place in the format.

    As in qlib's own data, prices are adjusted ones if there is a column `factor`, volume is divided by it (so that
    price times volume stays the amount), and prices and volume of suspended days are NaN. Without adjustment the
    factor is 1.

    Args:
        frame: Rows with `symbol` and `date`, each pair once.
        folder: The folder to create.

    Raises:
        LakeError: The rows do not have one symbol and day each.
    """
    if not {"symbol", "date"} <= set(frame.columns) or frame.select("symbol", "date").is_duplicated().any():
        raise LakeError("qlib's format holds tables with one row per symbol and date. Choose --format csv or parquet.")
    frame = _in_terms_of_qlib(frame).sort("symbol", "date")
    fields = [name for name in frame.columns if name not in ("symbol", "date")]
    days = frame["date"].unique().sort()
    frame = frame.with_columns(position=days.search_sorted(frame["date"]).cast(pl.Int64))
    for part in ("calendars", "instruments", "features"):
        (folder / part).mkdir(parents=True)
    (folder / _CALENDAR).write_text("".join(f"{day}\n" for day in days), encoding="utf-8")
    lines = []
    for (symbol,), rows in frame.group_by("symbol", maintain_order=True):
        code = _code(f"{symbol}")
        lines.append(f"{code}\t{rows['date'][0]}\t{rows['date'][-1]}\n")
        _write_features(folder / "features" / code.lower(), rows, fields)
    (folder / "instruments" / "all.txt").write_text("".join(lines), encoding="utf-8")


def _in_terms_of_qlib(frame: pl.DataFrame) -> pl.DataFrame:
    kept = [name for name, dtype in frame.schema.items() if dtype.is_numeric() or dtype == pl.Boolean]
    frame = frame.select("symbol", "date", *(pl.col(name).cast(pl.Float64) for name in kept))
    if "close" in kept and "factor" not in kept:
        frame = frame.with_columns(factor=pl.lit(1.0))
    if {"volume", "factor"} <= set(frame.columns):
        frame = frame.with_columns(pl.col("volume") / pl.col("factor"))
    if "suspended" in kept:
        traded = [name for name in (*PRICES, "volume", "amount") if name in kept]
        frame = frame.with_columns(pl.when(pl.col("suspended") == 0).then(pl.col(name)).alias(name) for name in traded)
    return frame


def _write_features(folder: Path, rows: pl.DataFrame, fields: list[str]) -> None:
    folder.mkdir()
    positions = rows["position"].to_numpy()
    offsets = positions - positions[0] + 1
    for name in fields:
        values = np.full(offsets[-1] + 1, np.nan, dtype="<f4")
        values[0] = positions[0]
        values[offsets] = rows[name].to_numpy()
        values.tofile(folder / f"{name.lower()}.day.bin")


def _code(symbol: str) -> str:
    """Return qlib's code of a symbol: SH600519 for 600519.SH."""
    number, _, exchange = symbol.partition(".")
    return f"{exchange}{number}".upper()
