"""The run launcher: each run has its own process, which survives a reload, can be found lost, and builds one job.

With Dagster's default launcher the code server starts runs: a run worker then builds every job of the file, and a run
that was lost by SIGKILL is not detected. See docs/decisions/0003.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, Self

import psutil

from mystocks_dagster import disk_errors
from mystocks_dagster.dagster_internals import (
    CheckRunHealthResult,
    ConfigurableClass,
    ConfigurableClassData,
    ExecuteRunArgs,
    LaunchRunContext,
    RunLauncher,
    WorkerStatus,
)
from mystocks_dagster.execution.heartbeat import ProcessIdentity
from mystocks_dagster.factory.fork_server import ForkServer, begun, forked
from mystocks_dagster.factory.spec import TASK_POOL
from mystocks_dagster.factory.ui_metadata import ran_tag
from mystocks_dagster.only_job import ONLY_JOB
from mystocks_dagster.runs.stop import is_stopped
from mystocks_dagster.tags import Tag

#: Marker file in the run's folder: the disk was full when its process was found to be gone.
_FULL = "disk_was_full"

#: The process of a run. The interpreter executes it and not `dagster`, which need not be on the PATH of a caller of
#: .venv/bin/mystocks.
WORKER = "from mystocks_dagster.factory.worker import main; main()"


#: Seconds between two starts of the fork server.
_PAUSE_SECONDS = 60.0


class ProcessRunLauncher(RunLauncher, ConfigurableClass):
    """Launches a run as `factory/worker.py` in its own session on this machine, by the fork server where one is.

    The worker's output is in `worker.log` in the run's storage folder, beside the captured output of its steps.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._workers: list[subprocess.Popen[bytes]] = []
        self._forks: ForkServer | None = None
        self._forks_since = -_PAUSE_SECONDS
        super().__init__()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """The entry of dagster.yaml for this launcher."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Return the config schema: no options."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """Create the launcher; Dagster calls this for dagster.yaml."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run's worker and tag the run with its process; cancel a run that was stopped meanwhile."""
        run: Any = context.dagster_run
        plan = self._instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
        size_pools(self._instance, plan)
        origin = context.job_code_origin
        assert origin is not None, f"run {run.run_id} has no code origin"
        arguments = ExecuteRunArgs(job_origin=origin, run_id=run.run_id, instance_ref=self._instance.get_ref())
        folder = self._folder(run.run_id)
        folder.mkdir(parents=True, exist_ok=True)
        # Last check before a process exists that a stop could find.
        if is_stopped(self._instance, run.run_id):
            self._instance.report_run_canceled(run, "It was stopped before it had started.")
            return
        environment = {**os.environ, ONLY_JOB: run.job_name}
        argument = arguments.get_command_args()[-1]
        forks = self._forks or begun()
        forked = forks.fork(argument, folder, environment) if forks and forks.ready() else None
        worker = forked.pid if forked else self._start(argument, folder, environment)
        self._instance.add_run_tags(run.run_id, {Tag.WORKER: worker_tag(run.run_id, worker), **tags_of_tasks(plan)})

    def _start(self, argument: str, folder: Path, environment: Mapping[str, str]) -> int:
        """Start the run's process in a new interpreter and return its pid."""
        # Polling reaps ended workers, which are children of this process.
        self._workers = [worker for worker in self._workers if worker.poll() is None]
        with (folder / "worker.log").open("ab") as output, _interrupts_blocked():
            worker = subprocess.Popen(
                [sys.executable, "-c", WORKER, argument],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._workers.append(worker)
        return worker.pid

    def keep_fork_server(self) -> None:
        """Start the fork server if none runs: called again and again by a daemon, which outlives many runs."""
        if sys.platform != "linux" or (self._forks and self._forks.alive()):
            return
        if time.monotonic() - self._forks_since < _PAUSE_SECONDS:  # one that cannot work is not started all the time
            return
        self.dispose()
        self._forks_since = time.monotonic()
        self._forks = ForkServer(modules=self._modules())

    def dispose(self) -> None:
        """End the fork server; the processes of runs go on."""
        if self._forks:
            self._forks.close()
            self._forks = None

    def _modules(self) -> set[str]:
        """Return the modules of the instance's parts, which each run's process needs."""
        instance = self._instance
        parts = (
            instance.run_storage,
            instance.event_log_storage,
            instance.schedule_storage,
            instance.run_coordinator,
            instance.compute_log_manager,
            self,
        )
        return {type(part).__module__ for part in parts if part is not None}

    def _folder(self, run_id: str) -> Path:
        return Path(self._instance.storage_directory()) / run_id

    def terminate(self, run_id: str) -> bool:
        """Interrupt the run's worker, which stops its task's process first."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        identity = self._identity(run)
        if identity is None or not identity.alive():
            self._instance.report_run_canceled(run, "Its process is no longer running.")
            return True
        os.kill(identity.pid, signal.SIGINT)
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """True, so that Dagster's run monitoring finds lost runs."""
        return True

    def check_run_worker_health(self, run: Any) -> CheckRunHealthResult:
        """Return whether the run's process is alive; a reboot or a reused pid does not deceive the check."""
        for worker in self._workers:
            worker.poll()
        identity = self._identity(run)
        if identity is None:
            return CheckRunHealthResult(WorkerStatus.FAILED, "no process executes this run")
        if identity.alive():
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, self._loss_reason(run.run_id, identity.pid))

    def _identity(self, run: Any) -> ProcessIdentity | None:
        """Return the process that executes the run; None if there is none."""
        stored = json.loads(run.tags.get(Tag.WORKER) or run.tags.get(Tag.FORMER_WORKER, "{}"))
        # A restarted run has the tags of the lost one.
        if stored.get("run_id") == run.run_id:
            return ProcessIdentity.from_dict(stored)
        return forked(self._folder(run.run_id)) or _search(run.run_id)

    def _loss_reason(self, run_id: str, pid: int) -> str:
        """Return why a run's process is gone.

        The marker file keeps the reason of the first check, since a full disk may have room later.
        """
        home = Path(self._instance.root_directory)
        mark = self._folder(run_id) / _FULL
        if disk_errors.is_full(home):
            with contextlib.suppress(OSError):  # an empty file may fit
                mark.touch()
            return f"the run's process {pid} could not continue. {disk_errors.full(home)}"
        if mark.exists():
            return (
                f"the run's process {pid} could not continue: the disk of {home} was full. It has room again: start "
                "the run again."
            )
        return f"the run's process {pid} is gone: it was killed, or the machine went down"


