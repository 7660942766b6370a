"""Names of stocks, and ST, by day: recorded from each stock list, never guessed for days that nothing covers.

Days before the first list are covered where an exchange states its changes of names.
"""

from collections.abc import Sequence
from datetime import date

import polars as pl

from mystocks_dagster.lake.events import session_before
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.tables.reference import STOCK_NAMES

#: The table of the dataset with the changes that an exchange states.
_CHANGES = "name_changes"


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


def record_history(lake: Lake) -> int:
    """Add the names before each stock's first list, from the changes in `name_changes` and the day of listing.

    A name is covered from its change to the day before the next one, the last one to the first list if that has the
    same name. Where two changes, or a change and the list, contradict each other, the days between are not covered.

    Returns:
        The number of rows added or extended.
    """
    if not lake.exists(_CHANGES) or not lake.exists("stock_names"):
        return 0
    stored = lake.read("stock_names")
    first = stored.sort("from_day").unique("symbol", keep="first")
    changes = lake.read(_CHANGES, columns=["symbol", "date", "old_name", "new_name"])
    changes = changes.join(first.select("symbol", "name", first="from_day"), on="symbol")
    changes = changes.filter(pl.col("date") > shanghai().first, pl.col("date") < pl.col("first")).sort("symbol", "date")
    if changes.is_empty():
        return 0
    last_days = {day: session_before(day, shanghai()) for day in changes["date"].unique()}
    changes = changes.with_columns(before=pl.col("date").replace_strict(last_days, return_dtype=pl.Date))
    spans = pl.concat([_names_since(changes), _names_before(lake, changes)])
    joined = spans.filter(pl.col("until").is_null())
    later = first.join(joined.select("symbol", begun="from_day"), on="symbol")
    extended = later.select(*STOCK_NAMES.dtypes, "begun").with_columns(from_day="begun").drop("begun")
    added = spans.drop_nulls("until").filter(pl.col("from_day") <= pl.col("until")).with_columns(is_st=_carries_st())
    kept = stored.join(later, on=["symbol", "from_day"], how="anti")
    rows = pl.concat([kept, extended, added.select(*STOCK_NAMES.dtypes)])
    lake.replace_all("stock_names", rows.sort("symbol", "from_day"))
    return extended.height + added.height


def _names_since(changes: pl.DataFrame) -> pl.DataFrame:
    """Return the name since each change: `symbol`, `from_day`, `until` (null: to the first list) and `name`."""
    following = changes.with_columns(
        pl.col("old_name", "before").shift(-1).over("symbol").name.prefix("next_"), own="new_name"
    )
    last, agrees = pl.col("next_before").is_null(), pl.col("next_old_name") == pl.col("own")
    to_list = last & (pl.col("name") == pl.col("own"))
    until = pl.when(to_list).then(None).when(~last & agrees).then("next_before").otherwise("date")
    return following.select("symbol", from_day="date", until=until, name="own")


def _names_before(lake: Lake, changes: pl.DataFrame) -> pl.DataFrame:
    """Return the name from the listing of each stock to its first change; nothing if that day is not known."""
    listed = lake.read("stocks", columns=["symbol", "list_date"]) if lake.exists("stocks") else None
    first = changes.unique("symbol", keep="first", maintain_order=True)
    if listed is None:
        return first.clear().select("symbol", from_day="date", until="before", name="old_name")
    first = first.join(listed.drop_nulls(), on="symbol")
    return first.select("symbol", from_day="list_date", until="before", name="old_name")


def _carries_st() -> pl.Expr:
    return pl.col("name").str.to_uppercase().str.contains("ST", literal=True)


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
