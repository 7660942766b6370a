"""The stored rows of one table and trading day, with the sources that gave them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from mystocks_dagster.lake.loads import load_entries
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.sources.declaration import EXCHANGES
from mystocks_dagster.sources.preference import preferred
from mystocks_dagster.sources.registry import declarations

#: The table whose loaded days are those of a table that is derived from it.
_DAYS_OF = {"adjust_events": "daily_bars"}


@dataclass(frozen=True, kw_only=True)
class StoredDay:
    """The stored rows of a day; `givers` are the sources that gave them."""

    table: str
    day: date
    rows: pl.DataFrame
    givers: tuple[str, ...]

    @property
    def source(self) -> str:
        """The sources as text."""
        return ", ".join(self.givers)

    @property
    def exchanges(self) -> tuple[str, ...]:
        """The exchanges that the sources of the rows cover."""
        table = _DAYS_OF.get(self.table, self.table)
        offers = [
            offer
            for name in self.givers
            for offer in (declarations()[name].offers_of(table) if name in declarations() else ())
        ]
        return tuple({exchange for offer in offers for exchange in offer.exchanges}) or EXCHANGES

    def pair(self) -> tuple[tuple[str, pl.DataFrame], tuple[str, pl.DataFrame]] | None:
        """Return the names and rows of two sources whose statements are stored side by side; None if there are none."""
        if "source" not in TABLES[self.table].key or len(self.givers) < 2:
            return None
        first, second = preferred(self.table, self.givers)[:2]
        return (first, self.rows.filter(source=first)), (second, self.rows.filter(source=second))


def stored_day(lake: Lake, table: str, day: date | None) -> StoredDay | None:
    """Return the stored rows of a day, or of the newest day with rows; None if there are none."""
    entries = load_entries(lake, _DAYS_OF.get(table, table)).filter(pl.col("rows") > 0).sort("date")
    entries = entries.tail(1) if day is None else entries.filter(pl.col("date") == day)
    if entries.is_empty():
        return None
    return _of_entry(lake, table, entries.row(0, named=True))


def known_day(lake: Lake, table: str, day: date) -> StoredDay | None:
    """Return the stored rows of a day that is complete, also if it has none; None if it is not."""
    entries = load_entries(lake, table).filter("complete", pl.col("date") == day)
    return None if entries.is_empty() else _of_entry(lake, table, entries.row(0, named=True))


def _of_entry(lake: Lake, table: str, entry: Mapping[str, Any]) -> StoredDay:
    rows = TABLES[table].empty()
    if lake.exists(table):
        rows = lake.read(table, start=entry["date"], end=entry["date"])
    sources = rows["source"].drop_nulls().unique().sort().to_list() if "source" in rows.columns else []
    givers = tuple(sources or (name.strip() for name in entry["source"].split(",")))
    return StoredDay(table=table, day=entry["date"], rows=rows, givers=givers)


def in_exchanges(exchanges: Iterable[str]) -> pl.Expr:
    """Return the expression that is true for symbols of those exchanges."""
    return pl.col("symbol").str.slice(-2).is_in(list(exchanges))
