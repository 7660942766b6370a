"""Carry indicators on: compute the new bars from the stored state, and again what depends on changed bars."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

import polars as pl

from mystocks_dagster.lake.changed_rows import changed_rows
from mystocks_dagster.lake.data_files import data_files
from mystocks_dagster.lake.indicator_state import Stored
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import Version
from mystocks_dagster.tasks.indicator_bars import Extent, TradedBars
from mystocks_dagster.tasks.indicator_rebuild import kept_columns, with_kept
from mystocks_dagster.tasks.indicator_rows import Carried, period_rows
from mystocks_dagster.tasks.indicator_work import THREADS, States, Work, read_states, states_end, store_states
from mystocks_dagster.tasks.stages import StageTimes

#: Fewer changed rows are compared whatever the size of the market.
_FEW_ROWS = 500_000
#: Above this share of rows or symbols, all are computed again.
_MOST = 1 / 4
_FEW_SYMBOLS = 50


@dataclass(frozen=True)
class Update:
    """Rows that replace the stored ones from the day `since` on, and for some symbols from an earlier day on."""

    rows: pl.DataFrame
    since: date
    symbols: Mapping[str, date]


def carry(
    lake: Lake, works: Sequence[Work], inputs: Sequence[Version], extent: Extent, times: StageTimes
) -> Iterator[int | None]:
    """Bring the tables of some periods up to date from their stored states, at the same time, and store new states.

    The states are written beside the rows, and committed after them.

    Args:
        lake: Where bars, states and rows are.
        works: What is carried on; each period has a table of its own, and depends on bars only.
        inputs: The present versions of the tables that are read.
        extent: Size and span of the stored bars.
        times: Gets the time of each period.

    Yields:
        For each work the number of rows written; None if there is no state that fits, or if so much has changed that a
        rebuild takes less time.
    """
    with ThreadPoolExecutor(2) as beside, ThreadPoolExecutor(THREADS) as pool:
        # While the states are decoded. One that turns out not to fit makes it read some more days than are needed.
        new = beside.submit(_new_bars, lake, works, states_end(lake, works))
        stored = read_states(lake, works)
        found = [work.stored_state(lake, stored, inputs) for work in works]
        computed = [Future[States]() for _ in works]

        def carried(work: Work, state: tuple[Stored, Carried] | None, states: Future[States]) -> int | None:
            try:
                with times.of(f"{work.period}, new bars"):
                    return _carry(lake, work, state, new.result, inputs, extent, states) if state else None
            finally:
                if not states.done():
                    states.set_result({})

        waiting = [pool.submit(carried, *one) for one in zip(works, found, computed, strict=True)]

        def store() -> None:
            store_states(lake, [states.result() for states in computed], lambda: [one.result() for one in waiting])

        storing = beside.submit(store)
        for one in waiting:
            yield one.result()
        storing.result()


def _new_bars(lake: Lake, works: Sequence[Work], since: date | None) -> pl.DataFrame:
    """Return the bars from a day on, with the columns that any work reads; none without a day."""
    columns = dict.fromkeys(name for work in works for name in work.columns)
    return TradedBars(lake, [*columns]).read(start=since) if since else pl.DataFrame()


def _carry(
    lake: Lake,
    work: Work,
    state: tuple[Stored, Carried],
    new_bars: Callable[[], pl.DataFrame],
    inputs: Sequence[Version],
    extent: Extent,
    states: Future[States],
) -> int | None:
    stored, carried = state
    changed = _changed_symbols(lake, work, stored, inputs, extent)
    if changed is None or len(changed) > max(_FEW_SYMBOLS, _MOST * len(stored.symbols)):
        return None
    until = max(work.until(extent.last), stored.until)
    new = new_bars().select("symbol", "date", *work.columns).filter(pl.col("date") >= stored.until)
    new = new.filter(~pl.col("symbol").cast(pl.String).is_in(changed)) if changed else new
    parts = [period_rows(work.plan, carried, new, work.period, until)] if new.height else []
    past = None
    if changed:
        carried.reset(changed)
        again = TradedBars(lake, work.columns).read(symbols=changed)
        past = period_rows(work.plan, carried, again, work.period, until) if again.height else None
    states.set_result(work.states(carried, inputs, until) if until != stored.until or changed else {})
    update = _update(lake, work, parts, past, changed, stored.until)
    return write(lake, work, update, work.marks(lake, inputs))


def recompute(lake: Lake, work: Work, symbols: Sequence[str]) -> int:
    """Compute some symbols from their first bar on, and write what differs; return the number of rows written."""
    lake.create(work.table)
    bars = TradedBars(lake, work.columns).read(symbols=symbols)
    past = period_rows(work.plan, Carried.empty(work.plan), bars, work.period, date.max) if bars.height else None
    update = _update(lake, work, [], past, symbols, date.max)
    return write(lake, work, update, work.marks_of_a_part(lake) if update.symbols else None)


def write(lake: Lake, work: Work, update: Update, marks: Mapping[str, int] | None) -> int:
    """Write an update with its watermarks; return the number of rows, 0 if the stored ones are the same."""
    if not update.symbols and _is_stored(lake, work, update):
        if marks:
            lake.set_watermarks(work.table, marks)
        return 0
    return lake.replace_from(work.table, update.rows, update.since, update.symbols, watermarks=marks)


def _changed_symbols(
    lake: Lake, work: Work, stored: Stored, inputs: Sequence[Version], extent: Extent
) -> list[str] | None:
    """Return the symbols of which the state no longer holds; None if that is not known."""
    most = max(_FEW_ROWS, round(_MOST * extent.rows))
    symbols: set[str] = set()
    for then, now in zip(stored.inputs, inputs, strict=True):
        columns = {"daily_bars": [*work.columns, "suspended"], "adjust_events": ["ratio"]}.get(now.table)
        if columns is None:
            if then != now:
                return None
            continue
        changed = changed_rows(lake, then.number, now, columns, until=stored.until, most=most)
        if changed is None:
            return None
        symbols.update(changed["symbol"])
    return sorted(symbols)


def _update(
    lake: Lake, work: Work, parts: Sequence[pl.DataFrame], past: pl.DataFrame | None, again: Sequence[str], since: date
) -> Update:
    """Return the update of new rows, and of the rows of symbols that were computed again and differ from stored ones.

    Args:
        lake: Where the table is.
        work: What was computed.
        parts: New rows, from the day `since` on.
        past: All rows of the symbols computed again.
        again: Those symbols.
        since: The first day that is new.
    """
    schema = work.declare(lake)
    kept = kept_columns(work, schema)
    rows = [with_kept(lake, schema, part, kept) for part in parts]
    symbols: dict[str, date] = {}
    if again:
        whole = with_kept(lake, schema, past, kept) if past is not None else schema.empty()
        symbols = _first_differences(lake.read(work.table, symbols=again), whole)
        symbols = {symbol: day for symbol, day in symbols.items() if day < since}
        from_day = pl.col("symbol").replace_strict(symbols, default=since, return_dtype=pl.Date)
        rows.append(whole.filter(pl.col("date") >= from_day))
    return Update(pl.concat([schema.empty(), *rows]), since, symbols)


def _first_differences(stored: pl.DataFrame, fresh: pl.DataFrame) -> dict[str, date]:
    """Return the first day of each symbol on which the frames differ."""
    names = fresh.columns
    apart = [
        mine.join(other, on=names, how="anti", nulls_equal=True).select("symbol", "date")
        for mine, other in ((stored.select(names), fresh), (fresh, stored.select(names)))
    ]
    return dict(pl.concat(apart).group_by("symbol").agg(pl.col("date").min()).iter_rows())


def _is_stored(lake: Lake, work: Work, update: Update) -> bool:
    """Return whether the stored rows from the day `since` on are those of the update."""
    if update.since == date.max:
        return True
    if _has_a_later_day(lake, work.table, update.rows):
        return False
    stored = lake.read(work.table, start=update.since).select(update.rows.columns)
    return stored.sort("symbol", "date").equals(update.rows.sort("symbol", "date"))


def _has_a_later_day(lake: Lake, table: str, rows: pl.DataFrame) -> bool:
    """Return whether rows have a later day than the stored ones, as far as the log says it."""
    opened, day = lake.log(table), rows["date"].max()
    lasts = [file.last for file in data_files(opened, lake.schema_of(table))] if opened is not None else [None]
    return isinstance(day, date) and all(last is not None and last < day for last in lasts)
