"""Compare the rows of two sources for one trading day: which agree, and what the others differ in.

Neither source is preferred: a difference is a fact about both. A value that one of them does not know is no difference.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

import polars as pl

from mystocks_dagster.market.adjust import HALF_A_TICK, SAME

#: Stands for all symbols or all columns in a difference.
ALL = "*"
#: With this share of the rows traded further at one of the sources, and so many rows, the other's rows are of an
#: earlier moment of the day.
MOMENT_SHARE, MOMENT_ROWS = 0.5, 5
#: Of the rows whose volumes differ, so many must differ in the same direction.
SAME_DIRECTION = 0.95


@dataclass(frozen=True)
class Tolerance:
    """The largest difference between two values that agree: `absolute` + `relative` x the larger absolute value."""

    absolute: float = 0.0
    relative: float = 0.0


#: Prices are multiples of a tick; a fund's is a tenth of a stock's.
_STOCK_PRICE, _FUND_PRICE, _POINTS = Tolerance(HALF_A_TICK), Tolerance(HALF_A_TICK / 10), Tolerance(HALF_A_TICK)
#: Vendors give volume in shares, or in lots of 100 shares, of which an odd rest is lost.
_VOLUME = Tolerance(100)
#: Vendors give amount in CNY, as a number of seven digits (32 bits), or rounded to CNY.
_AMOUNT = Tolerance(1, 5e-7)
#: Two decimals, and reports that one vendor has some hours before the other.
_RATIO = Tolerance(0.01, 5e-3)
_PRICES = ("open", "high", "low", "close", "prev_close")


def _bars(price: Tolerance) -> dict[str, Tolerance | None]:
    return {**dict.fromkeys(_PRICES, price), "volume": _VOLUME, "amount": _AMOUNT}


#: The compared columns by table; None means that values must be equal. `turnover` is left out: vendors count the
#: floating shares differently.
COMPARED = MappingProxyType(
    {
        "daily_bars": {**_bars(_STOCK_PRICE), "is_st": None, "suspended": None},
        "index_bars": _bars(_POINTS),
        "etf_bars": _bars(_FUND_PRICE),
        "daily_valuation": dict.fromkeys(("pe_ttm", "pb", "ps_ttm", "pcf_ttm"), _RATIO),
        # Only which stocks have an event: vendors cumulate factors, so that a day's ratio does not follow from one.
        "adjust_events": dict[str, Tolerance | None](),
        "corporate_actions": {name: Tolerance(size) for name, size in SAME.items()},
    }
)
#: The table of another source that witnesses a table, where it is not the same one.
WITNESS_TABLES = MappingProxyType({"adjust_events": "adjust_factors"})

#: The table of another source that says which rows a table must have, without their values.
EX_DAYS = MappingProxyType({"corporate_actions": "adjust_factors"})
#: Tables of which each vendor has its own selection: a row that only one has is no difference.
SELECTIONS = frozenset({"index_bars", "etf_bars", "daily_valuation"})

_SCHEMA = {
    "symbol": pl.String,
    "column": pl.String,
    "value_a": pl.String,
    "value_b": pl.String,
    "kind": pl.String,
    "size": pl.Float64,
}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The result of comparing two frames of one day.

    Attributes:
        rows_a, rows_b: Number of compared rows.
        agreeing: Number of rows that both have and that agree.
        differing: Number of rows that differ, or that only one of them has.
        differences: `symbol`, `column`, `value_a`, `value_b`, `kind` and `size`.
        note: Why rows are missing or not comparable; may be empty.
    """

    rows_a: int
    rows_b: int
    agreeing: int
    differing: int
    differences: pl.DataFrame
    note: str = ""

    @property
    def agreement(self) -> float | None:
        """Percent of the rows that agree; None if no row was compared."""
        return percent(self.agreeing, self.differing)


def percent(agreeing: int, differing: int) -> float | None:
    """Return the percentage of rows that agree; None without rows."""
    rows = agreeing + differing
    return 100 * agreeing / rows if rows else None


def percent_text(percentage: float | None) -> str:
    """Return a percentage as text, which is 100 only if all rows agree; empty if it is not known."""
    if percentage is None:
        return ""
    return "100 %" if percentage == 100 else f"{min(percentage, 99.99):.2f} %"


def compare(table: str, a: pl.DataFrame, b: pl.DataFrame) -> Comparison:
    """Compare two frames of one table and one trading day; rows are matched by symbol.

    A stored row of a suspended stock and no row at the other source are no difference: some vendors leave them out.
    """
    return compare_columns(COMPARED[table], a, b, same_rows=table not in SELECTIONS)


def compare_columns(
    tolerances: Mapping[str, Tolerance | None], a: pl.DataFrame, b: pl.DataFrame, *, same_rows: bool
) -> Comparison:
    """Compare the columns that both frames have; rows are matched by symbol.

    Args:
        tolerances: The columns to compare, and how far two values may differ; None means not at all.
        a: The stored rows, one for each symbol.
        b: The other rows.
        same_rows: A row that only one of them has is a difference.
    """
    shared = {*a.columns} & {*b.columns}
    columns = {name: tolerance for name, tolerance in tolerances.items() if name in shared}
    if "suspended" in a.columns and "suspended" in b.columns:
        a, b = _without_unmatched_suspensions(a, b), _without_unmatched_suspensions(b, a)
    both = a.join(b, on="symbol", suffix="_b")
    values = [value_differences(both, name, tolerance) for name, tolerance in columns.items()]
    if not same_rows:
        a, b = a.join(b, on="symbol", how="semi"), b.join(a, on="symbol", how="semi")
    only = [_only(a, b, first=True), _only(b, a, first=False)]
    differences = pl.concat([pl.DataFrame(schema=_SCHEMA), *values, *only])
    differing = differences["symbol"].n_unique()
    agreeing = both.height - both.join(differences, on="symbol", how="semi").height
    earlier = _earlier(both) if "volume" in columns else None
    if earlier is not None:
        # The rows differ because the moments do: one difference of the day, not thousands of rows.
        differences = pl.DataFrame([{name: earlier[name] for name in _SCHEMA}], schema=_SCHEMA)
    return Comparison(
        rows_a=a.height,
        rows_b=b.height,
        agreeing=agreeing,
        differing=differing,
        differences=differences.sort("symbol", "column"),
        note=f"{earlier['note']}" if earlier else "",
    )


