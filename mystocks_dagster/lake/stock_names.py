"""Names of stocks, and ST, by day: recorded from each stock list, never guessed for days that no list covers."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.reference import STOCK_NAMES


def record_names(lake: Lake, listed: pl.DataFrame, day: date) -> int:
    """Record the names of a stock list; a name or an ST that has changed begins a new row.

    Args:
        lake: The lake to write to.
        listed: `stocks`; those that were delisted before `day` are left out, as their list does not say since when
            they had that name.
        day: The trading day of the list. A list of an earlier day than the newest stored one changes nothing.

    Returns:
        The number of rows that began.
    """
    listed = listed.filter(pl.col("delist_date").is_null() | (pl.col("delist_date") >= day))
    stored = lake.read("stock_names") if lake.exists("stock_names") else STOCK_NAMES.empty()
    if listed.is_empty() or (stored.height and day < stored["until"].max()):  # ty: ignore[unsupported-operator]
        return 0
    newest = stored.sort("from_day").unique("symbol", keep="last")
    both = newest.join(listed.select("symbol", "name", "is_st"), on=["symbol", "name", "is_st"], how="semi")
    same = stored.join(both, on=["symbol", "from_day"], how="semi").with_columns(until=pl.lit(day))
    begun = listed.join(both, on="symbol", how="anti").with_columns(from_day=pl.lit(day), until=pl.lit(day))
    begun = begun.select(*STOCK_NAMES.dtypes)
    kept = stored.join(pl.concat([same, begun]), on=["symbol", "from_day"], how="anti")
    lake.replace_all("stock_names", pl.concat([kept, same, begun]).sort("symbol", "from_day"))
    return begun.height


def names_on(lake: Lake, keys: pl.DataFrame) -> pl.DataFrame:
    """Add `name` and `st_name` to rows with `symbol` and `date`: null where no list covers the day.

    A day between two lists with different names is covered by neither.
    """
    if not lake.exists("stock_names"):
        return keys.with_columns(name=pl.lit(None, pl.String), st_name=pl.lit(None, pl.Boolean))
    symbols = keys["symbol"].unique().cast(pl.String).to_list()
    names = lake.read("stock_names", symbols=symbols).sort("from_day").rename({"is_st": "st_name"})
    joined = keys.with_row_index("row").sort("date").join_asof(
        names, left_on="date", right_on="from_day", by="symbol", check_sortedness=False
    )  # fmt: skip
    covered = (pl.col("until") >= pl.col("date")).fill_null(value=False)
    joined = joined.with_columns(pl.when(covered).then(pl.col(name)).alias(name) for name in ("name", "st_name"))
    return joined.sort("row").select(*keys.columns, "name", "st_name")


def with_known_st(lake: Lake, bars: pl.DataFrame) -> pl.DataFrame:
    """Return bars of which an unknown `is_st` is taken from the names of their day; where these are unknown, null."""
    if not bars["is_st"].null_count():
        return bars
    named = names_on(lake, bars)
    return named.with_columns(is_st=pl.coalesce("is_st", "st_name")).select(bars.columns)


def last_listed(lake: Lake, symbols: Sequence[str] | None = None) -> pl.DataFrame:
    """Return `symbol` and `until`: the trading day of the last stock list that had the stock."""
    if not lake.exists("stock_names"):
        return STOCK_NAMES.empty().select("symbol", "until")
    rows = lake.read("stock_names", columns=["symbol", "until"], symbols=symbols)
    return rows.group_by("symbol").agg(pl.col("until").max())
