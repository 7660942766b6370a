"""Store the stock list, and refuse one that lost stocks on its way here."""

import polars as pl

from mystocks_dagster.errors import TaskFailed
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.sources.protocol import MarketSource
from mystocks_dagster.tasks.run import TaskResult

#: A list with fewer listed stocks than this share of those stored is taken for cut short: in no month did 3 % delist.
ENOUGH = 0.97


def sync_stock_list(source: MarketSource, lake: Lake, *, include_delisted: bool) -> TaskResult:
    """Fetch the stock list and store it; a list without the delisted ones leaves those that are stored.

    Raises:
        NotOffered: The source has no stock list.
        TaskFailed: The list is cut short; the stored one is kept.
    """
    fresh = source.stocks(include_delisted=include_delisted)
    stored = lake.read("stocks", columns=["symbol", "delist_date"]) if lake.exists("stocks") else fresh.clear()
    before, now = (frame.filter(pl.col("delist_date").is_null()).height for frame in (stored, fresh))
    if not fresh.height or now < ENOUGH * before:
        raise TaskFailed(
            f"stocks: {source.name} lists {now} stocks where {before} are stored; a list cut short is not stored. "
            "If it is right, delete the table and run again."
        )
    rows = lake.replace_all("stocks", fresh) if include_delisted else lake.upsert("stocks", fresh)
    return TaskResult(message=f"Stock list: {rows:,} stocks from {source.name}.", rows={"stocks": rows})