def size_pools(instance: Any, plan: Any) -> None:
    """Set the slots of a run's pools to `max_instances` of the file with which it was queued.

    Dagster has one default for all pools; other sizes can be set on the instance only, not in definitions.
    """
    sizes = {
        pool: int((step.tags or {}).get(Tag.MAX_INSTANCES, 1))
        for step in plan.steps
        if (pool := step.pool or "").startswith(TASK_POOL)
    }
    if not sizes:
        return
    storage = instance.event_log_storage
    slots = {limit.name: limit.limit for limit in storage.get_pool_limits()}
    for pool, number in sizes.items():
        if slots.get(pool, 1) != number:
            storage.set_concurrency_slots(pool, number)


def tags_of_tasks(plan: Any) -> dict[str, str]:
    """Return the hidden tags that link the run from the pages of all tasks that it executes."""
    executed = set(plan.step_keys_to_execute)
    tasks = [(step.tags or {}).get(Tag.TASK_ID) for step in plan.steps if step.key in executed]
    return {key: value for task_id in tasks if task_id for key, value in ran_tag(task_id).items()}


@contextlib.contextmanager
def _interrupts_blocked() -> Generator[None]:
    """Start processes with SIGINT blocked until they unblock it.

    An interrupt during Python's startup would kill the process.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def worker_tag(run_id: str, pid: int) -> str:
    """Return the value of `Tag.WORKER` for a run that the process `pid` executes."""
    try:
        return json.dumps({"run_id": run_id, **ProcessIdentity.of(pid).to_dict()})
    except ProcessLookupError:  # it has ended already
        return json.dumps({"run_id": run_id, "pid": pid, "start_time": 0, "boot_id": ""})


def _search(run_id: str) -> ProcessIdentity | None:
    """Find the worker of a run whose launcher was killed before it could set the tag."""
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if WORKER in command and run_id in command[-1]:
            try:
                return ProcessIdentity.of(process.pid)
            except ProcessLookupError:
                continue
    return None
