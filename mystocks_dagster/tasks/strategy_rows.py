"""The rows that strategies read: one for each day on which a stock traded, sorted by symbol and date."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from mystocks_dagster.errors import InvalidParams, TableMissing
from mystocks_dagster.excerpts import suggest
from mystocks_dagster.lake.matching import with_columns_of
from mystocks_dagster.lake.sorting import sort_by_symbol
from mystocks_dagster.lake.stock_names import with_known_st
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.catalogue.calculation import LOOKS_AHEAD
from mystocks_dagster.market.limit_columns import with_limits
from mystocks_dagster.strategies.choices import Choice
from mystocks_dagster.strategies.columns import (
    ADJUSTED,
    BARS,
    INDICATORS,
    LIMITS,
    STATEMENTS,
    VALUATION,
    indicator_columns,
)
from mystocks_dagster.tasks.short_history import too_short_for
from mystocks_dagster.tasks.strategy_statements import with_statements

#: Calendar days in which a bar is certain to fall between two holidays: 244 trading days a year, with room.
_DAYS_PER_BAR, _ROOM = 1.6, 30


@dataclass(frozen=True)
class Needs:
    """What some strategies read.

    Attributes:
        columns: The columns.
        since: The first day whose signals are wanted.
        bars: The number of bars before that day; None means all.
    """

    columns: tuple[str, ...]
    since: date
    bars: int | None

    @property
    def days_before(self) -> int | None:
        """The calendar days before `since` to read for all symbols; None means all."""
        if self.bars is None or self.since == date.min:
            return None
        return int(self.bars * _DAYS_PER_BAR) + _ROOM

    @property
    def start(self) -> date | None:
        """The first day to read for all symbols; None means all."""
        return None if self.days_before is None else self.since - timedelta(days=self.days_before)


def read_rows(lake: Lake, choices: Sequence[Choice], needs: Needs) -> pl.DataFrame:
    """Return the rows that strategies need.

    A symbol that did not trade for a while has its earlier bars too, as many as are stored.

    Raises:
        TableMissing: A column does not exist, or was never calculated.
    """
    check_columns(lake, choices)
    stored = read_stored(lake, needs.columns, start=needs.start)
    rows = completed(lake, sorted_with_short(lake, stored, needs), needs.columns)
    refuse_empty(lake, empty_columns(rows, choices), choices)
    return rows


def read_all(
    lake: Lake, choices: Sequence[Choice], columns: Sequence[str], *, symbols: Sequence[str], years: int
) -> pl.DataFrame:
    """Return rows of some symbols, of the years up to the newest stored day.

    Raises:
        TableMissing: A column that one of the strategies reads does not exist, or was never calculated.
    """
    check_columns(lake, choices)
    newest = lake.head(INDICATORS, 1)["date"].item()
    rows = read_sample(lake, columns, symbols=symbols, start=newest - timedelta(days=366 * years))
    refuse_empty(lake, empty_columns(rows, choices), choices)
    return rows


def read_sample(lake: Lake, columns: Sequence[str], *, symbols: Sequence[str], start: date) -> pl.DataFrame:
    """Return rows of some symbols from a day on.

    Raises:
        TableMissing: A column does not exist.
    """
    return completed(lake, sort_by_symbol(read_stored(lake, columns, start=start, symbols=symbols)), columns)


def read_stored(
    lake: Lake,
    columns: Sequence[str],
    *,
    start: date | None = None,
    end: date | None = None,
    symbols: Sequence[str] | None = None,
    bars: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return the stored values from which `completed` makes the columns, in no particular order.

    Args:
        lake: Where they are.
        columns: The columns of strategies.
        start: The first day.
        end: The last day.
        symbols: Only these symbols; None means all.
        bars: The raw columns of the bars of these days, if they have been read already.
    """

    def read(table: str, names: Sequence[str]) -> pl.DataFrame:
        return lake.read(table, columns=["symbol", "date", *names], start=start, end=end, symbols=symbols)

    stored = read(INDICATORS, ["close_hfq", *indicator_columns(columns)])
    if raw := raw_columns(columns):
        stored = with_columns_of(
            stored, read("daily_bars", raw) if bars is None else bars.select("symbol", "date", *raw)
        )
    if ratios := [name for name in VALUATION if name in columns]:
        stored = with_columns_of(stored, read("daily_valuation", ratios))
    return stored


def sorted_with_short(lake: Lake, stored: pl.DataFrame, needs: Needs) -> pl.DataFrame:
    """Return stored values sorted by symbol and date, with all earlier ones of the symbols that have too few bars."""
    rows = sort_by_symbol(stored)
    if not needs.start or not needs.bars or not (short := _short(rows, needs)):
        return rows
    earlier = read_stored(lake, needs.columns, end=needs.start - timedelta(days=1), symbols=short)
    return sort_by_symbol(pl.concat([earlier, stored]))


