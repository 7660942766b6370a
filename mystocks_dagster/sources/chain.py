"""Several sources in order of preference, of which the next is asked for what the one before lacks."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, time
from functools import cached_property
from typing import Any, TypeVar

import polars as pl

from mystocks_dagster.errors import MyStocksError, NotOffered, SettingsError, SourceError, SourceUnavailable, TaskFailed
from mystocks_dagster.market import clock
from mystocks_dagster.settings import Settings
from mystocks_dagster.source_choice import AUTO
from mystocks_dagster.sources.checked import CheckedSource, RejectedRows
from mystocks_dagster.sources.deliveries import Deliveries
from mystocks_dagster.sources.preference import chosen, left_out, preferred, ready
from mystocks_dagster.sources.protocol import FlowKind, MarketSource, QuoteTable, StatementTable
from mystocks_dagster.sources.registry import declarations, open_source

T = TypeVar("T")


class ChainedSource:
    """A source that consists of others of one world, its members.

    A member that fails, is banned or does not offer a table is followed by the next one; `deliveries` says who gave
    what, and why the others did not. `members_of` is the interface for a caller that stores parts of an answer and asks
    the next member for the rest, such as single symbols of a day.

    Attributes:
        name: The names of the members, separated by commas.
        world: That of the members.
        members: The sources in the order that the user named.
        deliveries: Who gave what since the source was opened.
    """

    def __init__(self, members: Sequence[CheckedSource], *, automatic: bool = False) -> None:
        """Join `members`; this sends no request.

        Args:
            members: The sources, the preferred one first.
            automatic: Each table has its own order, that of `sources.preference`.

        Raises:
            SettingsError: The members are of different worlds.
        """
        worlds = {member.world: member.name for member in members}
        if len(worlds) > 1:
            first, second = list(worlds.values())[:2]
            raise SettingsError(f"{first} and {second} are of different worlds, whose data are never mixed.")
        self.members = tuple(members)
        self.name = ", ".join(member.name for member in members)
        self.world = members[0].world
        self.deliveries = Deliveries()
        self._automatic = automatic
        self._unread: dict[str, MyStocksError] = {}

    @cached_property
    def offers(self) -> frozenset[str]:
        """The tables that at least one member can fill."""
        return frozenset().union(*(self._offers(member) for member in self.members))

    @cached_property
    def has_history(self) -> bool:
        """Whether a member has bars of past days for the whole market."""
        return any(member.has_history for member in self.members_of("daily_bars"))

    @property
    def requests(self) -> dict[str, dict[str, int]]:
        """Number of requests by upstream host, of all members."""
        return {host: count for member in self.members for host, count in getattr(member, "requests", {}).items()}

    @property
    def notes(self) -> tuple[str, ...]:
        """The members' remarks for the user."""
        return tuple(note for member in self.members for note in getattr(member, "notes", ()))

    def members_of(self, table: str, day: date | None = None) -> list[CheckedSource]:
        """Return the members that offer a table, in the order in which they are asked.

        Args:
            table: Name of the table.
            day: The trading day that is requested. A member that has it later today is left out, unless all have.
        """
        members = [member for member in self.members if table in self._offers(member)]
        if self._automatic:
            order = preferred(table, [member.name for member in members])
            members.sort(key=lambda member: order.index(member.name))
        late = {member.name: ready for member in members if (ready := late_until(member, table, day))}
        if len(late) == len(members):
            return members
        for name, ready in late.items():
            self.deliveries.failed(table, name, f"{day} is complete there from {ready:%H:%M} on")
        return [member for member in members if member.name not in late]

    def findings(self, table: str) -> RejectedRows:
        """Return the findings of all members in `table` since the last call, and clear them."""
        found = [member.findings(table) for member in self.members]
        faults = [fault for findings in found for fault in findings.faults]
        return RejectedRows(faults, {day: reason for findings in found for day, reason in findings.refused.items()})

    def bar_days(self) -> tuple[date, date]:
        """Return the first and the last day for which a member has bars.

        Raises:
            NotOffered: No member has bars.
            SourceError: No member can say it.
        """
        spans, failures = [], list[MyStocksError]()
        for member in self.members_of("daily_bars"):
            try:
                spans.append(member.bar_days())
            except SourceError as error:
                failures.append(error)
        if not spans:
            raise self._failure("daily_bars", failures)
        return min(first for first, _ in spans), max(last for _, last in spans)

    def trading_days(self) -> list[date]:
        """Return the trading days of the first member that states some."""
        return self.first("trading_calendar", lambda member: member.trading_days(), members=self.members)

    def daily_bars(self, days: Sequence[date], symbols: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield bars of each day from the first member that has the day; not in order of days over all members."""
        open_days, failures = set(days), list[MyStocksError]()
        for member in self.members_of("daily_bars"):
            if not open_days:
                return
            try:
                for frame in member.daily_bars(sorted(open_days), symbols):
                    open_days -= set(frame["date"].unique())
                    yield frame
            except SourceError as error:
                failures.append(error)
                self.deliveries.failed("daily_bars", member.name, str(error))
        if failures and len(open_days) == len(set(days)):
            raise self._failure("daily_bars", failures)

    def stocks(self, *, include_delisted: bool) -> pl.DataFrame:
        """Return the stock list of the first member that has one."""
        return self.first("stocks", lambda member: member.stocks(include_delisted=include_delisted))

    def statements(self, table: StatementTable, periods: Sequence[date]) -> pl.DataFrame:
        """Return the statements of the first member that has some."""
        return self.first(table, lambda member: member.statements(table, periods))

    def corporate_actions(self, start: date, end: date) -> pl.DataFrame:
        """Return the distributions of the first member that answers."""
        return self.first("corporate_actions", lambda member: member.corporate_actions(start, end))

    def quotes(self, table: QuoteTable) -> pl.DataFrame:
        """Return the snapshot of the first member that has one."""
        return self.first(table, lambda member: member.quotes(table))

    def longhubang(self, start: date, end: date) -> pl.DataFrame:
        """Return the rows of the first member that answers."""
        return self.first("longhubang", lambda member: member.longhubang(start, end), day=end)

    def capital_flow(self, kind: FlowKind, day: date) -> pl.DataFrame:
        """Return the capital flow of the first member that has the day."""
        return self.first(f"capital_flow_{kind}", lambda member: member.capital_flow(kind, day), day=day)

    def rows(self, table: str, start: date, end: date) -> pl.DataFrame:
        """Return the rows of the first member that answers."""
        return self.first(table, lambda member: member.rows(table, start, end), day=end)

    def first(
        self,
        table: str,
        work: Callable[[CheckedSource], T],
        *,
        day: date | None = None,
        enough: Callable[[T], str | None] = lambda _: None,
        members: Sequence[CheckedSource] | None = None,
    ) -> T:
        """Return the result of `work` for the first member with which it succeeds.

        Args:
            table: The table that is requested.
            work: Requests rows from a member, and may check and store them.
            day: The trading day that is requested, see `members_of`.
            enough: Returns why a result is not enough, so that the next member is asked too; None if it is. If no
                other member succeeds, the last such result is returned.
            members: The members to ask; None means those that offer the table.

        Raises:
            NotOffered: No member offers the table.
            SourceError, TaskFailed: All members failed; the message has each reason.
        """
        failures: list[MyStocksError] = []
        poor: list[T] = []
        for member in self.members_of(table, day) if members is None else members:
            try:
                result = work(member)
            except (SourceError, TaskFailed) as error:
                failures.append(error)
                member.findings(table)  # rows of a failed answer are not set aside
                if not isinstance(error, NotOffered):
                    self.deliveries.failed(table, member.name, str(error))
                continue
            if why := enough(result):
                poor.append(result)
                self.deliveries.failed(table, member.name, why)
                continue
            self.deliveries.gave(table, member.name)
            return result
        if poor:
            return poor[-1]
        raise self._failure(table, failures)

    def _offers(self, member: CheckedSource) -> frozenset[str]:
        """Return what a member offers: nothing if its files cannot be read, which `deliveries` then says."""
        try:
            return member.offers
        except (SourceError, SettingsError) as error:
            self._unread[member.name] = error
            self.deliveries.left_out(member.name, str(error))
            return frozenset()

    def _failure(self, table: str, failures: Sequence[MyStocksError]) -> MyStocksError:
        """Return the error for a table that no member gave: retryable if one of the errors is."""
        # A member whose files cannot be read may have the table: that nobody offers it would be a guess.
        failures = [*failures, *self._unread.values()]
        if len(failures) == 1:
            return failures[0]
        if all(isinstance(error, NotOffered) for error in failures):
            reasons = " ".join(str(error) for error in failures)
            return NotOffered(reasons or f"None of {self.name} has {table}.")
        known = [error for error in failures if not isinstance(error, NotOffered)]
        worst = next((error for error in known if error.retryable), known[0])
        kind = SourceUnavailable if isinstance(worst, SourceUnavailable) else type(worst)
        return kind(f"No source gave {table}. {' '.join(str(error) for error in failures)}")


def open_sources(choice: str | Sequence[str] | None, settings: Settings) -> CheckedSource | ChainedSource:
    """Open the chosen sources without a network call; their rows are checked against the rules of their tables.

    Args:
        choice: A name, several in order of preference, `auto`, or None for the default source.
        settings: The project's settings.

    Raises:
        UnknownName: A source does not exist.
        SettingsError: A setting of a source is missing or invalid, or real and simulated data would be mixed. With
            `auto`, a source that cannot be opened is left out; `deliveries` says it, unless it is not set up.
    """
    names = chosen(choice)
    automatic = names == (AUTO,)
    opened = ready(settings) if automatic else names or (None,)
    members = [CheckedSource(open_source(name, settings)) for name in opened]
    if len(members) == 1 and not automatic:
        return members[0]
    source = ChainedSource(members, automatic=automatic)
    for name, reason in (left_out(settings) if automatic else {}).items():
        source.deliveries.left_out(name, reason)
    return source


def members_of(source: MarketSource, table: str, day: date | None = None) -> Sequence[MarketSource]:
    """Return the sources to ask for a table in order; a source that is not chained is the only one."""
    return source.members_of(table, day) if isinstance(source, ChainedSource) else (source,)


def first_of(
    source: MarketSource,
    table: str,
    work: Callable[[Any], T],
    *,
    day: date | None = None,
    enough: Callable[[T], str | None] = lambda _: None,
) -> T:
    """Return the result of `work` for the first member of a source with which it succeeds; see `ChainedSource.first`.

    A source that is not chained is the only one, and its errors are raised as they are.
    """
    return source.first(table, work, day=day, enough=enough) if isinstance(source, ChainedSource) else work(source)


def late_until(source: MarketSource, table: str, day: date | None) -> time | None:
    """Return the time from which the source has that day of the table, if that is later today; else None."""
    moment = clock.now()
    declaration = declarations().get(source.name)
    if declaration is None or day != moment.date():
        return None
    times = [offer.published or time.min for offer in declaration.offers_of(table) if offer.unit != "symbol"]
    ready = min(times, default=time.min)
    return ready if moment.time() < ready else None
