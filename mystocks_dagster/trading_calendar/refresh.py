"""Refresh of the trading calendar from a data source."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from mystocks_dagster.errors import MyStocksError, NotOffered, SourceError
from mystocks_dagster.excerpts import abbreviate
from mystocks_dagster.market.calendar import published
from mystocks_dagster.market.clock import SHANGHAI, now
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile import atomic_files
from mystocks_dagster.trading_calendar import in_force, record, shared
from mystocks_dagster.trading_calendar.record import Record
from mystocks_dagster.trading_calendar.statement import Statement

#: A source is asked daily when the calendar has at most so many days left, else weekly.
NEAR_DAYS = 60
_WEEK = timedelta(days=7)
#: Least time between a failed request and the next one.
_RETRY = timedelta(hours=6)


class CalendarSource(Protocol):
    """A data source that may state trading days.

    Attributes:
        name: As written in `data_source`.
        world: `real` or simulated; a simulated source uses the days of the calendar in force.
    """

    name: str
    world: str

    def trading_days(self) -> list[date]:
        """Return the trading days, ascending; raise `NotOffered` when the source has none."""
        ...


@dataclass(frozen=True, kw_only=True)
class RefreshResult:
    """The result of a refresh.

    Attributes:
        changed: Whether the calendar in force has changed.
        asked: Whether the source offers trading days at all.
        message: What happened, for people.
        error: Why the refresh failed; empty when it succeeded.
    """

    changed: bool
    asked: bool = True
    message: str
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the fields of `--json`."""
        return {"changed": self.changed, "asked": self.asked, "message": self.message, "error": self.error}


def due(moment: datetime | None = None) -> bool:
    """Return whether a refresh is due: daily from 60 days before the calendar's end, else weekly."""
    known, moment = in_force.in_force(), moment or now()
    asked = known.record.asked_at
    if asked is None or asked > moment or (known.record.error and moment - asked >= _RETRY):
        return True
    if known.calendar.coverage_days_left(moment) > NEAR_DAYS:
        return moment - asked >= _WEEK
    return asked.astimezone(SHANGHAI).date() < moment.astimezone(SHANGHAI).date()


def refresh(source: CalendarSource, settings: Settings) -> RefreshResult:
    """Fetch trading days from a source, and store them if they agree with the published calendar.

    The calendar never becomes shorter. A source that fails, states nothing or contradicts the published calendar is
    reported in the result, not raised.

    Raises:
        SettingsError: The instance's folder cannot be written.
    """
    if source.world != "real":
        message = (
            f"{source.name} generates prices, not a calendar; "
            "name a live source, such as: mystocks calendar --refresh --source akshare"
        )
        return RefreshResult(changed=False, asked=False, message=message)
    shared.fetch(settings)
    before = in_force.in_force()
    try:
        days = source.trading_days()
    except NotOffered as error:
        return RefreshResult(changed=False, asked=False, message=str(error))
    except SourceError as error:
        answer = _Answer(error=str(error))
    else:
        answer = _validated(source.name, days)
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    with atomic_files.locked(record.path_of(settings)):
        kept = _stored(settings)
        new = _with_answer(kept, source.name, answer)
        record.write(settings, new)
    in_force.clear_cache()
    shared.publish(settings)
    after = in_force.in_force()
    changed = after.calendar != before.calendar
    if answer.error:
        return RefreshResult(changed=changed, message=f"{source.name}: {answer.error}", error=answer.error)
    last = after.calendar.last
    reach = f"The calendar now reaches to {last}." if changed else f"The calendar reaches to {last}."
    stated = f"{source.name} states trading days to {answer.statement.last}. " if answer.statement else ""
    return RefreshResult(changed=changed, message=f"{stated}{reach}")


def refresh_when_due(source: CalendarSource, settings: Settings) -> RefreshResult | None:
    """Refresh from a live source when that is due, else return None; raise nothing, so that no task fails for it."""
    try:
        return refresh(source, settings) if source.world == "real" and due() else None
    except MyStocksError as error:
        return RefreshResult(changed=False, message=str(error), error=str(error))


@dataclass(frozen=True)
class _Answer:
    statement: Statement | None = None
    error: str = ""
    refused_until: date | None = None


def _validated(name: str, days: list[date]) -> _Answer:
    known = published()
    if not days:
        return _Answer(error=f"{name} states no trading day")
    statement = Statement.of(days).joined_to(known)
    if contradictions := statement.contradictions(known):
        error = f"it contradicts the published calendar about {abbreviate(contradictions, 5)}, so it is not used"
        return _Answer(error=error, refused_until=statement.last)
    if fault := next(statement.faults(known), None):
        return _Answer(error=f"{fault}, so it is not used", refused_until=statement.last)
    return _Answer(statement)


def _with_answer(kept: Record, name: str, answer: _Answer) -> Record:
    moment = now().replace(microsecond=0)
    asked = replace(kept, asked=name, asked_at=moment, error=answer.error)
    if answer.error:
        if answer.refused_until is None:
            return asked
        return replace(asked, refused_since=kept.refused_since or moment, refused_until=answer.refused_until)
    asked = replace(asked, refused_since=None, refused_until=None)
    stated, old = answer.statement, kept.statement
    if stated is None or stated.last <= published().last:
        return asked
    beyond = {day for day in stated.days if day > published().last}
    last, first = stated.last, max(stated.first, published().last + timedelta(days=1))
    if old and old.last > stated.last:
        # The newest statement replaces the old one up to its own end; later days of the old one stay.
        beyond |= {day for day in old.days if day > stated.last}
        last = old.last
    return replace(asked, source=name, fetched_at=moment, first=first, last=last, days=tuple(sorted(beyond)))


def _stored(settings: Settings) -> Record:
    try:
        return record.read(settings)
    except record.Damaged:
        return Record()
