"""Starting, following and stopping runs on the project's instance, with or without a daemon."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.workspace.load_target import WorkspaceFileTarget

from mystocks_dagster.errors import InstanceError, UnknownName
from mystocks_dagster.settings import Settings

#: The daemon that takes runs off the queue; alive when its heartbeat is younger than Dagster's tolerance.
QUEUE_DAEMON = "QUEUED_RUN_COORDINATOR"
REPOSITORY = "__repository__"
_POLL_SECONDS = 0.25


def daemon_alive(instance: dg.DagsterInstance) -> bool:
    """Say whether a daemon takes runs off the queue of this instance."""
    return bool(instance.get_daemon_statuses([QUEUE_DAEMON])[QUEUE_DAEMON].healthy)


def create_run(
    instance: dg.DagsterInstance,
    settings: Settings,
    job: str,
    config: Mapping[str, Any],
    tags: Mapping[str, str],
    steps: list[str] | None = None,
) -> str:
    """Write a new run of `job` and return its id; nothing starts yet.

    Args:
        instance: The project's.
        settings: Says where workspace.yaml is.
        job: A job's name in Dagster.
        config: Run config.
        tags: Tags beside the job's own.
        steps: Only these steps.

    Raises:
        UnknownName: There is no such job.
        InstanceError: The config does not fit; the message has Dagster's reasons.
    """
    loaded = Loaded.of(settings)
    if not loaded.repository.has_job(job):
        raise UnknownName(f"There is no job {job!r}.")
    return loaded.write_run(instance, loaded.repository.get_job(job), config, tags, steps=steps)


@dataclass(frozen=True)
class Loaded:
    """The project's definitions in this process, and how Dagster finds them again from another."""

    pointer: ReconstructableRepository
    repository: Any
    location: Any

    @classmethod
    def of(cls, settings: Settings) -> "Loaded":
        """Load the definitions of the project's task file."""
        pointer = ReconstructableRepository.for_module("mystocks_dagster.definitions", "defs", working_directory=str(settings.root))
        location = WorkspaceFileTarget([str(settings.root / "workspace.yaml")]).create_origins()[0]
        return cls(pointer, pointer.get_definition(), location)

    def write_run(
        self,
        instance: dg.DagsterInstance,
        job: Any,
        config: Mapping[str, Any],
        tags: Mapping[str, str],
        *,
        steps: list[str] | None = None,
        assets: frozenset[dg.AssetKey] | None = None,
    ) -> str:
        """Write a new run of a job definition and return its id; `assets` select those of the job of all assets.

        Raises:
            InstanceError: The config does not fit; the message has Dagster's reasons.
        """
        try:
            run = instance.create_run_for_job(
                job,
                run_config=config,
                op_selection=steps,
                asset_selection=assets,
                tags={**job.tags, **job.run_tags, ".dagster/repository": f"{REPOSITORY}@{self.location.location_name}", **tags},
                remote_job_origin=_remote_origin(self.location, job.name),
                job_code_origin=self.pointer.get_reconstructable_job(job.name).get_python_origin(),
                repository_load_data=self.repository.repository_load_data,
            )
        except dg.DagsterInvalidConfigError as error:
            raise InstanceError(f"{job.name}: the parameters do not fit. " + " ".join(one.message for one in error.errors)) from None
        return run.run_id


def _remote_origin(location: Any, job: str) -> Any:
    from dagster._core.remote_origin import RemoteRepositoryOrigin

    return RemoteRepositoryOrigin(location, REPOSITORY).get_job_origin(job)


def start(instance: dg.DagsterInstance, run_id: str, *, queued: bool) -> None:
    """Put a run in the queue, or (`queued` False) start its process at once."""
    # Neither our launcher nor the queue asks the workspace anything.
    workspace: Any = None
    if queued:
        instance.submit_run(run_id, workspace)
    else:
        _release_lost(instance)
        instance.launch_run(run_id, workspace)


def follow(instance: dg.DagsterInstance, run_id: str) -> Iterator[Any]:
    """Yield the run's event log entries as they are written, until the run has ended."""
    cursor = None
    while True:
        run = instance.get_run_by_id(run_id)
        ended = run is None or run.is_finished
        connection = instance.get_records_for_run(run_id, cursor=cursor)
        for record in connection.records:
            yield record.event_log_entry
        cursor = connection.cursor
        if ended and not connection.has_more:
            return
        if not connection.records:
            _watch(instance, run)
            time.sleep(_POLL_SECONDS)


def _watch(instance: dg.DagsterInstance, run: Any) -> None:
    """Fail a run whose process is gone: with no daemon alive nobody else would notice."""
    launcher = instance.run_launcher
    if run is None or run.status not in (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING):
        return
    health = launcher.check_run_worker_health(run)
    if health.status.value == "FAILED":
        latest = instance.get_run_by_id(run.run_id)
        if latest is not None and not latest.is_finished:
            instance.report_run_failed(latest, health.msg)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _release_lost(instance: dg.DagsterInstance) -> None:
    """Fail runs whose process is gone and free their slots in pools, in which a new run would wait for ever."""
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])):
        _watch(instance, run)
    for run_id in instance.event_log_storage.get_concurrency_run_ids():
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            instance.event_log_storage.free_concurrency_slots_for_run(run_id)
