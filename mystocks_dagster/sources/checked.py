"""The border: every source's rows are held against the rules of their table before anybody gets them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import polars as pl

from mystocks_dagster.errors import SourceChanged
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.value_rules import CheckedFrame, Fault, check
from mystocks_dagster.sources.protocol import FlowKind, MarketSource, QuoteTable, StatementTable

#: Some sources write 0 where they have no previous close: Sina of Beijing's stocks.
_PREV_CLOSE = "prev_close"


@dataclass
class RejectedRows:
    """What the rules found in rows that were asked for: what was set aside, and the days refused, with the reasons."""

    faults: list[Fault] = field(default_factory=list)
    refused: dict[date, str] = field(default_factory=dict)


class CheckedSource:
    """A source whose frames hold only rows that obey the rules; the others are in its findings.

    Attributes:
        name, world, offers, has_history: Those of the source behind.
    """

    def __init__(self, source: MarketSource) -> None:
        """Stand before `source`; nothing is asked yet."""
        self._source = source
        self.name, self.world, self.has_history = source.name, source.world, source.has_history
        self._findings: dict[str, RejectedRows] = {}

    def __getattr__(self, name: str) -> Any:
        """Give what only some sources have, such as `requests`."""
        return getattr(self._source, name)

    @cached_property
    def offers(self) -> frozenset[str]:
        """The tables that it can fill."""
        return self._source.offers

    def findings(self, table: str) -> RejectedRows:
        """Return what was found in rows of `table` since this was last asked, and forget it."""
        return self._findings.pop(table, RejectedRows())

    def trading_days(self) -> list[date]:
        """Return the trading days that it states: a calendar has rules of its own, see `trading_calendar.statement`."""
        return self._source.trading_days()

    def bar_days(self) -> tuple[date, date]:
        """Return the first and the last day of its bars."""
        return self._source.bar_days()

    def daily_bars(self, days: Sequence[date], symbols: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield bars; of a day that is refused there are none."""
        for frame in self._source.daily_bars(days, symbols):
            yield self._checked("daily_bars", frame, days_apart=True)

    def stocks(self, *, include_delisted: bool) -> pl.DataFrame:
        """Return the stock list."""
        return self._checked("stocks", self._source.stocks(include_delisted=include_delisted))

    def statements(self, table: StatementTable, periods: Sequence[date]) -> pl.DataFrame:
        """Return the statements of those periods."""
        return self._checked(table, self._source.statements(table, periods))

    def corporate_actions(self, start: date, end: date) -> pl.DataFrame:
        """Return the distributions with ex-dividend days from `start` to `end`."""
        return self._checked("corporate_actions", self._source.corporate_actions(start, end))

    def quotes(self, table: QuoteTable) -> pl.DataFrame:
        """Return one snapshot."""
        return self._checked(table, self._source.quotes(table))

    def longhubang(self, start: date, end: date) -> pl.DataFrame:
        """Return the 龙虎榜 rows of those days; of a day that is refused there are none."""
        return self._checked("longhubang", self._source.longhubang(start, end), days_apart=True)

    def capital_flow(self, kind: FlowKind, day: date) -> pl.DataFrame:
        """Return the capital flow of that day."""
        return self._checked(f"capital_flow_{kind}", self._source.capital_flow(kind, day))

    def rows(self, table: str, start: date, end: date) -> pl.DataFrame:
        """Return the rows of a table without a method of its own; of a day that is refused there are none."""
        return self._checked(table, self._source.rows(table, start, end), days_apart=TABLES[table].by_day)

    def _checked(self, name: str, frame: pl.DataFrame, *, days_apart: bool = False) -> pl.DataFrame:
        """Return the rows that may be stored; with `days_apart` a refused day does not end the load of the others.

        Raises:
            SourceChanged: Two different rows share a key, or so many rows break a rule that none can be trusted.
        """
        table = TABLES[name]
        if _PREV_CLOSE in table.dtypes:
            frame = frame.with_columns(pl.when(pl.col(_PREV_CLOSE) != 0).then(pl.col(_PREV_CLOSE)).alias(_PREV_CLOSE))
        checked: CheckedFrame = check(table, once(name, frame, self.name))
        if checked.refused and not days_apart:
            raise SourceChanged(f"{self.name}: {name} refused. {'; '.join(checked.refused.values())}.")
        if checked.faults or checked.refused:
            found = self._findings.setdefault(name, RejectedRows())
            found.faults += checked.faults
            found.refused |= {day: reason for day, reason in checked.refused.items() if day is not None}
        return checked.rows


def once(name: str, frame: pl.DataFrame, source: str) -> pl.DataFrame:
    """Return a frame without repeated rows; a row that comes twice counts once.

    Raises:
        SourceChanged: Two rows share a key and differ; the message shows both.
    """
    table = TABLES[name]
    if not _repeats(frame, table.key):
        return frame
    frame = frame.unique(maintain_order=True)
    twice = frame.filter(pl.struct(table.key).is_duplicated())
    if twice.is_empty():
        return frame
    first = twice.row(0, named=True)
    same = twice.filter(
        pl.all_horizontal(pl.col(key).eq_missing(pl.lit(first[key], table.dtypes[key])) for key in table.key)
    )
    differing = [column for column in same.columns if same[column].n_unique() > 1]
    shown = " and ".join(str(row) for row in same.select(differing).head(2).to_dicts())
    raise SourceChanged(
        f"{source} holds different {name} rows for {', '.join(f'{key} {first[key]}' for key in table.key)}: {shown}; "
        f"keep only one of them{f' ({twice.height:,} such rows in all)' if twice.height > 2 else ''}."
    )


def set_aside(source: MarketSource, table: str) -> RejectedRows:
    """Return the findings of a source since this was last asked; none of a source that is not checked."""
    return source.findings(table) if isinstance(source, CheckedSource) else RejectedRows()


def _repeats(frame: pl.DataFrame, key: Sequence[str]) -> bool:
    """Say whether a key comes twice; of rows in order of a key this costs no hash table."""
    for order in (key, key[::-1]):
        names = list(order)
        rises = pl.lit(value=False)
        for name in reversed(names):
            now, last = pl.col(name).slice(1), pl.col(name).slice(0, pl.len() - 1)
            rises = (now > last) | ((now == last) & rises)
        if frame.height < 2 or frame.select(rises.all()).item():
            return False
    return bool(frame.select(pl.struct(key).is_duplicated().any()).item())
