"""Corporate actions: the second witness of what happened between two stored bars."""

from datetime import date, timedelta

from mystocks_dagster.errors import NotOffered, SourceError
from mystocks_dagster.lake.doubts import doubts
from mystocks_dagster.lake.events import derive_unknown
from mystocks_dagster.lake.loads import record_days, was_loaded
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.sources.protocol import MarketSource
from mystocks_dagster.tasks.run import TaskResult, TaskRun

#: Ex-dividend days that are asked for when no window is given.
_YEAR = timedelta(days=366)


def sync_actions(source: MarketSource, lake: Lake, day: date, *, start: date | None, end: date | None, force: bool) -> TaskResult:
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
        return TaskResult(status="skipped", message=f"The corporate actions of the year up to {day} are stored already.")
    last = end or day
    rows = lake.upsert("corporate_actions", source.corporate_actions(start or last - _YEAR, last))
    if not asked:
        record_days(lake, "corporate_actions", {day: rows}, source=source.name)
    settled = derive_unknown(lake)
    known = f" {settled:,} ratios became known." if settled else ""
    message = f"Corporate actions: {rows:,} from {start or last - _YEAR} to {last} from {source.name}.{known}"
    return TaskResult(message=message, rows={"corporate_actions": rows, "adjust_events": settled})


def ask_about_doubts(source: MarketSource, lake: Lake, day: date, run: TaskRun) -> int:
    """Ask the source for the corporate actions around unknown ratios, a live one once a trading day; a failure stops nothing.

    Returns:
        The number of ratios that became known.
    """
    asked = not source.has_history and was_loaded(lake, "corporate_actions", day, completely=False)
    if asked or "corporate_actions" not in source.offers:
        return 0
    unsure = [doubt for doubt in doubts(lake) if doubt.missing]
    if not unsure:
        return 0
    start = min(doubt.missing[0] for doubt in unsure)
    # A live source is asked for what is recent: each report period costs it some requests.
    start = start if source.has_history else max(start, day - _YEAR)
    try:
        rows = lake.upsert("corporate_actions", source.corporate_actions(start, max(doubt.day for doubt in unsure)))
    except SourceError as error:
        run.logger.warning("Corporate actions could not be fetched: %s", error)
        return 0
    record_days(lake, "corporate_actions", {day: rows}, source=source.name, incomplete=(day,))
    settled = derive_unknown(lake)
    run.logger.info("%d corporate actions fetched; %d ratios became known", rows, settled)
    return settled
