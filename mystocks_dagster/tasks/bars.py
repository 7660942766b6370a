"""Load daily bars: store them day by day, decide which days are complete, and report the result."""

from bisect import bisect_left, insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from mystocks_dagster.excerpts import abbreviate
from mystocks_dagster.lake import quarantine
from mystocks_dagster.lake.events import add_events, refresh_events
from mystocks_dagster.lake.loads import forget_days, record_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.stored_bars import StoredBars
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.days_of_rows import rows_by_day
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.value_rules import Fault
from mystocks_dagster.sources.protocol import MarketSource
from mystocks_dagster.tasks.admission import AdmissionResult, admit
from mystocks_dagster.tasks.companions import store_companions
from mystocks_dagster.tasks.known_days import KnownDays
from mystocks_dagster.tasks.run import TaskRun

#: A day with fewer rows than this share of the complete day before it counts as incomplete.
ENOUGH = 0.97
#: Below so many rows a share is not meaningful.
_FEW = 20
#: So many missing rows may be delistings and suspensions, whatever their share.
_ORDINARY = 3


@dataclass(kw_only=True)
class LoadedBars:
    """Bars loaded so far.

    Attributes:
        rows: Number of rows by stored day.
        events: Number of derived adjustment events.
        partial: Incomplete days, each with the reason.
        symbols: Symbols with at least one bar.
        faults: Rows that were set aside, or of which a value became unknown.
        refused: Days that were not stored, each with the reason.
        absent: By day, symbols without a bar that had one the day before.
        unseen: By day, other symbols of the stock list without a row.
        paused: By first day without a bar, symbols that later resume at their last close.
        companions: Number of rows by day of tables that came with the bars.
        notes: What was not looked at, and why, as sentences.
    """

    rows: dict[date, int] = field(default_factory=dict)
    events: int = 0
    partial: dict[date, str] = field(default_factory=dict)
    symbols: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    refused: dict[date, str] = field(default_factory=dict)
    absent: dict[date, list[str]] = field(default_factory=dict)
    unseen: dict[date, list[str]] = field(default_factory=dict)
    paused: dict[date, list[str]] = field(default_factory=dict)
    companions: dict[str, dict[date, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def set_aside_symbols(self) -> set[str]:
        """Symbols of rows that were set aside."""
        return {str(fault.row["symbol"]) for fault in self.faults if not fault.stored}

    def failed(self, *, by_symbol: bool) -> set[object]:
        """Return the days, or the symbols, that must be loaded again."""
        if by_symbol:
            return set(self.set_aside_symbols)
        stray = {fault.date for fault in self.faults if fault.date not in self.rows}
        return {*self.partial, *self.refused, *stray}


def load_bars(
    source: MarketSource,
    lake: Lake,
    days: Sequence[date],
    symbols: Sequence[str] | None,
    run: TaskRun,
    loaded: LoadedBars | None = None,
) -> LoadedBars:
    """Fetch bars and store each frame of the source at once, so that the next run continues after a killed one.

    With `symbols`, their rows are merged into the days, which then do not count as loaded. With `loaded`, the bars are
    added to those of another source.
    """
    loaded = LoadedBars() if loaded is None else loaded
    known = KnownDays.of(lake)
    for frame in source.daily_bars(days, symbols):
        admitted = admit(lake, source, frame, newest=max(days), whole=symbols is None)
        counts = rows_by_day(admitted.rows["date"])
        if symbols is None:
            store_days(source, lake, admitted, counts, known, loaded)
            for table, rows in store_companions(source, lake, counts).items():
                loaded.companions[table] = loaded.companions.get(table, {}) | rows
        else:
            _store_symbols(source, lake, admitted, counts, loaded)
        loaded.rows |= counts
        loaded.symbols |= set(frame["symbol"].unique())
        run.report_progress(len(loaded.rows), len(days), f"bars up to {max(counts, default='?')}")
    return loaded


def store_days(
    source: MarketSource,
    lake: Lake,
    admitted: AdmissionResult,
    counts: dict[date, int],
    known: KnownDays,
    loaded: LoadedBars,
    record: Callable[..., None] = record_days,
    stored: StoredBars | None = None,
) -> None:
    """Store whole days with their events, then record them as loaded: a run killed in between loads them again.

    `stored` is that of `add_events`.
    """
    if counts:
        forget_days(lake, "daily_bars", [day for day in counts if known.complete.pop(day, None) is not None])
        lake.replace_days("daily_bars", admitted.rows, list(counts))
    partial = partial_days(counts, known, admitted)
    if counts:
        whole = known.complete.keys() - known.lacking
        loaded.events += add_events(
            lake, list(counts), admitted.changes, complete=whole, rows=sum(counts.values()), stored=stored
        )
        record(lake, "daily_bars", counts, source=source.name, incomplete=partial, lacking=known.lacking)
    quarantine.replace_days(lake, "daily_bars", admitted.faults, {*_spanned(counts), *admitted.refused}, source.name)
    loaded.partial |= partial
    loaded.faults += admitted.faults
    loaded.refused |= admitted.refused
    loaded.absent |= admitted.absent
    loaded.unseen |= admitted.unseen
    loaded.notes += admitted.notes
    loaded.paused |= admitted.paused


def _spanned(days: Mapping[date, int]) -> set[date]:
    """Return the days, and the non-trading days between them, whose rows were checked too."""
    first, length = min(days, default=date.min), (max(days) - min(days)).days + 1 if days else 0
    every = (first + timedelta(days=n) for n in range(length))
    calendar = shanghai()
    return {*days, *(day for day in every if not calendar.is_probable_session(day)[0])}


def _store_symbols(
    source: MarketSource, lake: Lake, admitted: AdmissionResult, counts: dict[date, int], loaded: LoadedBars
) -> None:
    if counts:
        lake.upsert("daily_bars", admitted.rows)
        loaded.events += refresh_events(lake, list(counts))
    waiting = quarantine.has_quarantined_rows(lake, "daily_bars")
    keys = quarantine.keys_of(admitted.rows, DAILY_BARS.key) if waiting else ()
    quarantine.replace_keys(lake, "daily_bars", admitted.faults, keys, source.name)
    loaded.faults += admitted.faults


def partial_days(counts: dict[date, int], known: KnownDays, admitted: AdmissionResult) -> dict[date, str]:
    """Return the days to load again, each with the reason, and update `known` with the other days.

    A source that returns the same number of valid rows twice has no more rows, so the day counts as complete; its
    rejected rows stay in the quarantine. The day still lacks rows, so it is not evidence that a symbol without a bar
    was suspended. A day that lacks a large part of the market is never complete.
    """
    partial = {}
    earlier = sorted(known.complete)
    for day, rows in counts.items():
        known.lacking.discard(day)
        short, lack = _shortfall(day, rows, known.complete, earlier), _lack(day, admitted)
        if short:
            partial[day] = f"{short}: {lack}" if lack and admitted.absent.get(day) else short
        elif lack and known.before.get(day) != rows:
            partial[day] = f"{day}: {lack}"
        else:
            if day not in known.complete:
                insort(earlier, day)
            known.complete[day] = rows
            known.lacking |= {day} if lack else set()
    return partial


def _lack(day: date, admitted: AdmissionResult) -> str:
    """Return which rows of a day are missing or set aside; empty when none is."""
    if absent := admitted.absent.get(day):
        return f"no bar for {abbreviate(absent, 50)}, which had one the day before"
    if unseen := admitted.unseen.get(day):
        return f"no row for {abbreviate(unseen, 50)}, which the stock list has"
    aside = len({fault.key for fault in admitted.faults if fault.date == day and not fault.stored})
    if aside == 1:
        return "1 row set aside"
    return f"{aside} rows set aside" if aside else ""


def _shortfall(day: date, rows: int, complete: Mapping[date, int], earlier: Sequence[date]) -> str | None:
    """Return why the number of rows is too small, compared with the complete day before; None when it is not.

    `earlier` has the days of `complete`, ascending.
    """
    at = bisect_left(earlier, day)
    before = complete[earlier[at - 1]] if at else 0
    if before < _FEW or rows >= min(ENOUGH * before, before - _ORDINARY):
        return None
    return f"{day}: only {rows} rows, while {earlier[at - 1]} had {before}"
