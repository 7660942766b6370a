"""The tags by which the queue orders its runs: the priority, and the lane with its share of the slots."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from mystocks_dagster.factory.ui_metadata import dagster_priority
from mystocks_dagster.tags import Tag
from mystocks_dagster.taskfile.model import PRIORITIES

_CRITICAL = int(dagster_priority(PRIORITIES["critical"]))


def queue_tags(
    instance: dg.DagsterInstance, tags: Mapping[str, str], steps: Sequence[Mapping[str, str]]
) -> dict[str, str]:
    """Return the tags that a run has in the queue.

    A supervisor has no lane: it runs without end and must not fill the queue.

    Args:
        instance: Dagster's instance.
        tags: Tags of the run.
        steps: Tags of the steps that it executes.
    """
    priority = tags.get(Tag.PRIORITY) or str(max((int(step.get(Tag.PRIORITY, 0)) for step in steps), default=0))
    added = {Tag.PRIORITY: priority}
    if {step.get(Tag.TASK_TYPE) for step in steps} != {"supervisor"}:
        lane = "critical" if priority_of(priority) >= _CRITICAL else "ordinary"
        added |= dict.fromkeys(_lane_tags(instance), lane)
    return added


def step_tags(plan: Any) -> list[Mapping[str, str]]:
    """Return the tags of the steps that an execution plan executes."""
    return [step.tags or {} for step in plan.steps if step.key in plan.step_keys_to_execute]


def priority_of(text: str) -> int:
    """Read a priority as Dagster's queue does: a text that is not a number counts as 0."""
    try:
        return int(text)
    except ValueError:
        return 0


def _lane_tags(instance: dg.DagsterInstance) -> set[str]:
    """Return the tags of the lane: a dagster.yaml of an earlier version limits the former tag."""
    limits = instance.get_concurrency_config().run_queue_config
    limited = {limit.get("key") for limit in (limits.tag_concurrency_limits if limits else ())}
    return {Tag.LANE, *({Tag.FORMER_LANE} & limited)}
