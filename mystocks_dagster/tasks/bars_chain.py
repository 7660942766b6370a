"""Load daily bars from several sources: each is asked for exactly the days and symbols that are missing by then."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import polars as pl

from mystocks_dagster.errors import MyStocksError, SourceError, SourceUnavailable
from mystocks_dagster.excerpts import abbreviate
from mystocks_dagster.lake import quarantine
from mystocks_dagster.lake.events import refresh_events
from mystocks_dagster.lake.loads import all_load_entries, record_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.days_of_rows import rows_by_day
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.sources.chain import ChainedSource, late_until
from mystocks_dagster.sources.declaration import EXCHANGES
from mystocks_dagster.sources.protocol import MarketSource
from mystocks_dagster.sources.registry import declarations
from mystocks_dagster.tasks.admission import AdmissionResult, admit
from mystocks_dagster.tasks.bars import LoadedBars, load_bars, partial_days
from mystocks_dagster.tasks.known_days import KnownDays
from mystocks_dagster.tasks.requested_days import latest_closed
from mystocks_dagster.tasks.run import TaskRun

_TABLE = "daily_bars"
#: Missing symbols of stored days are not fetched one by one if that takes more requests: a whole day of the most
#: expensive source takes as many.
MOST_REQUESTS = 70

#: The symbols to fetch of a stored day; None means all that it lacks.
Gaps = dict[date, set[str] | None]


def load_from_members(
    source: MarketSource, lake: Lake, days: Sequence[date], symbols: Sequence[str] | None, run: TaskRun
) -> LoadedBars:
    """Load bars as `tasks.bars.load_bars` does, from each member of a chained source what the ones before lack.

    A day that a member refuses, does not have yet or cannot send is requested from the next member as a whole. A day of
    which symbols are missing or set aside keeps its rows, and only these symbols are requested.

    Raises:
        SourceError: Every member failed, and no row was loaded.
    """
    if not isinstance(source, ChainedSource):
        return load_bars(source, lake, days, symbols, run)
    loaded, errors = LoadedBars(), list[MyStocksError]()
    for member in source.members_of(_TABLE):
        wanted = _missing_days(loaded, days) if symbols is None else list(days)
        names = None if symbols is None else sorted(set(symbols) - loaded.symbols)
        gaps = _gaps(source, loaded) if symbols is None else {}
        if names == [] or not (wanted or gaps):
            break
        try:
            _load_days(source, member, lake, wanted, names, run, loaded)
            _fill(source, member, lake, gaps, loaded, run)
        except SourceError as error:
            run.logger.warning("%s could not be loaded: %s", member.name, error)
            source.deliveries.failed(_TABLE, member.name, str(error))
            member.findings(_TABLE)
            errors.append(error)
    if errors and not loaded.rows and not loaded.refused:
        raise _combined(errors)
    return loaded


def first_day(source: MarketSource, lake: Lake) -> date | None:
    """Return the first day of a load without a window, if the past of a source costs requests; None if it does not.

    Then a load keeps complete what the lake has: from its first loaded day on, or the latest day in an empty lake.
    """
    members = source.members_of(_TABLE) if isinstance(source, ChainedSource) else [source]
    past = [member for member in members if member.has_history]
    free = [member for member in past if _costs_nothing(member)]
    if not past or (len(free) == len(members)):
        return None
    starts = [*(member.bar_days()[0] for member in free), all_load_entries(lake, _TABLE)["date"].min()]
    return min((day for day in starts if isinstance(day, date)), default=latest_closed(source))


def _costs_nothing(member: MarketSource) -> bool:
    declaration = declarations().get(member.name)
    return declaration is None or all(offer.requests == 0 for offer in declaration.offers_of(_TABLE))


def _missing_days(loaded: LoadedBars, days: Sequence[date]) -> list[date]:
    return [day for day in days if day not in loaded.rows]


def _load_days(
    source: ChainedSource,
    member: MarketSource,
    lake: Lake,
    days: Sequence[date],
    symbols: Sequence[str] | None,
    run: TaskRun,
    loaded: LoadedBars,
) -> None:
    """Load days from one member, and record what it gave and why the rest is missing."""
    late = {day: ready for day in days if (ready := late_until(member, _TABLE, day))}
    wanted = [day for day in days if day not in late]
    before, old_faults = dict(loaded.rows), list(loaded.faults)
    loaded.faults = []
    try:
        if wanted:
            load_bars(member, lake, wanted, symbols, run, loaded)
    finally:
        gained = {day: rows for day, rows in loaded.rows.items() if before.get(day) != rows}
        loaded.faults = [fault for fault in old_faults if fault.date not in gained] + loaded.faults
        loaded.refused = {day: why for day, why in loaded.refused.items() if day not in gained}
        if gained:
            source.deliveries.gave(_TABLE, member.name, sum(gained.values()), gained)
    reasons = [f"{day} is complete there from {ready:%H:%M} on" for day, ready in late.items()]
    reasons += [f"{day} was refused ({why})" for day, why in sorted(loaded.refused.items()) if day in wanted][:3]
    if absent := [day for day in wanted if day not in gained and day not in loaded.refused]:
        reasons.append(f"no bars for {abbreviate(absent)}")
    reasons += [loaded.partial[day] for day in sorted(loaded.partial.keys() & gained)][:3]
    if gained and (missing := sorted(set(EXCHANGES) - _exchanges(member.name))):
        reasons.append(f"it does not cover {', '.join(missing)}")
    if reasons:
        source.deliveries.failed(_TABLE, member.name, "; ".join(reasons))


def _exchanges(name: str) -> set[str]:
    """Return the exchanges whose whole days a source has."""
    declaration = declarations().get(name)
    offers = [offer for offer in declaration.offers_of(_TABLE) if offer.unit != "symbol"] if declaration else []
    return {exchange for offer in offers for exchange in offer.exchanges} if offers else set(EXCHANGES)


def _gaps(source: ChainedSource, loaded: LoadedBars) -> Gaps:
    """Return the symbols that loaded days lack: absent ones, ones whose row was set aside, those of an exchange."""
    gaps: Gaps = {}
    for day in loaded.rows:
        names = {*loaded.absent.get(day, ()), *loaded.unseen.get(day, ())}
        names |= {str(fault.row["symbol"]) for fault in loaded.faults if fault.date == day and not fault.stored}
        covered = set[str]().union(*(_exchanges(name) for name in source.deliveries.givers(_TABLE, day)))
        if not covered.issuperset(EXCHANGES) or (day in loaded.partial and not names):
            gaps[day] = None
        elif names:
            gaps[day] = names
    return gaps


def _fill(
    source: ChainedSource, member: MarketSource, lake: Lake, gaps: Gaps, loaded: LoadedBars, run: TaskRun
) -> None:
    """Request the missing symbols of stored days from a member, and merge its rows into the days."""
    gaps = {day: names for day, names in gaps.items() if not late_until(member, _TABLE, day)}
    if not gaps:
        return
    symbols = sorted(set[str]().union(*(names for names in gaps.values() if names)))
    everything = any(names is None for names in gaps.values())
    days = sorted(gaps)
    if reason := _too_expensive(member, days, None if everything else symbols):
        source.deliveries.failed(_TABLE, member.name, reason)
        return
    run.logger.info("Asking %s for the missing bars of %d days", member.name, len(days))
    for frame in member.daily_bars(days, None if everything else symbols):
        _merge(source, member, lake, _wanted(lake, frame, gaps), gaps, loaded)


def _too_expensive(member: MarketSource, days: Sequence[date], symbols: Sequence[str] | None) -> str | None:
    """Return why missing symbols are not requested from a source that has the past by symbol only; None if they are."""
    declaration = declarations().get(member.name)
    offers = declaration.offers_of(_TABLE) if declaration else ()
    past = [offer for offer in offers if offer.past != "latest"]
    if not past or any(offer.unit != "symbol" for offer in past) or list(days) == [latest_closed(member)]:
        return None
    if symbols is None:
        return f"it has {abbreviate(days)} by symbol only"
    requests = past[0].requests * len(symbols)
    return f"{len(symbols):,} symbols would take {requests:,} requests" if requests > MOST_REQUESTS else None


def _wanted(lake: Lake, frame: pl.DataFrame, gaps: Gaps) -> pl.DataFrame:
    """Return the rows of a frame that fill a gap: of a missing symbol, without a stored row of that key."""
    parts = [
        frame.filter(pl.col("date") == day, *([pl.col("symbol").is_in(sorted(names))] if names is not None else []))
        for day, names in gaps.items()
    ]
    rows = pl.concat([frame.clear(), *parts])
    if rows.is_empty():
        return rows
    stored = lake.read(_TABLE, columns=list(DAILY_BARS.key), start=min(gaps), end=max(gaps))
    return rows.join(stored, on=list(DAILY_BARS.key), how="anti")


def _merge(
    source: ChainedSource, member: MarketSource, lake: Lake, rows: pl.DataFrame, gaps: Gaps, loaded: LoadedBars
) -> None:
    admitted = admit(lake, member, rows, newest=max(gaps), whole=False)
    added = rows_by_day(admitted.rows["date"])
    if not added:
        return
    known = KnownDays.of(lake)
    lake.upsert(_TABLE, admitted.rows)
    quarantine.replace_keys(lake, _TABLE, (), quarantine.keys_of(admitted.rows, DAILY_BARS.key), member.name)
    source.deliveries.gave(_TABLE, member.name, admitted.rows.height, added)
    filled = {(row["date"], row["symbol"]) for row in admitted.rows.select("date", "symbol").iter_rows(named=True)}
    loaded.faults = [fault for fault in loaded.faults if (fault.date, fault.row.get("symbol")) not in filled]
    for day in added:
        for lacking in (loaded.absent, loaded.unseen):
            left = [name for name in lacking.pop(day, []) if (day, name) not in filled]
            lacking |= {day: left} if left else {}
        loaded.rows[day] += added[day]
        known.complete.pop(day, None)
    loaded.symbols |= set(admitted.rows["symbol"].unique())
    counts = {day: loaded.rows[day] for day in added}
    remaining = replace(admitted, faults=loaded.faults, absent=loaded.absent, unseen=loaded.unseen)
    _record(source, lake, counts, known, remaining, loaded)


def _record(
    source: ChainedSource,
    lake: Lake,
    counts: dict[date, int],
    known: KnownDays,
    remaining: AdmissionResult,
    loaded: LoadedBars,
) -> None:
    """Record the days again with their new number of rows, and all sources that gave them."""
    partial = partial_days(counts, known, remaining)
    loaded.partial = {day: why for day, why in loaded.partial.items() if day not in counts} | partial
    loaded.events += refresh_events(lake, list(counts), complete=known.complete.keys() - known.lacking)
    for day, rows in counts.items():
        givers = ", ".join(source.deliveries.givers(_TABLE, day))
        record_days(lake, _TABLE, {day: rows}, source=givers, incomplete=partial, lacking=known.lacking)


def _combined(errors: Sequence[MyStocksError]) -> MyStocksError:
    """Return one error for all members: retryable if one of the errors is."""
    if len(errors) == 1:
        return errors[0]
    reasons = " ".join(str(error) for error in errors)
    kind = SourceUnavailable if any(error.retryable for error in errors) else type(errors[0])
    return kind(f"No source gave daily_bars. {reasons}")
