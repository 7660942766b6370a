"""Report rows that were set aside and days that were refused in a task's result."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from mystocks_dagster.errors import SourceChanged
from mystocks_dagster.excerpts import abbreviate
from mystocks_dagster.lake import quarantine
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.value_rules import Fault
from mystocks_dagster.sources.checked import RejectedRows
from mystocks_dagster.tags import State
from mystocks_dagster.tasks.run import TaskResult


def describe_findings(faults: Sequence[Fault], refused: Mapping[date, str]) -> list[str]:
    """Return sentences with the broken rules, the rows and the refused days."""
    days = [f"{day} ({reason})" for day, reason in sorted(refused.items())]
    sentences = [f"Refused: {abbreviate(days)}."] if days else []
    others = [fault for fault in faults if fault.date is None or fault.date not in refused]
    if aside := [fault for fault in others if not fault.stored]:
        rows, rules, first = _summary(aside)
        sentences.append(f"Rows set aside: {rows:,} ({rules}), first {first.key}: {first.reason}.")
    if unknown := [fault for fault in others if fault.stored]:
        rows, rules, first = _summary(unknown)
        sentences.append(f"Rows with a value set to unknown: {rows:,} ({rules}), first {first.key}: {first.reason}.")
    return [*sentences, "See `mystocks data head quarantine`."] if sentences else []


def _summary(faults: Sequence[Fault]) -> tuple[int, str, Fault]:
    """Return the number of rows, the rules that they break with their counts, and the first fault."""
    rules = ", ".join(f"{rule} {count:,}" for rule, count in Counter(fault.rule for fault in faults).most_common())
    return len({fault.key for fault in faults}), rules, faults[0]


def stored_result(
    result: TaskResult,
    lake: Lake,
    table: str,
    rejected: RejectedRows,
    keys: Sequence[str],
    source: str,
    retry: Mapping[str, object],
) -> TaskResult:
    """Quarantine the rejected rows of a table, and add them to the task's result.

    Args:
        result: The result of storing the valid rows.
        lake: The lake with the quarantine.
        table: The table of the rejected rows.
        rejected: The rows that were set aside.
        keys: Keys of the stored rows, which replace quarantined rows of the same key.
        source: Name of the source.
        retry: Parameters that fetch the rejected rows again.
    """
    quarantine.replace_keys(lake, table, rejected.faults, keys, source)
    if not rejected.faults:
        return result
    result = replace(result, message=" ".join(filter(None, [result.message, *describe_findings(rejected.faults, {})])))
    failed = tuple(dict.fromkeys(fault.key for fault in rejected.faults if not fault.stored))
    if not failed:
        return result
    return replace(
        result,
        status=State.PARTIAL_SUCCESS if result.status == State.SUCCESS else result.status,
        failed_items=(*result.failed_items, *failed),
        retry_params={**result.retry_params, **retry},
    )


def no_valid_rows(table: str, rejected: RejectedRows, source: str) -> SourceChanged:
    """Return the error for a response of which every row was set aside."""
    findings = " ".join(describe_findings(rejected.faults, {}))
    return SourceChanged(f"{source}: no row of {table} is valid. {findings}")
