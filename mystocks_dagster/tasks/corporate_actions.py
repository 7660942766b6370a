"""Fetch corporate actions: independent evidence of what happened between two stored bars."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import polars as pl

from mystocks_dagster.errors import ContractBroken, NotOffered, SourceError
from mystocks_dagster.lake.action_check import check_actions, known_action_days
from mystocks_dagster.lake.doubts import find_doubts
from mystocks_dagster.lake.events import derive_unknown
from mystocks_dagster.lake.loads import record_days, was_loaded
from mystocks_dagster.lake.previous_closes import fill_previous_closes
from mystocks_dagster.lake.quarantine import has_quarantined_rows, keys_of
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS
from mystocks_dagster.sources.chain import first_of, members_of
from mystocks_dagster.sources.checked import RejectedRows, take_findings
from mystocks_dagster.sources.protocol import MarketSource
from mystocks_dagster.tags import State
from mystocks_dagster.tasks.findings import no_valid_rows, stored_result
from mystocks_dagster.tasks.run import TaskResult, TaskRun

#: Span of ex-dividend days that is requested without a window.
_YEAR = timedelta(days=366)


def sync_actions(
    source: MarketSource, lake: Lake, day: date, *, start: date | None, end: date | None, force: bool
) -> TaskResult:
    """Fetch and store corporate actions, and derive the ratios that they explain.

    Args:
        source: The source.
        lake: The lake to write to.
        day: The latest closed trading day; without a window, actions are fetched once per such day.
        start: First ex-dividend day; None is a year before the end.
        end: Last ex-dividend day; None is `day`.
        force: Fetch again what was fetched for `day`.

    Raises:
        NotOffered: The source has no corporate actions.
        SourceError: The source failed.
    """
    if "corporate_actions" not in source.offers:
        raise NotOffered(f"{source.name} has no corporate_actions.")
    has_window = bool(start or end)
    if not (has_window or force) and was_loaded(lake, "corporate_actions", day):
        return TaskResult(
            status="skipped", message=f"The corporate actions of the year up to {day} are already stored."
        )
    last = end or day
    frame, rejected = source.corporate_actions(start or last - _YEAR, last), take_findings(source, "corporate_actions")
    if frame.is_empty() and rejected.faults:
        raise no_valid_rows("corporate_actions", rejected, source.name)
    rows = lake.upsert("corporate_actions", frame)
    checked = _record(lake, frame, start or last - _YEAR, last, source.name, latest=day)
    settled = derive_unknown(lake)
    filled = fill_previous_closes(lake, checked)
    compared = check_actions(lake, checked)
    known = f" {settled:,} adjustment ratios became known." if settled else ""
    known += f" {filled:,} previous closes were computed from them." if filled else ""
    known += describe_differences(compared.open)
    message = f"Corporate actions: {rows:,} from {start or last - _YEAR} to {last} from {source.name}.{known}"
    result = TaskResult(message=message, rows={"corporate_actions": rows, "adjust_events": settled} | compared.rows)
    retry = {"start_date": f"{start or last - _YEAR}", "end_date": f"{last}"}
    keys = _quarantined_keys(lake, frame)
    return stored_result(result, lake, "corporate_actions", rejected, keys, source.name, retry)


def sync_actions_with_witness(
    source: MarketSource, lake: Lake, day: date, *, start: date | None, end: date | None, force: bool
) -> TaskResult:
    """Sync the actions from the first of several sources that answers, and from the next one as their witness.

    Where the two state an action differently, or one of them lacks it, `check_actions` and `compare_sources` say so. A
    witness that fails is named in the result, and the actions of the first source stay. Arguments and errors are those
    of `sync_actions`.
    """
    members, asked = list(members_of(source, "corporate_actions")), list[str]()

    def sync(member: MarketSource) -> TaskResult:
        asked.append(member.name)
        return sync_actions(member, lake, day, start=start, end=end, force=force)

    result = first_of(source, "corporate_actions", sync)
    later = [member for member in members if member.name not in asked]
    if result.status == State.SKIPPED or not later:
        return result
    last = end or day
    return _add_witness(result, asked[-1], later[0], lake, (start or last - _YEAR, last))


def _add_witness(
    result: TaskResult, giver: str, witness: MarketSource, lake: Lake, span: tuple[date, date]
) -> TaskResult:
    """Store what a second source states of the same days, and return the result with what it contradicts."""
    try:
        rows = lake.upsert("corporate_actions", witness.corporate_actions(*span))
    except (NotOffered, SourceError, ContractBroken) as error:
        return replace(result, message=f"{result.message} No second source: {witness.name}: {error}")
    rejected = take_findings(witness, "corporate_actions")
    days = [known for known in known_action_days(lake) if span[0] <= known <= span[1]]
    compared = check_actions(lake, days)
    message = f"{result.message} {witness.name} witnesses them with {rows:,} of its own."
    if (text := describe_differences(compared.open)) not in message:
        message += text
    counts = {**result.rows, "corporate_actions": result.rows.get("corporate_actions", 0) + rows}
    merged = replace(result, message=message, rows=counts | compared.rows)
    retry = {"start_date": f"{span[0]}", "end_date": f"{span[1]}"}
    return stored_result(merged, lake, "corporate_actions", rejected, (), f"{giver}, {witness.name}", retry)


def _record(lake: Lake, frame: pl.DataFrame, start: date, end: date, source: str, *, latest: date) -> list[date]:
    """Record the trading days whose actions are known now, and return them.

    Args:
        lake: The lake.
        frame: The fetched actions.
        start: First requested ex-dividend day.
        end: Last requested ex-dividend day.
        source: Name of the source.
        latest: The latest closed day. It is recorded only if a whole year up to it was requested, which is then not
            requested again on that day.
    """
    counts = dict(frame.group_by("ex_date").agg(pl.len()).iter_rows())
    calendar = shanghai()
    first, last = max(start, calendar.first), min(end, calendar.last)
    days = {day: counts.get(day, 0) for day in (calendar.sessions(first, last) if first <= last else [])}
    if end >= latest and start <= end - _YEAR:
        days[latest] = frame.height
    elif not was_loaded(lake, "corporate_actions", latest):
        days.pop(latest, None)
    if days:
        record_days(lake, "corporate_actions", days, source=source)
    return sorted(days)


def describe_differences(differing: int) -> str:
    """Return a sentence about open differences between prices and actions; empty if there is none."""
    if not differing:
        return ""
    return (
        f" Prices and corporate actions contradict each other in {differing:,} "
        f"{'case' if differing == 1 else 'cases'}; list and decide them: mystocks data actions."
    )


def _quarantined_keys(lake: Lake, frame: pl.DataFrame) -> Sequence[str]:
    """Return the keys of stored rows, which replace quarantined rows of the same key."""
    return keys_of(frame, CORPORATE_ACTIONS.key) if has_quarantined_rows(lake, "corporate_actions") else ()


@dataclass(frozen=True)
class FetchedActions:
    """Corporate actions that were fetched along with another load.

    Attributes:
        settled: The number of ratios that became known.
        rejected: Rows that were set aside.
        keys: Keys of stored rows, which replace quarantined rows of the same key.
        failure: Why the request failed; empty when it succeeded or was not made.
    """

    settled: int = 0
    rejected: RejectedRows = field(default_factory=RejectedRows)
    keys: Sequence[str] = ()
    failure: str = ""

    def add_to(self, result: TaskResult, lake: Lake, source: str) -> TaskResult:
        """Quarantine the rejected rows; return the result of the other load with them, or with the failure."""
        if self.failure:
            result = replace(result, message=f"{result.message} {self.failure}".strip())
        return stored_result(result, lake, "corporate_actions", self.rejected, self.keys, source, {})


def fetch_actions_for_doubts(source: MarketSource, lake: Lake, day: date, run: TaskRun) -> FetchedActions:
    """Fetch the corporate actions around unknown ratios, from a live source once per trading day.

    A failure of the source is reported in the result, not raised.
    """
    already_asked = not source.has_history and was_loaded(lake, "corporate_actions", day, completely=False)
    if already_asked or "corporate_actions" not in source.offers:
        return FetchedActions()
    answerable = [doubt for doubt in find_doubts(lake) if doubt.missing]
    if not answerable:
        return FetchedActions()
    start = min(doubt.missing[0] for doubt in answerable)
    # Only recent actions are requested from a live source: each report period costs it several requests.
    start = start if source.has_history else max(start, day - _YEAR)
    try:
        frame = source.corporate_actions(start, max(doubt.day for doubt in answerable))
        rows = lake.upsert("corporate_actions", frame)
    except (SourceError, ContractBroken) as error:
        failure = f"Corporate actions could not be fetched: {error}"
        run.logger.warning(failure)
        return FetchedActions(rejected=take_findings(source, "corporate_actions"), failure=failure)
    record_days(lake, "corporate_actions", {day: rows}, source=source.name, incomplete=(day,))
    settled = derive_unknown(lake)
    run.logger.info("%d corporate actions fetched; %d ratios became known", rows, settled)
    return FetchedActions(settled, take_findings(source, "corporate_actions"), _quarantined_keys(lake, frame))


def fetch_actions_from_first(source: MarketSource, lake: Lake, day: date, run: TaskRun) -> FetchedActions:
    """Fetch the corporate actions around unknown ratios from the first of several sources that answers."""
    fetched = FetchedActions()
    for member in members_of(source, "corporate_actions"):
        fetched = fetch_actions_for_doubts(member, lake, day, run)
        if not fetched.failure:
            break
    return fetched