def _short(rows: pl.DataFrame, needs: Needs) -> list[str]:
    """Return the symbols with fewer bars before the wanted days than are needed; the rows are sorted."""
    symbols = rows["symbol"].rle().struct.unnest()
    ends = symbols["len"].cum_sum().to_numpy()
    before = np.concatenate([[0], (rows["date"] < needs.since).cum_sum().to_numpy()])
    bars = before[ends] - before[ends - symbols["len"].to_numpy()]
    return symbols["value"].filter(pl.Series(bars < (needs.bars or 0))).cast(pl.String).to_list()


def completed(lake: Lake, rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Return sorted stored values with the columns that are computed from them."""
    if adjusted := [name for name in ADJUSTED if name in columns]:
        factor = pl.col("close_hfq") / pl.col("close")
        rows = rows.with_columns((pl.col(name.removesuffix("_hfq")) * factor).alias(name) for name in adjusted)
    if any(name in columns for name in LIMITS) or "is_st" in columns:
        rows = _with_rules(lake, rows, columns)
    if figures := [name for name in STATEMENTS if name in columns]:
        rows = with_statements(lake, rows, figures)
    return rows.select(list(dict.fromkeys(("symbol", "date", "close_hfq", *columns))))


def raw_columns(columns: Sequence[str]) -> list[str]:
    """Return the columns of the bars that must be read, also to compute others."""
    needed = [name for name in BARS if name in columns]
    if adjusted := [name for name in ADJUSTED if name in columns]:
        needed += ["close", *(name.removesuffix("_hfq") for name in adjusted)]
    if any(name in columns for name in LIMITS):
        needed += ["prev_close", "is_st"]
    return list(dict.fromkeys(needed))


def _with_rules(lake: Lake, rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Add what is known about ST, and the limit prices if they are asked for; symbols stay as they are."""
    kind = rows.schema["symbol"]
    rows = with_known_st(lake, rows.with_columns(pl.col("symbol").cast(pl.String)))
    if any(name in columns for name in LIMITS):
        listed = lake.read("stocks", columns=["symbol", "list_date"]) if lake.exists("stocks") else None
        if listed is None:
            rows = rows.with_columns(list_date=pl.lit(None, pl.Date))
        else:
            rows = rows.join(listed, on="symbol", how="left", maintain_order="left")
        rows = with_limits(rows)
    return rows.with_columns(pl.col("symbol").cast(kind))


def check_columns(lake: Lake, choices: Sequence[Choice]) -> None:
    """Raise an error for a column that no strategy can read.

    Raises:
        TableMissing: No table has it.
        InvalidParams: Its values on a day depend on later days.
    """
    stored = {column.name: column.unit for column in lake.schema_of(INDICATORS).columns}
    for choice in choices:
        for name in indicator_columns(choice.definition.reads):
            reads = f"{choice.definition.place}: the strategy {choice.definition.name} reads {name!r}"
            if name not in stored:
                known = [*BARS, *ADJUSTED, *LIMITS, *VALUATION, *STATEMENTS, *stored]
                raise TableMissing(
                    f"{reads}, which is no column of the daily bars or of {INDICATORS}. "
                    f"{suggest(name, known, allowed='There are')}"
                )
            if stored[name].startswith(LOOKS_AHEAD):
                raise InvalidParams(
                    f"{reads}, whose value on a day depends on later days ({stored[name].removeprefix(LOOKS_AHEAD)}). "
                    "A strategy knows no later day; read another column."
                )


def empty_columns(rows: pl.DataFrame, choices: Sequence[Choice]) -> set[str]:
    """Return the columns of indicators that have no value in these rows."""
    names = {name for choice in choices for name in indicator_columns(choice.definition.reads)}
    return {name for name in names if rows[name].null_count() == rows.height}


def never_filled(lake: Lake) -> set[str]:
    """Return the columns of indicators that have no value in any row, as far as the log says it."""
    opened = lake.log(INDICATORS)
    files = pl.DataFrame(opened.get_add_actions(flatten=True)) if opened is not None else pl.DataFrame()
    prefix = "null_count."
    counts = files.select(
        pl.col(name).eq(pl.col("num_records")).fill_null(value=False).all()
        for name in files.columns
        if name.startswith(prefix)
    )
    return (
        {name.removeprefix(prefix) for name, empty in counts.row(0, named=True).items() if empty}
        if files.height
        else set()
    )


def refuse_empty(lake: Lake, empty: Collection[str], choices: Sequence[Choice]) -> None:
    """Raise an error for an indicator that was never calculated; one for which the bars are too few passes."""
    reads = {name: choice.label for choice in choices for name in indicator_columns(choice.definition.reads)}
    empty = reads.keys() & {*empty}
    empty -= too_short_for(lake, empty)
    if empty := [name for name in reads if name in empty]:
        raise TableMissing(
            f"{INDICATORS} has no values of {', '.join(empty)}, which "
            f"{', '.join(dict.fromkeys(reads[name] for name in empty))} needs; "
            "run calc_technical_indicators with that indicator."
        )
