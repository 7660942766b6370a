"""Warnings about a task file: valid content that deserves a check."""

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from mystocks_dagster.taskfile.cron import cron_fault, either_day
from mystocks_dagster.taskfile.literal_secrets import literal_secrets
from mystocks_dagster.taskfile.problems import Fault, Problem, TaskFileError
from mystocks_dagster.taskfile.yaml.source import parse_text, read_text
from mystocks_dagster.taskfile.yaml.tree import walk


def warnings_about(file: FilePath) -> list[Problem]:
    """Return the warnings of `mystocks check`; none when the file cannot be read, which is a problem instead."""
    return [*literal_secrets(file), *_cron_with_two_days(file)]


def _cron_with_two_days(file: FilePath) -> Iterator[Problem]:
    try:
        source = parse_text(read_text(file), str(file))
    except TaskFileError:
        return
    for path, value in walk(source.data):
        if path[-2:] == ("schedule", "cron_expression") and _fires_on_either(value):
            message = f"warning: {value!r} fires when the day of month or the day of week fits, as in cron"
            yield source.problem(Fault(path, message, "Write * in one of the two fields if that is not intended."))


def _fires_on_either(value: Any) -> bool:
    return isinstance(value, str) and cron_fault(value) is None and either_day(value)