def day_difference(kind: str, value_a: str, value_b: str | None, note: str, rows: int) -> Comparison:
    """Return the comparison of a day of which only the first source has rows.

    Args:
        kind: `holiday` or `no_rows`.
        value_a: What the first source says.
        value_b: What the second one says.
        note: The same as a sentence.
        rows: Number of rows of the first source.
    """
    row = {"symbol": ALL, "column": "date", "value_a": value_a, "value_b": value_b, "kind": kind, "size": None}
    differences = pl.DataFrame([row], schema=_SCHEMA)
    return Comparison(rows_a=rows, rows_b=0, agreeing=0, differing=rows, differences=differences, note=note)


def unread(note: str, rows: int) -> Comparison:
    """Return the comparison with a source that cannot be read, as a difference of the whole day.

    Args:
        note: Why, with what to do.
        rows: Number of rows of the first source, of which none was compared.
    """
    row = {"symbol": ALL, "column": ALL, "value_a": f"{rows} rows", "value_b": None, "kind": "unread", "size": None}
    differences = pl.DataFrame([row], schema=_SCHEMA)
    return Comparison(rows_a=rows, rows_b=0, agreeing=0, differing=0, differences=differences, note=note)


def calendar_differences(a: set[date], b: set[date]) -> pl.DataFrame:
    """Return the days that only one of two calendars calls trading days: the columns of a difference, and `date`."""
    rows = [
        {
            "symbol": ALL, "column": "date", "value_a": _day_kind(day in a), "value_b": _day_kind(day in b),
            "kind": "holiday", "size": None, "date": day,
        }
        for day in sorted(a ^ b)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=_SCHEMA | {"date": pl.Date})


def _day_kind(trades: bool) -> str:
    return "trading day" if trades else "holiday"


def _without_unmatched_suspensions(rows: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(~pl.col("suspended") | pl.col("symbol").is_in(other["symbol"].to_list()))


def value_differences(both: pl.DataFrame, name: str, tolerance: Tolerance | None) -> pl.DataFrame:
    """Return the differences of one column: `symbol`, `column`, `value_a`, `value_b`, `kind` and `size`.

    Args:
        both: `symbol`, the column, and under its name with `_b` that of the other source.
        name: The column.
        tolerance: What still agrees; None if values must be equal.
    """
    a, b = pl.col(name), pl.col(f"{name}_b")
    if tolerance is None:
        differs, size = a != b, pl.lit(None, pl.Float64)
    else:
        size = (a.cast(pl.Float64) - b.cast(pl.Float64)).abs()
        largest = pl.max_horizontal(a.abs(), b.abs()).cast(pl.Float64)
        # The last digit of a binary fraction is not a difference.
        differs = size > tolerance.absolute + tolerance.relative * largest + 1e-9
    return both.filter(differs.fill_null(value=False)).select(
        "symbol",
        column=pl.lit(name),
        value_a=a.cast(pl.String),
        value_b=b.cast(pl.String),
        kind=pl.lit("value"),
        size=size,
    )


def _only(rows: pl.DataFrame, other: pl.DataFrame, *, first: bool) -> pl.DataFrame:
    """Return the rows that only one source has; their value is the word `row`."""
    there, gone = pl.lit("row"), pl.lit(None, pl.String)
    return rows.join(other, on="symbol", how="anti").select(
        "symbol",
        column=pl.lit(ALL),
        value_a=there if first else gone,
        value_b=gone if first else there,
        kind=pl.lit("only_one"),
        size=pl.lit(None, pl.Float64),
    )


def _earlier(both: pl.DataFrame) -> dict[str, object] | None:
    """Return the difference of the day if one source's rows are of an earlier moment: most stocks have traded since."""
    traded = both.filter((pl.col("volume") > 0) & (pl.col("volume_b") > 0))
    less = traded.filter(pl.col("volume") < pl.col("volume_b") - _VOLUME.absolute).height
    more = traded.filter(pl.col("volume") > pl.col("volume_b") + _VOLUME.absolute).height
    differing = less + more
    if differing < max(MOMENT_ROWS, MOMENT_SHARE * traded.height) or max(less, more) < SAME_DIRECTION * differing:
        return None
    # A wrong unit multiplies every volume alike; trading goes on for some stocks more than for others.
    factor = (pl.col("volume_b") / pl.col("volume")).cast(pl.Float64)
    spread = traded.select(factor.quantile(0.05).alias("low"), factor.quantile(0.95).alias("high")).row(0)
    if spread[0] and abs(spread[1] / spread[0] - 1) < 1e-3:
        return None
    total_a, total_b = int(traded["volume"].sum()), int(traded["volume_b"].sum())
    which = "stored rows" if less > more else "rows of the other source"
    return {
        "symbol": ALL, "column": "volume", "value_a": f"{total_a}", "value_b": f"{total_b}", "kind": "earlier_moment",
        "size": float(abs(total_a - total_b)),
        "note": f"The {which} are of an earlier moment of the day: {differing:,} of {traded.height:,} stocks have "
        "traded since.",
    }  # fmt: skip
