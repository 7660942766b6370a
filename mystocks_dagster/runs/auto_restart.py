"""Restarts of lost runs: the run that replaces a lost one, and whether it is still expected."""

import dagster as dg

from mystocks_dagster.dagster_internals import (
    AUTO_RETRY_RUN_ID_TAG,
    PARENT_RUN_ID_TAG,
    RETRY_NUMBER_TAG,
    WILL_RETRY_TAG,
)


def restart_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    """Return the id of the run that replaces a lost one; None if there is none."""
    if run_id := run.tags.get(AUTO_RETRY_RUN_ID_TAG):
        return run_id
    children = instance.get_runs(dg.RunsFilter(tags={PARENT_RUN_ID_TAG: run.run_id}))
    # A run that a person repeats has no such tag.
    return next((child.run_id for child in children if RETRY_NUMBER_TAG in child.tags), None)


def will_restart(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether Dagster has decided to restart a failed run, and has not done so yet."""
    failed = run.status == dg.DagsterRunStatus.FAILURE and instance.run_retries_enabled
    return failed and run.tags.get(WILL_RETRY_TAG) == "true" and restart_of(instance, run) is None
