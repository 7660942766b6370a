"""The universe as of a day: every stock that was listed then, those that were delisted later included."""

from datetime import date

import polars as pl

from mystocks_dagster.errors import InvalidParams, TableMissing
from mystocks_dagster.lake.events import session_before
from mystocks_dagster.lake.evidence import suspension_years
from mystocks_dagster.lake.loads import whole_days
from mystocks_dagster.lake.stock_names import last_listed, names_on
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market import clock
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.symbols import board_expr
from mystocks_dagster.market.tables.reference import STOCKS

#: Columns and types of `universe`.
UNIVERSE = {
    "symbol": pl.String,
    "code": pl.String,
    "name": pl.String,
    "board": pl.String,
    "is_st": pl.Boolean,
    "suspended": pl.Boolean,
    "list_date": pl.Date,
    "delist_date": pl.Date,
}


def universe(lake: Lake, day: date) -> pl.DataFrame:
    """Return the A shares that were listed on a day, one row each, sorted by symbol.

    A stock was listed if it has a bar of that day, if the day lies between its first and its last bar, or if the stock
    list says so by its dates. Without trading on that day, the state of the session before it is returned.

    Args:
        lake: Where `daily_bars`, `stocks` and `stock_names` are; any of them may be missing.
        day: Any day up to today.

    Returns:
        `symbol` (the newest code), `code` (that of the day), `name`, `board`, `is_st`, `suspended`, `list_date` and
        `delist_date`. Null is unknown: a name that no stock list of the time stated, ST without bar or name, a
        suspension on a day that is not loaded completely. `delist_date` is what is known today, of a stock that was
        delisted later; all else was known on that day.

    Raises:
        InvalidParams: The day has not come.
        TableMissing: There are neither bars nor a stock list.
    """
    if day > clock.now().date():
        raise InvalidParams(f"{day} has not come: the universe is known up to {clock.now().date()}.")
    if not lake.exists("daily_bars") and not lake.exists("stocks"):
        raise TableMissing(
            f"The lake {lake.location} has neither daily_bars nor stocks; run daily_data_sync, or mystocks bootstrap."
        )
    at = day if shanghai().is_probable_session(day)[0] else session_before(day, shanghai())
    stocks = _stocks(lake)
    bars, spans = _bars(lake, at)
    listed = pl.concat([bars["symbol"], spans["symbol"], _by_dates(lake, stocks, at)["symbol"]]).unique().sort()
    rows = pl.DataFrame({"symbol": listed}).with_columns(date=pl.lit(at))
    rows = names_on(lake, rows).join(bars, on="symbol", how="left").join(stocks, on="symbol", how="left")
    code = lake.code_changes().codes_of_the_day(rows, "date")
    absent = None if pl.Series([at.year]).is_in(_suspension_years(lake, at)).item() else True
    silent = pl.lit(absent if at in whole_days(lake, "daily_bars") else None, pl.Boolean)
    # A bar proves that the stock was listed, whatever date the stock list has.
    list_date = pl.when(pl.col("list_date") <= at).then("list_date")
    rows = rows.with_columns(
        code=code,
        is_st=pl.coalesce("is_st", "st_name"),
        suspended=pl.coalesce("suspended", silent),
        list_date=list_date,
    )
    return rows.with_columns(board=board_expr("code")).select(
        pl.col(name).cast(kind) for name, kind in UNIVERSE.items()
    )


def _stocks(lake: Lake) -> pl.DataFrame:
    columns = ["symbol", "list_date", "delist_date"]
    return lake.read("stocks", columns=columns) if lake.exists("stocks") else STOCKS.empty().select(columns)


def _bars(lake: Lake, at: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return `symbol`, `is_st` and `suspended` of the day's bars, and the `symbol` of all whose bars span the day."""
    if not lake.exists("daily_bars"):
        none = pl.DataFrame(schema={name: UNIVERSE[name] for name in ("symbol", "is_st", "suspended")})
        return none, none.select("symbol")
    bars = lake.read("daily_bars", columns=["symbol", "is_st", "suspended"], start=at, end=at)
    spans = lake.scan("daily_bars", columns=["symbol", "date"]).group_by("symbol")
    spans = spans.agg(first=pl.col("date").min(), last=pl.col("date").max())
    return bars, spans.filter(pl.col("first") <= at, pl.col("last") >= at).select("symbol").collect()


def _by_dates(lake: Lake, stocks: pl.DataFrame, at: date) -> pl.DataFrame:
    """Return the stocks that were listed by their dates.

    A stock that later lists no longer have, without a date of delisting, was listed up to its last list.
    """
    lists = last_listed(lake)
    gone = pl.col("delist_date").is_null() & (pl.col("until") < pl.lit(lists["until"].max(), pl.Date))
    end = pl.coalesce("delist_date", pl.when(gone).then("until"), pl.lit(date.max))
    dated = stocks.join(lists, on="symbol", how="left")
    return dated.filter(pl.col("list_date") <= at, end >= at)


def _suspension_years(lake: Lake, at: date) -> list[int]:
    return sorted(suspension_years(lake, {at.year})) if lake.exists("daily_bars") else []
