"""What a run says about rows that were set aside and days that were refused."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from mystocks_dagster.errors import SourceChanged
from mystocks_dagster.lake import quarantine
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.value_rules import Fault
from mystocks_dagster.sources.checked import RejectedRows
from mystocks_dagster.tags import State
from mystocks_dagster.tasks.run import TaskResult


def abbreviate(items: Sequence[object], most: int = 3) -> str:
    """Return the first `most` items as text, and how many more there are."""
    shown = ", ".join(f"{item}" for item in items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most} more"


def describe_findings(faults: Sequence[Fault], refused: Mapping[date, str]) -> list[str]:
    """Return sentences that name the rules, the rows and the days."""
    said = [f"Refused: {abbreviate([f'{day} ({reason})' for day, reason in sorted(refused.items())])}."] if refused else []
    others = [fault for fault in faults if fault.date is None or fault.date not in refused]
    aside, unknown = ([fault for fault in others if fault.stored is stored] for stored in (False, True))
    said += _counted(aside, "row set aside", "rows set aside") + _counted(
        unknown, "value taken as unknown", "values taken as unknown"
    )
    return [*said, "See `mystocks data head quarantine`."] if said else []


def _counted(faults: Sequence[Fault], one: str, many: str) -> list[str]:
    if not faults:
        return []
    rules = ", ".join(f"{rule} {count:,}" for rule, count in Counter(fault.rule for fault in faults).most_common())
    rows = len({fault.key for fault in faults})
    return [f"{rows:,} {one if rows == 1 else many} ({rules}), first {faults[0].key}: {faults[0].reason}."]


def stored_result(
    result: TaskResult,
    lake: Lake,
    table: str,
    found: RejectedRows,
    keys: Sequence[str],
    source: str,
    retry: Mapping[str, object],
) -> TaskResult:
    """Put the findings of a table into the quarantine and into the task's result.

    Args:
        result: How storing the sound rows ended.
        lake: Where the quarantine is.
        table: The table that the rows were meant for.
        found: What was set aside.
        keys: Keys of the rows that were stored: what was set aside of them before is mended.
        source: Name of the source.
        retry: Parameters that fetch the rows again.
    """
    quarantine.replace_keys(lake, table, found.faults, keys, source)
    if not found.faults:
        return result
    result = replace(result, message=" ".join(filter(None, [result.message, *describe_findings(found.faults, {})])))
    failed = tuple(dict.fromkeys(fault.key for fault in found.faults if not fault.stored))
    if not failed:
        return result
    return replace(
        result,
        status=State.PARTIAL_SUCCESS if result.status == State.SUCCESS else result.status,
        failed_items=(*result.failed_items, *failed),
        retry_params={**result.retry_params, **retry},
    )


def no_valid_rows(table: str, found: RejectedRows, source: str) -> SourceChanged:
    """Return the error that says: every row of the answer was set aside."""
    return SourceChanged(f"{source}: no row of {table} can be right. {' '.join(describe_findings(found.faults, {}))}")
