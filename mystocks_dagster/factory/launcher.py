"""Starts each run in a process of its own, which outlives a reload, is known to be alive or lost, and builds one job.

Dagster's default launcher lets the code server start runs: a run worker then builds every job of the file, and after
a SIGKILL nobody can say that the run is lost. See docs/decisions/0003.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from dagster import _check as check
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from mystocks_dagster.execution.heartbeat import ProcessIdentity
from mystocks_dagster.settings import ONLY_JOB

#: The run's tag that says which process works on it.
WORKER_TAG = "mystocks/worker"

# What `dagster api execute_run` does, without importing all other commands first (0.6 of 2.5 s), and without asking for
# `dagster` on the PATH of whoever called .venv/bin/mystocks.
_WORKER = "from dagster._cli.api import execute_run_command; execute_run_command()"


class ProcessRunLauncher(RunLauncher, ConfigurableClass):
    """Launches a run as `dagster api execute_run` in a session of its own on this machine.

    What the worker prints is in `worker.log` in the run's storage folder, beside the captured output of its steps.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._workers: list[subprocess.Popen[bytes]] = []
        super().__init__()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """The lines of dagster.yaml that named this launcher."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """No options."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """Called by Dagster when it reads dagster.yaml."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run's worker and note which process it is."""
        run = context.dagster_run
        origin = check.not_none(context.job_code_origin)
        arguments = ExecuteRunArgs(job_origin=origin, run_id=run.run_id, instance_ref=self._instance.get_ref())
        command = [sys.executable, "-c", _WORKER, arguments.get_command_args()[-1]]
        # Reaps workers that have ended: they are children of this process.
        self._workers = [worker for worker in self._workers if worker.poll() is None]
        log = Path(self._instance.storage_directory()) / run.run_id / "worker.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            worker = subprocess.Popen(
                command,
                env={**os.environ, ONLY_JOB: run.job_name},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._workers.append(worker)
        self._instance.add_run_tags(run.run_id, {WORKER_TAG: json.dumps(ProcessIdentity.of(worker.pid).to_dict())})

    def terminate(self, run_id: str) -> bool:
        """Ask the run's worker to stop; it stops its task's process first."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        identity = _identity(run.tags)
        if identity is None or not identity.alive():
            self._instance.report_run_canceled(run, "Its process is not running any more.")
            return True
        os.kill(identity.pid, signal.SIGINT)
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """True: lost runs are found by Dagster's run monitoring."""
        return True

    def check_run_worker_health(self, run: Any) -> CheckRunHealthResult:
        """Say whether the run's process is alive, also after a reboot and when its pid was given to another."""
        for worker in self._workers:
            worker.poll()
        identity = _identity(run.tags)
        if identity is None:
            return CheckRunHealthResult(WorkerStatus.UNKNOWN, "no process is noted for this run")
        if identity.alive():
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, f"the run's process {identity.pid} is gone: killed, or the machine went down")


def _identity(tags: Mapping[str, str]) -> ProcessIdentity | None:
    return ProcessIdentity.from_dict(json.loads(tags[WORKER_TAG])) if WORKER_TAG in tags else None
