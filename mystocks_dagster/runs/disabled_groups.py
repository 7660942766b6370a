"""Disabled groups: every start of a run is checked here."""

from collections.abc import Mapping

import dagster as dg

from mystocks_dagster.dagster_internals import SCHEDULE_NAME_TAG, SENSOR_NAME_TAG, InstigatorStatus
from mystocks_dagster.tags import Tag, schedule_name


def refusal_reason(instance: dg.DagsterInstance, job: str, tags: Mapping[str, str]) -> str | None:
    """Return why a run of `job` with these tags must not start, with the remedy; None if it may.

    Runs of a schedule are allowed, since its switch decides. A switch that a person turned on overrides the file.
    """
    if (
        Tag.DISABLED not in tags
        or Tag.FORCE in tags
        or SCHEDULE_NAME_TAG in tags
        or SENSOR_NAME_TAG in tags
        or _switched_on(instance, job)
    ):
        return None
    return (
        f"{job} is disabled in the task file (enabled: false). Force a run with: mystocks run {job} --force "
        f"(in the Launchpad: the tag {Tag.FORCE}), or enable it with: mystocks edit {job} enabled=true"
    )


def _switched_on(instance: dg.DagsterInstance, job: str) -> bool:
    states = instance.all_instigator_state()
    return any(
        state.instigator_name == schedule_name(job) and state.status == InstigatorStatus.RUNNING for state in states
    )
