"""Calculate indicators from the first bar on, in pieces of a year: a market larger than memory works."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from functools import partial

import polars as pl

from mystocks_dagster.errors import LakeError
from mystocks_dagster.lake.bulk import Rewrite
from mystocks_dagster.lake.sorting import sort_by_symbol, with_text_symbols
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import Version
from mystocks_dagster.market.table import Table
from mystocks_dagster.tasks.background_write import BackgroundWrite
from mystocks_dagster.tasks.indicator_bars import Extent, TradedBars
from mystocks_dagster.tasks.indicator_rows import Carried, period_rows
from mystocks_dagster.tasks.indicator_work import Work, store_states

#: Receives the years that are done, and their number.
Report = Callable[[int, int], None]


@dataclass
class _Target:
    """A table that is rebuilt, and the state in which its calculations are.

    Attributes:
        waiting: Daily bars of a period that goes on in the next piece.
    """

    work: Work
    schema: Table
    rewrite: Rewrite
    carried: Carried
    kept: list[str]
    waiting: pl.DataFrame | None = field(default=None)

    def rows(self, lake: Lake, bars: pl.DataFrame, next_day: date | None, until: date) -> pl.DataFrame | None:
        """Compute a piece; `next_day` is the first one of the next piece, `until` ends the last piece."""
        if self.waiting is not None and self.waiting.height:
            bars = _in_order(self.waiting, bars)
        if next_day is not None:
            until = self.work.until(next_day) if self.work.period != "daily" else next_day
            self.waiting = bars.filter(pl.col("date") >= until)
            bars = bars.filter(pl.col("date") < until)
        if bars.is_empty():
            return None
        rows = period_rows(self.work.plan, self.carried, bars, self.work.period, until)
        return with_kept(lake, self.schema, rows, self.kept)


def rebuild(
    lake: Lake, works: Sequence[Work], inputs: Sequence[Version], extent: Extent, report: Report
) -> dict[str, int]:
    """Rebuild the tables of some periods; columns that are not calculated keep their stored values.

    Returns:
        The rows written by table.

    Raises:
        LakeError: There is no bar with an adjusted price.
    """
    bars = TradedBars(lake, [column for work in works for column in work.columns])
    untils = {work.period: work.until(extent.last) for work in works}
    with ExitStack() as stack:
        targets = [_target(lake, work, stack) for work in works]
        # A piece is written while the next one is computed.
        writing = stack.enter_context(BackgroundWrite())
        pieces = _pieces(extent, whole=not all(work.plan.carried for work in works))
        for done, (start, end) in enumerate(pieces):
            report(done, len(pieces))
            piece = bars.read(start, end)
            next_day = None if done == len(pieces) - 1 else pieces[done + 1][0]
            rows = [target.rows(lake, piece, next_day, untils[target.work.period]) for target in targets]
            writing.begin(partial(_write, targets, rows))
        writing.wait()
        if not any(target.rewrite.rows for target in targets):
            raise LakeError("No symbol can be calculated: no bar has an adjusted price.")
        written = {target.work.table: target.rewrite.commit(target.work.marks(lake, inputs)) for target in targets}
    store_states(
        lake,
        (
            target.work.states(target.carried, inputs, untils[target.work.period])
            for target in targets
            if target.work.plan.carried
        ),
    )
    return written


def _write(targets: Sequence[_Target], pieces: Sequence[pl.DataFrame | None]) -> None:
    for target, rows in zip(targets, pieces, strict=True):
        if rows is not None:
            target.rewrite.add(rows)


def with_kept(lake: Lake, schema: Table, rows: pl.DataFrame, kept: Sequence[str]) -> pl.DataFrame:
    """Return rows with the stored values of the columns `kept`, in the table's order."""
    if kept and rows.height:
        names = [*schema.key, *kept]
        start, end = rows["date"].min(), rows["date"].max()
        stored = lake.read(schema.name, columns=names, start=start, end=end)  # ty: ignore[invalid-argument-type]
        rows = rows.join(stored, on=schema.key, how="left", maintain_order="left")
    return schema.complete(rows)


def kept_columns(work: Work, schema: Table) -> list[str]:
    """Return the columns of a table that the work does not calculate."""
    computed = {"symbol", "date", "close_hfq", *work.plan.outputs}
    return [name for name in schema.dtypes if name not in computed]


def _target(lake: Lake, work: Work, stack: ExitStack) -> _Target:
    existed = lake.exists(work.table)
    schema = work.declare(lake)
    kept = kept_columns(work, schema) if existed else []
    return _Target(work, schema, stack.enter_context(lake.rewrite(work.table)), Carried.empty(work.plan), kept)


def _pieces(extent: Extent, *, whole: bool) -> list[tuple[date, date]]:
    """Return the first and last day of each piece; one piece where a formula needs all bars at once."""
    spans = [(date(year, 1, 1), date(year, 12, 31)) for year in extent.years]
    return [(spans[0][0], spans[-1][1])] if whole and spans else spans


def _in_order(earlier: pl.DataFrame, later: pl.DataFrame) -> pl.DataFrame:
    """Return the bars of both frames in order of symbol and date; each has an `Enum` of its own."""
    return sort_by_symbol(pl.concat([with_text_symbols(earlier), with_text_symbols(later)]))
