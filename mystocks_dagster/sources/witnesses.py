"""Which sources can be a witness of a table: by their declarations, without opening them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from mystocks_dagster.market.witnesses import COMPARED, EX_DAYS, WITNESS_TABLES
from mystocks_dagster.sources.declaration import Offer
from mystocks_dagster.sources.preference import preferred
from mystocks_dagster.sources.registry import declarations

#: A source that needs more requests for a day of the whole market is compared by a sample of symbols, if at all.
BULK_REQUESTS = 10
#: Calendar days that a source of the newest days has at least.
RECENT = timedelta(days=7)
#: Units in which a source gives a day of the whole market.
_WHOLE = frozenset({"day", "history", "snapshot"})


@dataclass(frozen=True)
class Witness:
    """A source that can be compared with the stored rows of a table.

    Attributes:
        source: Its name.
        offer: What it offers of the table, at the least cost.
    """

    source: str
    offer: Offer

    @property
    def in_bulk(self) -> bool:
        """Whether all rows of a day are compared; else a sample of symbols."""
        if self.offer.unit == "period":
            return True
        return self.offer.unit in _WHOLE and self.offer.requests <= BULK_REQUESTS


def witnesses_of(table: str, *, without: Iterable[str] = ()) -> tuple[Witness, ...]:
    """Return the witnesses of a table: those in bulk first, then in the order of preference.

    Args:
        table: Name of the table.
        without: Sources that gave the stored rows, which cannot be their witness.
    """
    table = WITNESS_TABLES.get(table, table)
    names = [
        name
        for name, source in declarations().items()
        if source.world == "real" and source.offers_of(table) and name not in set(without)
    ]
    found = [Witness(name, _cheapest(table, name)) for name in preferred(table, names)]
    return tuple(sorted(found, key=lambda witness: not witness.in_bulk))


def covers(witness: Witness, day: date, newest: date) -> bool:
    """Return whether a witness can have that day; `newest` is the latest closed trading day."""
    reach = {"all": date.min, "recent": newest - RECENT, "latest": newest}
    return day >= reach[witness.offer.past]


def states_ex_days(table: str) -> tuple[str, ...]:
    """Return the real sources that say of which stocks a table must have a row on a day."""
    names = (name for name, source in declarations().items() if source.world == "real")
    return tuple(name for name in names if table in EX_DAYS and declarations()[name].offers_of(EX_DAYS[table]))


def compared_tables() -> tuple[str, ...]:
    """Return the tables of which rows are compared, in the order of their declaration."""
    return tuple(COMPARED)


def _cheapest(table: str, name: str) -> Offer:
    """Return the offer of the whole market at the least cost; that by symbol if the others cost too much."""
    offers = declarations()[name].offers_of(table)
    # A whole history is not downloaded for one day, if the day can be had by itself.
    whole = [offer for offer in offers if offer.unit in _WHOLE]
    whole.sort(key=lambda offer: (offer.unit == "history", offer.requests))
    if whole and (whole[0].requests <= BULK_REQUESTS or len(whole) == len(offers)):
        return whole[0]
    return next(offer for offer in offers if offer.unit not in _WHOLE)
