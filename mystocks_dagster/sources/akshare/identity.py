"""Whether the rows of East Money's list of stocks are those of their symbols, without any stored day.

A row of another symbol obeys every rule of a row. Three statements that come with the snapshot are its witnesses: the
value of the floating shares, the exchanges' names, and Shenzhen's numbers of floating shares. Each of them differs for
a few stocks for good reasons, so only many rows mean a fault.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from mystocks_dagster.errors import SourceUnavailable
from mystocks_dagster.sources.akshare.columns import STOCK_SPOT

#: Two statements about the floating shares agree within this share. `turnover` has two decimals.
_NEAR, _TURNOVER_STEP = 0.02, 0.005
#: A smaller turnover, in percent, says too little.
LEAST_TURNOVER = 0.1
#: A list with so many comparable rows is refused when more than this share of them contradict a witness.
_MANY, _MOST = 20, 0.15
#: Quotes mark names on some days, and both sides mark risk; the first two characters of the rest are compared.
_MARKS = r"^(?:XD|XR|DR|N|C|S\*?ST|\*?ST)*"


@dataclass(frozen=True)
class _Witness:
    """A statement that the rows of a list must not contradict.

    Attributes:
        what: What it says, for the message.
        rows: `code`, `row` (what the row says) and `witness` (what the witness says), both as text, and `off`.
    """

    what: str
    rows: pl.DataFrame


def check_values(spot: pl.DataFrame) -> None:
    """Check that price, volume and turnover are those of the stock whose floating value stands beside them.

    Args:
        spot: Frame of `STOCK_SPOT`.

    Raises:
        SourceUnavailable: Many rows have the numbers of another symbol.
    """
    _refuse(_values(spot))


def check_identity(spot: pl.DataFrame, listed: pl.DataFrame) -> None:
    """Check the rows against what the exchanges say of their symbols, and as `check_values` does.

    Args:
        spot: Frame of `STOCK_SPOT`.
        listed: `code`, `name` and `float_shares` (unknown where the exchange does not state them).

    Raises:
        SourceUnavailable: Many rows are those of other symbols.
    """
    for witness in _witnesses(spot, listed):
        _refuse(witness)


def _witnesses(spot: pl.DataFrame, listed: pl.DataFrame) -> Iterator[_Witness]:
    yield _values(spot)
    both = spot.join(listed.select("code", "float_shares", own="name"), on="code")
    yield _shares(both)
    yield _names(both)


def turnover_by_value() -> pl.Expr:
    """Return the turnover, in percent, that volume, price and the value of the floating shares imply."""
    return pl.col("volume") * pl.col("price") / pl.col("float_value") * 100


def _values(spot: pl.DataFrame) -> _Witness:
    traded = spot.filter(pl.col("price") > 0, pl.col("volume") > 0, pl.col("turnover") >= 0, pl.col("float_value") > 0)
    implied = turnover_by_value()
    # The larger of the two decides: a turnover in another unit must not look like one that says too little.
    known = traded.filter(pl.max_horizontal("turnover", implied) >= LEAST_TURNOVER)
    allowed = _NEAR + _TURNOVER_STEP / implied
    by_turnover = pl.col("volume") / pl.max_horizontal("turnover", _TURNOVER_STEP) * 100
    return _Witness("the value of the floating shares", _compared(known, by_turnover, _by_value(), allowed))


def _shares(both: pl.DataFrame) -> _Witness:
    known = both.filter(pl.col("price") > 0, pl.col("float_value") > 0, pl.col("float_shares") > 0)
    what = "the exchange's number of floating shares"
    return _Witness(what, _compared(known, _by_value(), pl.col("float_shares"), pl.lit(_NEAR)))


def _names(both: pl.DataFrame) -> _Witness:
    quoted, own = (pl.col(name).str.replace(_MARKS, "").str.slice(0, 2) for name in ("name", "own"))
    return _Witness(
        "the exchange's names", both.select("code", row=pl.col("name"), witness=pl.col("own"), off=quoted != own)
    )


def _by_value() -> pl.Expr:
    return pl.col("float_value") / pl.col("price")


def _compared(rows: pl.DataFrame, ours: pl.Expr, theirs: pl.Expr, allowed: pl.Expr) -> pl.DataFrame:
    texts = (value.round(0).cast(pl.Int64).cast(pl.String) for value in (ours, theirs))
    row, witness = texts
    return rows.select("code", row=row, witness=witness, off=(ours / theirs - 1).abs() > allowed)


def _refuse(witness: _Witness) -> None:
    off = witness.rows.filter(pl.col("off"))
    if witness.rows.height < _MANY or off.height <= _MOST * witness.rows.height:
        return
    row = off.row(0, named=True)
    raise SourceUnavailable(
        f"rows_of_other_symbols: {off.height:,} of {witness.rows.height:,} rows of {STOCK_SPOT.function}() contradict "
        f"{witness.what}, e.g. {row['code']}: {row['row']} against {row['witness']}. "
        "Try again later, or use another source."
    )
