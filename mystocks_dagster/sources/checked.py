"""Check every source's rows against the value rules of their table before they leave the source layer."""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from types import MappingProxyType
from typing import Any

import polars as pl

from mystocks_dagster.errors import SourceChanged
from mystocks_dagster.market import clock
from mystocks_dagster.market.days_of_rows import are_among, distinct_days
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.value_rules import CheckedFrame, Fault, check
from mystocks_dagster.sources.history import history_of, history_tables
from mystocks_dagster.sources.protocol import FlowKind, MarketSource, Progress, QuoteTable, StatementTable

#: Some sources write 0 for an unknown previous close, such as Sina for Beijing's stocks.
_PREV_CLOSE = "prev_close"


@dataclass
class RejectedRows:
    """The findings of the value rules: rows set aside, and refused days with the reason."""

    faults: list[Fault] = field(default_factory=list)
    refused: dict[date, str] = field(default_factory=dict)


#: The rows to store, and the findings.
_Checked = tuple[pl.DataFrame, RejectedRows]


class CheckedSource:
    """A source whose frames hold only rows that obey the rules; the others are in its findings.

    Attributes:
        name, world, offers, has_history: Those of the wrapped source.
    """

    def __init__(self, source: MarketSource) -> None:
        """Wrap `source`; this sends no request."""
        self._source = source
        self.name, self.world, self.has_history = source.name, source.world, source.has_history
        self._findings: dict[str, RejectedRows] = {}

    def __getattr__(self, name: str) -> Any:
        """Return an attribute that only some sources have, such as `requests`."""
        return getattr(self._source, name)

    @cached_property
    def offers(self) -> frozenset[str]:
        """The tables that the source can fill."""
        return self._source.offers

    @property
    def history_tables(self) -> frozenset[str]:
        """The tables that `history` can yield."""
        return history_tables(self._source)

    def findings(self, table: str) -> RejectedRows:
        """Return the findings in `table` since the last call, and clear them."""
        return self._findings.pop(table, RejectedRows())

    def trading_days(self) -> list[date]:
        """Return the trading days that the source states; `trading_calendar.statement` checks them."""
        return self._source.trading_days()

    def bar_days(self) -> tuple[date, date]:
        """Return the first and the last day of the source's bars."""
        return self._source.bar_days()

    def daily_bars(self, days: Sequence[date], symbols: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield bars, without those of refused days."""
        for frame in self._source.daily_bars(days, symbols):
            yield self._checked("daily_bars", frame, by_day=True)

    def history(
        self,
        tables: Sequence[str],
        start: date,
        end: date,
        *,
        actions: pl.DataFrame | None,
        progress: Progress,
        skip: Mapping[str, Collection[date]] = MappingProxyType({}),
    ) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield the past of `tables` by calendar year, without refused days; the days of `skip` are not checked."""
        bars = skip.get("daily_bars", ())
        past = history_of(self._source, tables, start, end, actions=actions, progress=progress, skip=bars)
        # A bulk source has prepared its next frame: it is checked while the caller stores the one before.
        at_once = 1 if getattr(self._source, "history_tables", None) is not None else 0
        waiting: deque[tuple[str, Future[_Checked]]] = deque()
        with ThreadPoolExecutor(1) as pool:
            for table, frame in past:
                own = self._own_faults(table)
                waiting.append((table, pool.submit(self._check_days, table, frame, skip.get(table, ()), own)))
                while len(waiting) > at_once:
                    yield self._next(waiting)
            while waiting:
                yield self._next(waiting)

    def stocks(self, *, include_delisted: bool) -> pl.DataFrame:
        """Return the stock list."""
        return self._checked("stocks", self._source.stocks(include_delisted=include_delisted))

    def statements(self, table: StatementTable, periods: Sequence[date]) -> pl.DataFrame:
        """Return the statements of `periods`."""
        return self._checked(table, self._source.statements(table, periods))

    def corporate_actions(self, start: date, end: date) -> pl.DataFrame:
        """Return the distributions with ex-dividend days from `start` to `end`."""
        return self._checked("corporate_actions", self._source.corporate_actions(start, end))

    def quotes(self, table: QuoteTable) -> pl.DataFrame:
        """Return one snapshot."""
        return self._checked(table, self._source.quotes(table))

    def longhubang(self, start: date, end: date) -> pl.DataFrame:
        """Return the 龙虎榜 rows from `start` to `end`, without those of refused days."""
        return self._checked("longhubang", self._source.longhubang(start, end), by_day=True)

    def capital_flow(self, kind: FlowKind, day: date) -> pl.DataFrame:
        """Return the capital flow of `day`."""
        return self._checked(f"capital_flow_{kind}", self._source.capital_flow(kind, day))

    def rows(self, table: str, start: date, end: date) -> pl.DataFrame:
        """Return the rows of a table without a method of its own, without those of refused days."""
        return self._checked(table, self._source.rows(table, start, end), by_day=TABLES[table].by_day)

    def _next(self, waiting: deque[tuple[str, Future[_Checked]]]) -> tuple[str, pl.DataFrame]:
        table, checking = waiting.popleft()
        return table, self._keep_findings(table, checking.result())

    def _check_days(self, table: str, frame: pl.DataFrame, skipped: Collection[date], own: Sequence[Fault]) -> _Checked:
        """Check a frame of a table's past, without the days that are skipped."""
        left_out = {*skipped} & {*distinct_days(frame["date"])} if skipped else set()
        wanted = frame.filter(~are_among(frame["date"], left_out)) if left_out else frame
        return self._check(table, wanted, own, by_day=True)

    def _checked(self, name: str, frame: pl.DataFrame, *, by_day: bool = False) -> pl.DataFrame:
        """Return the rows to store, with their provenance, and keep the findings; errors as in `_check`."""
        return self._keep_findings(name, self._check(name, frame, self._own_faults(name), by_day=by_day))

    def _check(self, name: str, frame: pl.DataFrame, own: Sequence[Fault], *, by_day: bool) -> _Checked:
        """Return the rows to store, with their provenance, and the findings.

        With `by_day` only the refused days are left out; otherwise a refusal raises.

        Raises:
            SourceChanged: Two different rows share a key, or so many rows break a rule that the frame is refused.
        """
        table = TABLES[name]
        frame = table.complete(frame)
        if _PREV_CLOSE in table.dtypes:
            frame = frame.with_columns(pl.when(pl.col(_PREV_CLOSE) != 0).then(pl.col(_PREV_CLOSE)).alias(_PREV_CLOSE))
        checked: CheckedFrame = check(table, drop_duplicates(name, frame, self.name))
        if checked.refused and not by_day:
            raise SourceChanged(f"{self.name}: {name} refused. {'; '.join(checked.refused.values())}.")
        refused = {day: reason for day, reason in checked.refused.items() if day is not None}
        rows = table.stamped(checked.rows, self.name, clock.now().replace(microsecond=0))
        return rows, RejectedRows([*own, *checked.faults], refused)

    def _own_faults(self, name: str) -> Sequence[Fault]:
        """Return the rows that the source itself set aside."""
        return getattr(self._source, "take_faults", lambda _: [])(name)

    def _keep_findings(self, name: str, checked: _Checked) -> pl.DataFrame:
        rows, rejected = checked
        if rejected.faults or rejected.refused:
            findings = self._findings.setdefault(name, RejectedRows())
            findings.faults += rejected.faults
            findings.refused |= rejected.refused
        return rows


def drop_duplicates(name: str, frame: pl.DataFrame, source: str) -> pl.DataFrame:
    """Return a frame without duplicate rows.

    Raises:
        SourceChanged: Two rows share a key and differ; the message shows both.
    """
    table = TABLES[name]
    if not _repeats(frame, table.key):
        return frame
    frame = frame.unique(maintain_order=True)
    conflicts = frame.filter(pl.struct(table.key).is_duplicated())
    if conflicts.is_empty():
        return frame
    first = conflicts.row(0, named=True)
    same_key = conflicts.filter(
        pl.all_horizontal(pl.col(key).eq_missing(pl.lit(first[key], table.dtypes[key])) for key in table.key)
    )
    differing = [column for column in same_key.columns if same_key[column].n_unique() > 1]
    examples = " / ".join(
        ", ".join(f"{column} {value}" for column, value in row.items())
        for row in same_key.select(differing).head(2).to_dicts()
    )
    key_text = ", ".join(f"{key} {first[key]}" for key in table.key)
    total = f" ({conflicts.height:,} such rows in all)" if conflicts.height > 2 else ""
    raise SourceChanged(
        f"{source} holds different {name} rows for {key_text}: {examples}; keep only one of them{total}."
    )


def take_findings(source: MarketSource, table: str) -> RejectedRows:
    """Return a source's findings in `table` since the last call; empty if the source is not checked."""
    findings = getattr(source, "findings", None)
    return findings(table) if findings else RejectedRows()


def _repeats(frame: pl.DataFrame, key: Sequence[str]) -> bool:
    """Return whether two rows share a key; rows that are sorted by the key need no hash table."""
    for names in (key, key[::-1]):
        rises = pl.lit(value=False)
        for name in reversed(names):
            current, previous = pl.col(name).slice(1), pl.col(name).slice(0, pl.len() - 1)
            rises = (current > previous) | ((current == previous) & rises)
        if frame.height < 2 or frame.select(rises.all()).item():
            return False
    return bool(frame.select(pl.struct(key).is_duplicated().any()).item())
