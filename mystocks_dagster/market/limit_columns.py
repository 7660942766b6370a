"""Limit prices as columns, by the same rules as for one order."""

from datetime import timedelta

import polars as pl

from mystocks_dagster.market.rules import limit_cents, usual_limit
from mystocks_dagster.market.symbols import board_expr

#: Days after a listing within which the usual limit may not hold.
LISTING_DAYS = timedelta(days=21)


def with_limits(rows: pl.DataFrame) -> pl.DataFrame:
    """Add `limit_up` and `limit_down`, the highest and the lowest price of the day in CNY.

    Null where the limit is unknown: without a previous close, within three weeks of the listing, or if it depends on
    ST and ST is unknown.

    Args:
        rows: `symbol`, `date`, `prev_close` (raw), `is_st` and `list_date`; each of the last three may be null.
    """
    boarded = rows.with_columns(_board=board_expr("symbol"))
    kinds = boarded.select("_board", "date").unique().drop_nulls()
    percents = [
        (board, day, *(usual_limit(board, day, is_st=is_st).up for is_st in (False, True)))
        for board, day in kinds.iter_rows()
    ]
    schema = {"_board": pl.String, "date": pl.Date, "_usual": pl.Int64, "_st": pl.Int64}
    limits = pl.DataFrame(percents, schema=schema, orient="row")
    joined = boarded.join(limits, on=["_board", "date"], how="left", maintain_order="left")
    unknown = (pl.col("_usual") != pl.col("_st")) & pl.col("is_st").is_null()
    new = ((pl.col("date") - pl.col("list_date")) <= LISTING_DAYS).fill_null(value=False)
    percent = pl.when(~unknown & ~new).then(pl.when("is_st").then("_st").otherwise("_usual"))
    joined = joined.with_columns(_percent=percent, _cents=(pl.col("prev_close") * 100).round().cast(pl.Int64))
    cents, percents_of_rows = (joined[name].fill_null(0).to_numpy() for name in ("_cents", "_percent"))
    known = joined["_cents"].is_not_null() & joined["_percent"].is_not_null()
    lowest, highest = limit_cents(cents, percents_of_rows, percents_of_rows)
    prices = {"limit_up": highest / 100, "limit_down": lowest / 100}
    joined = joined.select(rows.columns).with_columns(known.alias("_known"), **prices)
    return joined.with_columns(pl.when("_known").then(pl.col(*prices)).name.keep()).drop("_known")
