"""Groups that the file has disabled: no way to start them leads past the question asked here."""

from collections.abc import Mapping

import dagster as dg

from mystocks_dagster.dagster_internals import SCHEDULE_NAME_TAG, SENSOR_NAME_TAG, InstigatorStatus
from mystocks_dagster.tags import Tag, schedule_name


def refusal_reason(instance: dg.DagsterInstance, job: str, tags: Mapping[str, str]) -> str | None:
    """Return why a run of `job` with these tags may not start, with the remedy; None when it may.

    What its schedule starts has been decided by its switch, and a switch that a person turned on wins over the file.
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
        f"{job} is disabled in the task file (enabled: false). Run it all the same with: mystocks run {job} --force "
        f"(in the Launchpad: the tag {Tag.FORCE}), or enable it with: mystocks edit {job} enabled=true"
    )


def _switched_on(instance: dg.DagsterInstance, job: str) -> bool:
    states = instance.all_instigator_state()
    return any(
        state.instigator_name == schedule_name(job) and state.status == InstigatorStatus.RUNNING for state in states
    )
