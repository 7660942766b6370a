"""Store the stock list, and refuse a truncated one."""

from datetime import date

import polars as pl

from mystocks_dagster.errors import TaskFailed
from mystocks_dagster.lake.events import session_before
from mystocks_dagster.lake.loads import load_entries, record_days, was_loaded
from mystocks_dagster.lake.stock_names import record_history, record_names
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.tables.reference import STOCKS
from mystocks_dagster.sources.checked import take_findings
from mystocks_dagster.sources.declaration import EXCHANGES
from mystocks_dagster.sources.protocol import MarketSource
from mystocks_dagster.sources.registry import declarations
from mystocks_dagster.tasks.findings import stored_result
from mystocks_dagster.tasks.run import TaskResult

#: A list with fewer listed stocks than this share of the stored ones is truncated: in no month did 3 % delist.
ENOUGH = 0.97


def sync_stock_list(source: MarketSource, lake: Lake, day: date, *, include_delisted: bool, force: bool) -> TaskResult:
    """Fetch and store the stock list of `day` unless it is stored; one that came along with bars is taken over.

    Raises:
        NotOffered: The source has no stock list.
        TaskFailed: The list is truncated; the stored one is kept.
    """
    stored = not force and was_loaded(lake, "stocks", day)
    if stored and (not include_delisted or _delisted(lake)):
        return TaskResult(status="skipped", message=f"The stock list of {day} is stored already.")
    if not force and not include_delisted and was_loaded(lake, "stocks", day, completely=False):
        return _take_over(lake, day)
    return _fetch(source, lake, day, include_delisted=include_delisted, complete=True)


def refresh_stock_list(source: MarketSource, lake: Lake, day: date, *, force: bool) -> TaskResult:
    """Fetch the listed stocks along with another task, once per `day`; errors as in `sync_stock_list`."""
    if not force and was_loaded(lake, "stocks", day, completely=False):
        return TaskResult(status="skipped", message=f"The stock list of {day} is stored already.")
    return _fetch(source, lake, day, include_delisted=False, complete=False)


def _take_over(lake: Lake, day: date) -> TaskResult:
    """Record the list that another task fetched on that day as the list of the day, without a request."""
    entry = load_entries(lake, "stocks").filter(pl.col("date") == day).row(0, named=True)
    record_days(lake, "stocks", {day: entry["rows"]}, source=entry["source"])
    message = f"Stock list: {entry['rows']:,} stocks from {entry['source']}, fetched along with the bars of {day}."
    return TaskResult(message=message, rows={"stocks": entry["rows"]})


def _fetch(source: MarketSource, lake: Lake, day: date, *, include_delisted: bool, complete: bool) -> TaskResult:
    fresh = source.stocks(include_delisted=include_delisted)
    rejected = take_findings(source, "stocks")
    exchanges = _exchanges_of(source)
    covered = pl.col("symbol").str.slice(-2).is_in(exchanges)
    stored = lake.read("stocks", columns=["symbol", "delist_date"]) if lake.exists("stocks") else fresh.clear()
    before, listed = (frame.filter(covered, pl.col("delist_date").is_null()).height for frame in (stored, fresh))
    if not fresh.height or listed < ENOUGH * before:
        raise TaskFailed(
            f"stocks: {source.name} lists {listed} stocks of {', '.join(exchanges)}, but {before} of them are stored. "
            "A truncated list is not stored. If it is correct, delete the table and run again."
        )
    # A list of listed stocks does not include delisted ones, nor a source those of an exchange that it does not cover.
    others = stored.filter(~covered)["symbol"].to_list()
    if include_delisted and others:
        kept = lake.read("stocks", columns=[*STOCKS.stored.dtypes]).filter(pl.col("symbol").is_in(others))
        rows = lake.replace_all("stocks", pl.concat([fresh, kept], how="diagonal_relaxed")) - kept.height
    else:
        rows = lake.replace_all("stocks", fresh) if include_delisted else lake.upsert("stocks", fresh)
    record_names(lake, fresh, _day_of_list())
    record_history(lake)
    record_days(lake, "stocks", {day: rows}, source=source.name, incomplete=() if complete else (day,))
    result = TaskResult(message=f"Stock list: {rows:,} stocks from {source.name}.", rows={"stocks": rows})
    return stored_result(result, lake, "stocks", rejected, fresh["symbol"].to_list(), source.name, {"force": True})


def _exchanges_of(source: MarketSource) -> tuple[str, ...]:
    """Return the exchanges whose stocks a source lists; all if it does not say."""
    declaration = declarations().get(source.name)
    offers = declaration.offers_of("stocks") if declaration else ()
    stated = {exchange for offer in offers for exchange in offer.exchanges}
    return tuple(exchange for exchange in EXCHANGES if not stated or exchange in stated)


def _day_of_list() -> date:
    """Return the trading day whose names a list has that is fetched now: today's before and after the close."""
    today = now().date()
    return today if shanghai().is_probable_session(today)[0] else session_before(today, shanghai())


def _delisted(lake: Lake) -> bool:
    return lake.read("stocks", columns=["delist_date"])["delist_date"].is_not_null().any()
