"""Asking a data source for the trading days that it knows."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from mystocks_dagster.errors import MyStocksError, NotOffered, SourceError
from mystocks_dagster.market.calendar import published
from mystocks_dagster.market.clock import SHANGHAI, now
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile import atomic_files
from mystocks_dagster.trading_calendar import in_force, record, shared
from mystocks_dagster.trading_calendar.record import Record
from mystocks_dagster.trading_calendar.statement import Statement, listed

#: From so many days before its end the calendar is asked for daily, before that weekly.
NEAR_DAYS = 60
_WEEK = timedelta(days=7)
#: A question without an answer is asked again no sooner.
_RETRY = timedelta(hours=6)


class StatesDays(Protocol):
    """A data source that states trading days.

    Attributes:
        name: As written in `data_source`.
        world: `real`, or a simulated one, whose days are those of the calendar in force.
    """

    name: str
    world: str

    def trading_days(self) -> list[date]:
        """Return the trading days that it states, ascending; raises `NotOffered` when it states none."""
        ...


@dataclass(frozen=True, kw_only=True)
class Refreshed:
    """What came of a refresh.

    Attributes:
        changed: Whether another calendar is in force than before.
        asked: Whether the source states days at all.
        message: What happened, for people.
        error: Why there was no result; empty when there was one.
    """

    changed: bool
    asked: bool = True
    message: str
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` shows it."""
        return {"changed": self.changed, "asked": self.asked, "message": self.message, "error": self.error}


def due(moment: datetime | None = None) -> bool:
    """Say whether a source is to be asked now: once a day from 60 days before the calendar's end, else once a week."""
    known, moment = in_force.in_force(), moment or now()
    asked = known.record.asked_at
    if asked is None or asked > moment or (known.record.error and moment - asked >= _RETRY):
        return True
    if known.calendar.coverage_days_left(moment) > NEAR_DAYS:
        return moment - asked >= _WEEK
    return asked.astimezone(SHANGHAI).date() < moment.astimezone(SHANGHAI).date()


def refresh(source: StatesDays, settings: Settings) -> Refreshed:
    """Ask the source, and keep what it states where it agrees with what is published; what is known is never shortened.

    A source that fails, states nothing or contradicts the published calendar is an error of the result, not raised.

    Raises:
        SettingsError: The instance's folder cannot be written.
    """
    if source.world != "real":
        told = f"{source.name} makes up prices, no calendar; name a live source, such as: mystocks calendar --refresh --source akshare"
        return Refreshed(changed=False, asked=False, message=told)
    shared.fetch(settings)
    before = in_force.in_force()
    try:
        days = source.trading_days()
    except NotOffered as error:
        return Refreshed(changed=False, asked=False, message=str(error))
    except SourceError as error:
        answer = _Answer(error=str(error))
    else:
        answer = _judged(source.name, days)
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    with atomic_files.locked(record.path_of(settings)):
        kept = _stored(settings)
        new = _with_answer(kept, source.name, answer)
        record.write(settings, new)
    in_force.look_again()
    shared.publish(settings)
    after = in_force.in_force()
    changed = after.calendar != before.calendar
    if answer.error:
        return Refreshed(changed=changed, message=f"{source.name}: {answer.error}", error=answer.error)
    told = f"{source.name} states trading days to {answer.statement.last}" if answer.statement else ""
    return Refreshed(
        changed=changed,
        message=f"{told}; the calendar {'now reaches' if changed else 'reaches'} to {after.calendar.last}.",
    )


def refresh_when_due(source: StatesDays, settings: Settings) -> Refreshed | None:
    """Ask a live source when one is to be asked now; None when not. Nothing is raised: no work fails because of the calendar."""
    try:
        return refresh(source, settings) if source.world == "real" and due() else None
    except MyStocksError as error:
        return Refreshed(changed=False, message=str(error), error=str(error))


@dataclass(frozen=True)
class _Answer:
    statement: Statement | None = None
    error: str = ""
    refused_until: date | None = None


def _judged(name: str, days: list[date]) -> _Answer:
    known = published()
    if not days:
        return _Answer(error=f"{name} states no trading day")
    statement = Statement.of(days).joined_to(known)
    if against := statement.contradictions(known):
        told = f"it contradicts the published calendar about {listed(against)}, so nothing of it is used"
        return _Answer(error=told, refused_until=statement.last)
    if faults := list(statement.faults(known)):
        return _Answer(error=f"{faults[0]}, so nothing of it is used", refused_until=statement.last)
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
        # The newest statement counts as far as it reaches; what was stated beyond stays.
        beyond |= {day for day in old.days if day > stated.last}
        last = old.last
    return replace(asked, source=name, fetched_at=moment, first=first, last=last, days=tuple(sorted(beyond)))


def _stored(settings: Settings) -> Record:
    try:
        return record.read(settings)
    except record.Damaged:
        return Record()
