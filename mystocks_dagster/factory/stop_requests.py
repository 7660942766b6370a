"""Whether a run was stopped: its event log says so, whatever its status says.

Dagster's queue reads that a run waits and writes a moment later that it starts; a stop in between is overwritten
(https://github.com/dagster-io/dagster/issues/3323). An event is never overwritten. See docs/decisions/0021.
"""

import dagster as dg

_STOPS = {dg.DagsterEventType.RUN_CANCELING, dg.DagsterEventType.RUN_CANCELED}


def is_stopped(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Say whether somebody has stopped the run, or asked it to stop."""
    return bool(instance.get_records_for_run(run_id, of_type=_STOPS, limit=1).records)


def was_begun(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Say whether the run has left the queue: its process may exist, or is about to."""
    return bool(instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.RUN_STARTING, limit=1).records)


def mark_canceling(instance: dg.DagsterInstance, run_id: str) -> None:
    """Let the status of a stopped run say so too: Dagster writes it after the event, and takes an interruption before it for a failure."""
    run = instance.get_run_by_id(run_id)
    if run is not None and run.status not in (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED):
        instance.report_run_canceling(run, "It was stopped.")


def settle(instance: dg.DagsterInstance, run_id: str) -> None:
    """End a stopped run on which no process works any more as cancelled, also when something else overwrote that."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.status in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED):
        return
    if is_stopped(instance, run_id):
        instance.report_run_canceled(run, "It was stopped.")
