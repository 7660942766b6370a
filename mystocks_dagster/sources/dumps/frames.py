"""Convert the dumps' Parquet files to the tables of the lake, a calendar year at a time."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TypeVar

import polars as pl
from polars.exceptions import PolarsError

from mystocks_dagster.errors import SourceChanged
from mystocks_dagster.market.ex_right import previous_closes
from mystocks_dagster.market.symbols import board_expr, normalise_expr
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS

T = TypeVar("T")

_BARS = ("thscode", "interval", "adjusted", "date_ms", "open_price", "high_price", "low_price", "close_price")
_TRADED = ("volume", "turnover")
_ACTIONS = ("thscode", "ex_date_ms", "dividend_per_share", "per_share_bonus", "allotment_ratio", "allotment_price")
#: Steps of a stock's price per CNY.
_SCALE = 100


def days(path: Path) -> list[date]:
    """Return the days of a dump of bars, ascending.

    Raises:
        SourceChanged: The file is damaged, or has other columns.
    """
    return _read(path, lambda rows: rows.select(_day("date_ms").unique().sort()).collect().to_series().to_list())


def bars(path: Path, start: date, end: date) -> pl.DataFrame:
    """Return the raw bars (`daily_bars`) of A shares from `start` to `end`, without previous closes.

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
        prev_close=pl.lit(None, pl.Float64),
        volume=pl.col("volume").cast(pl.Int64),
        amount=pl.col("turnover").cast(pl.Float64),
        turnover=pl.lit(None, pl.Float64),
        is_st=pl.lit(None, pl.Boolean),
        suspended=pl.lit(value=False),
    )
    _require(path, converted, [column.name for column in DAILY_BARS.columns if not column.null])
    return _table(DAILY_BARS.dtypes, converted.filter(board_expr().is_not_null())).sort("date", "symbol")


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


def with_previous_closes(bars: pl.DataFrame, actions: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Return the bars with `prev_close`: the last close, or the ex-right price after a corporate action.

    Args:
        bars: Bars without previous closes.
        actions: All corporate actions up to the last bar.
        before: The last close of each symbol before the bars: `symbol`, `date`, `close`.

    Returns:
        The bars by date and symbol. The first bar of a symbol has no previous close.
    """
    earlier = before.select("symbol", "date", last="close")
    ordered = bars.sort("symbol", "date").with_row_index("row")
    firsts = ordered.group_by("symbol", maintain_order=True).first().select("symbol", "row")
    last = firsts.join(earlier, on="symbol").select("row", before_date="date", last="last")
    shifted = ordered.with_columns(pl.col("close", "date").shift(1).over("symbol").name.prefix("before_"))
    # One frame for all symbols: the last close before the frame stands in the symbol's first row.
    joined = shifted.join(last, on="row", how="left", suffix="_carried", maintain_order="left").with_columns(
        prev_close=pl.coalesce("before_close", "last"), since=pl.coalesce("before_date", "before_date_carried")
    )
    bars_by_day = joined.select("row", "symbol", "date", "since", "prev_close").sort("date")
    # The first bar from the ex-dividend day on; an action before the bar in front of it is in that bar's price already.
    due = actions.sort("ex_date").join_asof(
        bars_by_day, left_on="ex_date", right_on="date", by="symbol", strategy="forward", check_sortedness=False
    )
    due = due.filter(pl.col("ex_date") > pl.col("since")).sort("row", "ex_date")
    rows, prices = previous_closes(due["prev_close"].to_numpy(), due["row"].to_numpy(), due, _SCALE)
    changed = pl.DataFrame({"row": rows, "ex_right": prices}, schema={"row": pl.UInt32, "ex_right": pl.Float64})
    result = joined.join(changed, on="row", how="left").with_columns(prev_close=pl.coalesce("ex_right", "prev_close"))
    return result.select(bars.columns).sort("date", "symbol")


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
