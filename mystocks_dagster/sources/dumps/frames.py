"""Convert the dumps' Parquet files to the tables of the lake, a calendar year at a time."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TypeVar

import polars as pl
from polars.exceptions import PolarsError

from mystocks_dagster.errors import SourceChanged
from mystocks_dagster.market.symbols import board_expr, normalise_expr
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS

T = TypeVar("T")

_BARS = ("thscode", "interval", "adjusted", "date_ms", "open_price", "high_price", "low_price", "close_price")
_TRADED = ("volume", "turnover")
_ACTIONS = ("thscode", "ex_date_ms", "dividend_per_share", "per_share_bonus", "allotment_ratio", "allotment_price")


def days(path: Path) -> list[date]:
    """Return the days of a dump of bars, ascending.

    Raises:
        SourceChanged: The file is damaged, or has other columns.
    """
    return _read(path, lambda rows: rows.select(_day("date_ms").unique().sort()).collect().to_series().to_list())


def bars(path: Path, start: date, end: date) -> pl.DataFrame:
    """Return the raw bars (`daily_bars`) of A shares from `start` to `end` by symbol and day, without previous closes.

    Raises:
        SourceChanged: The file is damaged, has other columns, adjusted prices or another interval.
    """

    def query(rows: pl.LazyFrame) -> pl.DataFrame:
        return rows.filter(_day("date_ms").is_between(start, end)).select(*_BARS, *_TRADED).collect()

    rows = _read(path, query)
    other = rows.filter(pl.col("adjusted").ne_missing("none") | pl.col("interval").ne_missing("1d"))
    if other.height:
        row = other.row(0, named=True)
        raise SourceChanged(
            f"{path.name}: {row['thscode']} has interval {row['interval']!r} and adjusted {row['adjusted']!r} in place "
            "of '1d' and 'none'."
        )
    prices = {name: f"{name}_price" for name in ("open", "high", "low", "close")}
    converted = rows.select(
        symbol=normalise_expr("thscode"),
        date=_day("date_ms"),
        **{name: pl.col(label).cast(pl.Float64) for name, label in prices.items()},
        volume=pl.col("volume").cast(pl.Int64),
        amount=pl.col("turnover").cast(pl.Float64),
        turnover=pl.lit(None, pl.Float64),
        is_st=pl.lit(None, pl.Boolean),
        suspended=pl.lit(value=False),
    )
    _require(path, converted, [column.name for column in DAILY_BARS.columns if not column.null])
    return _table(DAILY_BARS.dtypes, converted.filter(board_expr().is_not_null())).sort("symbol", "date")


def actions(path: Path, start: date, end: date) -> pl.DataFrame:
    """Return the corporate actions (`corporate_actions`) with ex-dividend days from `start` to `end`.

    Raises:
        SourceChanged: The file is damaged, or has other columns.
    """

    def query(rows: pl.LazyFrame) -> pl.DataFrame:
        return rows.filter(_day("ex_date_ms").is_between(start, end)).select(_ACTIONS).collect()

    def term(name: str) -> pl.Expr:
        return pl.col(name).cast(pl.Float64).fill_null(0.0)

    rows = _read(path, query).select(
        symbol=normalise_expr("thscode"),
        ex_date=_day("ex_date_ms"),
        cash=term("dividend_per_share"),
        bonus=term("per_share_bonus"),
        rights=term("allotment_ratio"),
        rights_price=pl.when(term("allotment_ratio") > 0).then(pl.col("allotment_price").cast(pl.Float64)),
        source=pl.lit("dumps"),
    )
    _require(path, rows, ["symbol", "ex_date"])
    given = pl.any_horizontal(pl.col("cash", "bonus", "rights") != 0)
    return _table(CORPORATE_ACTIONS.dtypes, rows.filter(board_expr().is_not_null() & given)).sort("ex_date", "symbol")


def last_closes(bars: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Return the last close of each symbol (`symbol`, `date`, `close`) of the bars, or else of `before`."""
    both = pl.concat([before, bars.select("symbol", "date", "close")])
    return both.sort("date").group_by("symbol", maintain_order=True).last().select("symbol", "date", "close")


def _day(column: str) -> pl.Expr:
    """Return the day in Shanghai of a moment in milliseconds."""
    moment = pl.from_epoch(pl.col(column).cast(pl.Int64), time_unit="ms").dt.replace_time_zone("UTC")
    return moment.dt.convert_time_zone("Asia/Shanghai").dt.date()


def _read(path: Path, query: Callable[[pl.LazyFrame], T]) -> T:
    try:
        return query(pl.scan_parquet(path))
    except (PolarsError, OSError) as error:
        text = " ".join(str(error).split())[:200]
        raise SourceChanged(
            f"{path} cannot be read as a market dump ({type(error).__name__}: {text}). Delete it to download it again; "
            "if that does not help, report it."
        ) from error


def _require(path: Path, rows: pl.DataFrame, columns: list[str]) -> None:
    """Check that required values are there; a code of an unknown form becomes null in `symbol`."""
    empty = rows.filter(pl.any_horizontal(pl.col(columns).is_null()))
    if empty.height:
        values = ", ".join(f"{name}={value}" for name, value in empty.row(0, named=True).items() if value is not None)
        raise SourceChanged(f"{path.name}: {empty.height:,} rows lack a value or have an unknown code, e.g. {values}.")


def _table(dtypes: dict[str, pl.DataType | type[pl.DataType]], rows: pl.DataFrame) -> pl.DataFrame:
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in dtypes.items() if name not in rows.columns]
    return rows.with_columns(absent).select(pl.col(name).cast(dtype) for name, dtype in dtypes.items())
