"""Corporate actions: the second witness of what happened between two stored bars."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import polars as pl

from mystocks_dagster.errors import ContractBroken, NotOffered, SourceError
from mystocks_dagster.lake.doubts import doubts
from mystocks_dagster.lake.events import derive_unknown
from mystocks_dagster.lake.loads import record_days, was_loaded
from mystocks_dagster.lake.quarantine import keys_of, waits
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS
from mystocks_dagster.sources.checked import RejectedRows, take_findings
from mystocks_dagster.sources.protocol import MarketSource
from mystocks_dagster.tasks.findings import nothing_sound, stored_result
from mystocks_dagster.tasks.run import TaskResult, TaskRun

#: Ex-dividend days that are asked for when no window is given.
_YEAR = timedelta(days=366)


def sync_actions(
    source: MarketSource, lake: Lake, day: date, *, start: date | None, end: date | None, force: bool
) -> TaskResult:
    """Fetch and store corporate actions, and derive the ratios that they explain.

    Args:
        source: Where they come from.
        lake: Where they go.
        day: The latest closed trading day; without a window they are fetched once for it.
        start: First ex-dividend day; None is a year before the end.
        end: Last ex-dividend day; None is `day`.
        force: Fetch again what was fetched for `day`.

    Raises:
        NotOffered: The source has none.
        SourceError: It failed.
    """
    if "corporate_actions" not in source.offers:
        raise NotOffered(f"{source.name} has no corporate_actions.")
    asked = bool(start or end)
    if not (asked or force) and was_loaded(lake, "corporate_actions", day):
        return TaskResult(
            status="skipped", message=f"The corporate actions of the year up to {day} are stored already."
        )
    last = end or day
    frame, found = source.corporate_actions(start or last - _YEAR, last), take_findings(source, "corporate_actions")
    if frame.is_empty() and found.faults:
        raise nothing_sound("corporate_actions", found, source.name)
    rows = lake.upsert("corporate_actions", frame)
    if not asked:
        record_days(lake, "corporate_actions", {day: rows}, source=source.name)
    settled = derive_unknown(lake)
    known = f" {settled:,} ratios became known." if settled else ""
    message = f"Corporate actions: {rows:,} from {start or last - _YEAR} to {last} from {source.name}.{known}"
    result = TaskResult(message=message, rows={"corporate_actions": rows, "adjust_events": settled})
    again = {"start_date": f"{start or last - _YEAR}", "end_date": f"{last}"}
    return stored_result(result, lake, "corporate_actions", found, _waiting(lake, frame), source.name, again)


def _waiting(lake: Lake, frame: pl.DataFrame) -> Sequence[str]:
    """Return the keys of stored rows whose quarantined versions are mended by them."""
    return keys_of(frame, CORPORATE_ACTIONS.key) if waits(lake, "corporate_actions") else ()


@dataclass(frozen=True)
class Asked:
    """What came of asking for corporate actions beside another load.

    Attributes:
        settled: The number of ratios that became known.
        found: What was set aside.
        keys: Keys of stored rows whose quarantined versions are mended.
        failure: Why nothing came; empty when something did, or nothing was asked.
    """

    settled: int = 0
    found: RejectedRows = field(default_factory=RejectedRows)
    keys: Sequence[str] = ()
    failure: str = ""

    def told(self, result: TaskResult, lake: Lake, source: str) -> TaskResult:
        """Return the result of that load with what was set aside here, which goes into the quarantine, or with the failure."""
        if self.failure:
            result = replace(result, message=f"{result.message} {self.failure}".strip())
        return stored_result(result, lake, "corporate_actions", self.found, self.keys, source, {})


def ask_about_doubts(source: MarketSource, lake: Lake, day: date, run: TaskRun) -> Asked:
    """Ask the source for the corporate actions around unknown ratios, a live one once a trading day; a failure stops nothing."""
    asked = not source.has_history and was_loaded(lake, "corporate_actions", day, completely=False)
    if asked or "corporate_actions" not in source.offers:
        return Asked()
    unsure = [doubt for doubt in doubts(lake) if doubt.missing]
    if not unsure:
        return Asked()
    start = min(doubt.missing[0] for doubt in unsure)
    # A live source is asked for what is recent: each report period costs it some requests.
    start = start if source.has_history else max(start, day - _YEAR)
    try:
        frame = source.corporate_actions(start, max(doubt.day for doubt in unsure))
        rows = lake.upsert("corporate_actions", frame)
    except (SourceError, ContractBroken) as error:
        failure = f"Corporate actions could not be fetched: {error}"
        run.logger.warning(failure)
        return Asked(found=take_findings(source, "corporate_actions"), failure=failure)
    record_days(lake, "corporate_actions", {day: rows}, source=source.name, incomplete=(day,))
    settled = derive_unknown(lake)
    run.logger.info("%d corporate actions fetched; %d ratios became known", rows, settled)
    return Asked(settled, take_findings(source, "corporate_actions"), _waiting(lake, frame))
