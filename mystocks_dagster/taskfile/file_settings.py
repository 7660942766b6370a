"""The settings of a task file beside its tasks and groups: version, defaults, packages, alerts."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mystocks_dagster.plain_files import real_path
from mystocks_dagster.taskfile import pydantic_errors
from mystocks_dagster.taskfile.alerts import written_faults
from mystocks_dagster.taskfile.functions import package_fault
from mystocks_dagster.taskfile.model import Task, TaskFile
from mystocks_dagster.taskfile.problems import Fault, Problem
from mystocks_dagster.taskfile.variables import resolve_variables
from mystocks_dagster.taskfile.yaml.document import SECTIONS, Document


def read_head(document: Document, folder: Path, environment: Mapping[str, str]) -> tuple[TaskFile, list[Problem]]:
    """Return the task file without its entries, and the problems of its settings; faulty settings are left out."""
    # Variables in defaults are resolved in each task: only there it is known whether they are used.
    defaults = document.defaults
    values, written, faults = resolve_variables(
        {key: value for key, value in document.head.items() if key != "defaults"}, environment
    )
    values = {**values, "defaults": document.head.get("defaults")}
    while True:
        try:
            head = TaskFile.model_validate(values)
            break
        except ValidationError as error:
            invalid = list(pydantic_errors.faults(error, TaskFile, values, secret=written))
            faults += invalid
            values = _without(values, invalid)
    faults += _default_faults(defaults, environment)
    for index, name in enumerate(head.task_packages):
        if reason := package_fault(name, real_path(folder)):
            faults.append(Fault(("task_packages", index), reason))
    faults += _alert_faults(document)
    own = [fault for fault in document.faults if fault.path[0] not in SECTIONS]
    return head, [document.problem(fault, None) for fault in (*document.unusable, *own, *faults)]


def _without(values: Mapping[str, Any], faults: Sequence[Fault]) -> dict[str, Any]:
    """Return the values without faulty keys; within `alerts` only its faulty keys go, so that the others work."""
    wrong = {fault.path[0] for fault in faults}
    kept = {key: value for key, value in values.items() if key in TaskFile.model_fields and key not in wrong}
    alerts = values.get("alerts")
    if "alerts" in wrong and isinstance(alerts, dict):
        faulty = {fault.path[1] for fault in faults if fault.path[0] == "alerts" and len(fault.path) > 1}
        kept["alerts"] = {key: value for key, value in alerts.items() if key not in faulty} if faulty else {}
    return kept


def _alert_faults(document: Document) -> Iterator[Fault]:
    # The tables take 0.5 s to import (polars): only a file with expectations needs them.
    tables: frozenset[str] = frozenset()
    alerts = document.head.get("alerts")
    if isinstance(alerts, dict) and alerts.get("expect"):
        from mystocks_dagster.market.tables import TABLES

        tables = frozenset(TABLES)
    return written_faults(document.head, tables, frozenset(raw.id for raw in document.entries["tasks"] if raw.id))


def _default_faults(defaults: dict[str, Any], environment: Mapping[str, str]) -> Iterator[Fault]:
    """Yield the faults of `defaults`, checked as a task in which fields may be missing."""
    if "task_id" in defaults:
        yield Fault(("defaults", "task_id"), "an id cannot be a default", "Remove it.", at_key=True)
    values, written, _ = resolve_variables(defaults, environment)
    try:
        Task.model_validate(values)
    except ValidationError as error:
        for fault in pydantic_errors.faults(error, Task, values, secret=written):
            if not fault.message.endswith(" is missing"):
                yield fault._replace(path=("defaults", *fault.path))
