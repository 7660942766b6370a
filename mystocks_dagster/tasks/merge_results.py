"""Merge the results of a task's parts."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeVar

from mystocks_dagster.tags import ResultStatus, State
from mystocks_dagster.tasks.run import TaskResult

T = TypeVar("T")
#: Between two sentences of a message. A repetition that is not recognised is only long.
_JOINT = re.compile(r"(?<=[.。]) (?=[A-Z0-9])")


def merge_results(parts: Sequence[TaskResult]) -> TaskResult:
    """Return one result for all parts, with the worst status; skipped only when every part was skipped."""
    statuses = {part.status for part in parts}
    worst: ResultStatus = next(
        (status for status in (State.FAILED, State.PARTIAL_SUCCESS, State.SUCCESS) if status in statuses), State.SKIPPED
    )
    return TaskResult(
        status=worst,
        message=_said_once(part.message for part in parts),
        rows=dict(_items(part.rows for part in parts)),
        days=dict(_items(part.days for part in parts)),
        error="; ".join(part.error for part in parts if part.error) or None,
        failed_items=tuple(chain.from_iterable(part.failed_items for part in parts)),
        retry_params=dict(_items(part.retry_params for part in parts)),
        metadata=dict(_items(part.metadata for part in parts)),
    )


def _said_once(messages: Iterable[str]) -> str:
    """Return the messages as one, without the sentences that an earlier one has: parts meet the same doubts."""
    return " ".join(dict.fromkeys(sentence for message in messages for sentence in _JOINT.split(message) if sentence))


def _items(mappings: Iterable[Mapping[str, T]]) -> Iterator[tuple[str, T]]:
    return chain.from_iterable(mapping.items() for mapping in mappings)
