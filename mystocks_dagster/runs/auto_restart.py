"""The run that Dagster starts in place of a lost one: whether it is there, and whether it is still to come."""

import dagster as dg

from mystocks_dagster.dagster_internals import (
    AUTO_RETRY_RUN_ID_TAG,
    PARENT_RUN_ID_TAG,
    RETRY_NUMBER_TAG,
    WILL_RETRY_TAG,
)


def restart_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    """Return the id of the run that was started in place of a lost one; None when there is none."""
    if noted := run.tags.get(AUTO_RETRY_RUN_ID_TAG):
        return noted
    children = instance.get_runs(dg.RunsFilter(tags={PARENT_RUN_ID_TAG: run.run_id}))
    # What a person runs again by hand has no such number.
    return next((child.run_id for child in children if RETRY_NUMBER_TAG in child.tags), None)


def will_restart(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Say whether Dagster has said that it starts a failed run again, and has not done so yet."""
    failed = run.status == dg.DagsterRunStatus.FAILURE and instance.run_retries_enabled
    return failed and run.tags.get(WILL_RETRY_TAG) == "true" and restart_of(instance, run) is None
