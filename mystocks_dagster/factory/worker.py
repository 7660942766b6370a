"""The process of a run: like `dagster api execute_run`, but it starts no task after a stop of the run."""

import signal
import sys
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from mystocks_dagster.gc_tuning import tune_gc
from mystocks_dagster.migration_scripts import read_once
from mystocks_dagster.shared import outage

#: How long a stop may wait while no step runs.
_REST_SECONDS = 0.1


def main() -> None:
    """Execute the run that the last argument describes."""
    run(sys.argv[-1])


def run(argument: str) -> None:
    """Execute a run.

    Args:
        argument: Dagster's `ExecuteRunArgs`, serialized.
    """
    # An interrupted import would leave the run in CANCELING. An early stop is read from the run's log below.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # the launcher has blocked it until here
    tune_gc()
    read_once()
    # The import of all commands of `dagster` would take 0.6 s.
    from dagster import deserialize_value

    from mystocks_dagster.dagster_internals import ExecuteRunArgs, capture_interrupts, get_instance_for_cli

    with capture_interrupts():
        arguments = deserialize_value(argument, ExecuteRunArgs)
        with get_instance_for_cli(instance_ref=arguments.instance_ref) as instance:
            attending = getattr(instance.run_launcher, "attending", nullcontext)
            with attending(arguments.run_id):
                execute(instance, arguments.run_id)


def execute(instance: Any, run_id: str) -> None:
    """Execute a run in this process; a run that was stopped before its first step ends as cancelled.

    A stop is first written to the run's log, then the run's process is interrupted. So a stop that is not yet in the
    log interrupts this process.
    """
    from dagster import DagsterEventType, DagsterExecutionInterruptedError

    from mystocks_dagster.dagster_internals import ActiveExecution, execute_run_command_body
    from mystocks_dagster.processes.bell import QUEUE_BELL, ring
    from mystocks_dagster.runs.stop import is_stopped, settle

    def follow(event: Any) -> None:
        # After this event nothing overwrites the status of a run that is being cancelled.
        if event.event_type == DagsterEventType.RUN_START and is_stopped(instance, run_id):
            raise DagsterExecutionInterruptedError(f"The run {run_id} was stopped before its first step.")

    ActiveExecution.sleep_til_ready = _wait
    ActiveExecution.check_for_interrupts = _resting(ActiveExecution.check_for_interrupts)
    instance.report_run_failed = partial(_report_failed, instance.report_run_failed)
    try:
        execute_run_command_body(run_id, instance, follow, set_exit_code_on_failure=False)
    finally:
        settle(instance, run_id)
        ring(Path(instance.root_directory) / QUEUE_BELL)  # its place in the queue is free


def _wait(self: Any) -> None:
    """Wait for a retry or a slot of a pool as Dagster does, but let a stop end it: Dagster only notes the signal."""
    from dagster import raise_execution_interrupts

    with raise_execution_interrupts():
        time.sleep(max(0, self.sleep_interval()))


def _resting(asked: Any) -> Any:
    """Return `asked` with a short rest before it where no step runs and all wait for a retry or a slot of a pool.

    Dagster's executor of parallel steps asks in a loop whether the run was stopped, which uses a whole core.
    """

    def rest(self: Any) -> bool:
        if not self.has_in_flight_steps:
            time.sleep(min(max(0, self.sleep_interval()), _REST_SECONDS))
        return asked(self)

    return rest


def _report_failed(report: Any, run: Any, message: str | None = None, job_failure_data: Any = None) -> Any:
    """Report a failed run as Dagster does, with the error that is being handled; Dagster's own words name no reason."""
    error = sys.exc_info()[1]
    if message is None and isinstance(error, Exception) and job_failure_data is None:
        if away := outage.explain(error):
            message = f"The run ended while its database was away, and does not know which tasks were done. {away}"
        else:
            message = f"The process of the run ended by an error: {type(error).__name__}: {error}"
    return report(run, message, job_failure_data)
