"""Create, start and follow runs on the project's instance, with or without a daemon."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from mystocks_dagster.dagster_internals import ReconstructableRepository, RemoteRepositoryOrigin, WorkspaceFileTarget
from mystocks_dagster.errors import InvalidParams, UnknownName
from mystocks_dagster.history.dagster_storage import run_storage
from mystocks_dagster.only_job import building_only
from mystocks_dagster.processes import lock
from mystocks_dagster.runs import daemon_lake, event_file
from mystocks_dagster.settings import Settings
from mystocks_dagster.shared import outage
from mystocks_dagster.tags import REPOSITORY

#: The daemon that takes runs off the queue.
QUEUE_DAEMON = "QUEUED_RUN_COORDINATOR"
#: Age at which a heartbeat, sent every 30 s, shows a dead daemon. Dagster's limit is half an hour, too long to wait.
HEARTBEAT_SECONDS = 120
#: Age of a heartbeat from which the daemon's process is checked.
_LATE_SECONDS = 45
_POLL_SECONDS = 0.25


def daemon_alive(instance: dg.DagsterInstance) -> bool:
    """Whether a daemon takes runs off the queue of this instance."""
    age = heartbeat_age(instance)
    return age is not None and age < HEARTBEAT_SECONDS and killed_daemon(instance) is None


def daemon_difference(instance: dg.DagsterInstance, settings: Settings) -> str:
    """Return in words how the daemon's lake or source differs from those of the settings; empty if it does not."""
    return daemon_lake.difference(
        run_storage(instance).get_cursor_values({daemon_lake.KEY}).get(daemon_lake.KEY), settings
    )


def killed_daemon(instance: dg.DagsterInstance) -> int | None:
    """Return the pid of this machine's daemon if it was killed and no other has sent a heartbeat since; else None."""
    age = heartbeat_age(instance)
    if age is None or age < _LATE_SECONDS:  # another machine's daemon may use the same database
        return None
    return lock.killed(Path(instance.root_directory) / lock.DAEMON_LOCK)


def heartbeat_age(instance: dg.DagsterInstance) -> float | None:
    """Return the age of the last heartbeat in seconds, negative if the clock was set back; None without one."""
    heartbeat = instance.get_daemon_heartbeats().get(QUEUE_DAEMON)
    return time.time() - heartbeat.timestamp if heartbeat else None


@dataclass(frozen=True)
class Repository:
    """All definitions of one version of the task file, for creating runs; 1,000 tasks load in 1.7 s."""

    reconstructable: ReconstructableRepository
    definition: Any
    location: Any


#: Dagster has one global context for the current load.
_loading = threading.Lock()


def load(settings: Settings, only: str | None = None) -> Repository:
    """Load the definitions of the task file as it is now.

    Args:
        settings: Settings of the project.
        only: Dagster's name of a task or group: only its job is built, if possible.

    Raises:
        TaskFileError: The task file is unusable.
    """
    reconstructable = ReconstructableRepository.for_module(
        "mystocks_dagster.definitions", "defs", working_directory=str(settings.root)
    )
    origins = WorkspaceFileTarget([str(settings.root / "workspace.yaml")]).create_origins()
    with _loading, building_only(only):
        return Repository(reconstructable, reconstructable.get_definition(), origins[0])


def create_run(
    instance: dg.DagsterInstance,
    repository: Repository,
    job: str,
    config: Mapping[str, Any],
    tags: Mapping[str, str],
    steps: list[str] | None = None,
    assets: frozenset[dg.AssetKey] | None = None,
) -> str:
    """Create a run of `job` without starting it; return its id.

    Args:
        instance: Dagster's instance.
        repository: Result of `load`.
        job: Name of a job in Dagster.
        config: Run config.
        tags: Tags in addition to those of the job.
        steps: Limits the run to these steps.
        assets: Limits the run to these assets, for the job of all assets.

    Raises:
        UnknownName: The job does not exist.
        InvalidParams: The config is invalid; the message has Dagster's reasons.
    """
    definition = repository.definition
    if not definition.has_job(job):
        raise UnknownName(f"There is no job {job!r}.")
    job_definition = definition.get_job(job)
    if assets is not None:
        job_definition = job_definition.get_subset(asset_selection=assets)
    try:
        run = instance.create_run_for_job(
            job_definition,
            run_config=config,
            op_selection=steps,
            asset_selection=assets,
            tags={
                **job_definition.run_tags,
                ".dagster/repository": f"{REPOSITORY}@{repository.location.location_name}",
                **tags,
            },
            remote_job_origin=_remote_origin(repository.location, job),
            job_code_origin=repository.reconstructable.get_reconstructable_job(job).get_python_origin(),
            repository_load_data=definition.repository_load_data,
        )
    except dg.DagsterInvalidConfigError as error:
        reasons = " ".join(map(_sentence, error.errors))
        raise InvalidParams(f"{job}: the parameters are invalid. {reasons}") from None
    return run.run_id


#: What a parameter takes, by the name of its type in Dagster.
_TAKES = {"String": "text", "Int": "a whole number", "Float": "a number", "Bool": "true or false"}


def _sentence(reason: Any) -> str:
    """Return why Dagster refuses a value; its own words where no single value is of another type."""
    kind = getattr(getattr(reason.error_data, "config_type_snap", None), "given_name", None)
    names = [getattr(entry, "field_name", None) for entry in reason.stack.entries]
    if kind not in _TAKES or not names or names[-1] is None or not hasattr(reason.error_data, "value_rep"):
        return reason.message
    name, value = names[-1], reason.error_data.value_rep[:80]
    if kind == "String":
        return f"{name} is {value}, and it takes text. Write it in quotes; in a terminal: -p '{name}=\"{value}\"'"
    return f"{name} is {value}, and it takes {_TAKES[kind]}."


def _remote_origin(location: Any, job: str) -> Any:
    return RemoteRepositoryOrigin(location, REPOSITORY).get_job_origin(job)


def start(instance: dg.DagsterInstance, run_id: str, *, queued: bool) -> None:
    """Queue a run, or (`queued` False) start its process at once; a run that cannot be started fails."""
    # Neither the launcher nor the queue uses the workspace.
    workspace: Any = None
    try:
        if queued:
            instance.submit_run(run_id, workspace)
        else:
            event_file.prepare(instance, run_id)
            _release_lost(instance)
            instance.launch_run(run_id, workspace)
    except BaseException as error:  # Ctrl-C too: a created run that never starts would count for max_instances
        run = instance.get_run_by_id(run_id)
        if run is not None and run.status == dg.DagsterRunStatus.NOT_STARTED:
            instance.report_run_failed(run, f"The run was not started: {error!r}")
        raise


def follow(
    instance: dg.DagsterInstance,
    run_id: str,
    abandoned: Callable[[], None] = lambda: None,
    database: Callable[[bool], None] = lambda answers: None,
) -> Iterator[Any]:
    """Yield the run's event log entries as they are written, until the run has ended.

    An outage of the database is waited for.

    Args:
        instance: Dagster's instance.
        run_id: The run.
        abandoned: Called once if the run is in the queue and no daemon is alive that takes it off.
        database: Called when the database has ceased to answer, and when it answers again.
    """
    cursor, said, answers = None, False, True
    while True:
        found = _read(instance, run_id, cursor)
        if answers != (found is not None):
            answers = not answers
            database(answers)
        if found is None:
            time.sleep(_POLL_SECONDS)
            continue
        for record in found.records:
            yield record.event_log_entry
        cursor = found.cursor
        if found.ended and not found.has_more:
            return
        if not found.records:
            if found.is_abandoned and not said:
                said = True
                abandoned()
            time.sleep(_POLL_SECONDS)


@dataclass(frozen=True)
class _Found:
    """What a look at a run has found: its new records, and its state before them."""

    records: Sequence[Any]
    cursor: str
    has_more: bool
    ended: bool
    is_abandoned: bool


def _read(instance: dg.DagsterInstance, run_id: str, cursor: str | None) -> _Found | None:
    """Look at a run, and fail it if it is lost; None if the database does not answer."""
    try:
        run = instance.get_run_by_id(run_id)
        connection = instance.get_records_for_run(run_id, cursor=cursor)
        ended, abandoned = run is None or run.is_finished, False
        if run is not None and not ended and not connection.records:
            _watch(instance, run)
            abandoned = run.status == dg.DagsterRunStatus.QUEUED and not daemon_alive(instance)
    except Exception as error:
        if outage.explain(error) is None:
            raise
        return None
    return _Found(connection.records, connection.cursor, connection.has_more, ended, abandoned)


def _watch(instance: dg.DagsterInstance, run: Any) -> None:
    """Fail a run whose process is gone, if no daemon is alive that does so.

    With a daemon, a run that it is just launching would seem to have no process.
    """
    if daemon_alive(instance):
        return
    launcher = instance.run_launcher
    if run is None or run.status not in (
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.CANCELING,
    ):
        return
    health = launcher.check_run_worker_health(run)
    if health.status.value == "FAILED":
        latest = instance.get_run_by_id(run.run_id)
        if latest is not None and not latest.is_finished:
            instance.report_run_failed(latest, health.msg)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _release_lost(instance: dg.DagsterInstance) -> None:
    """Fail runs whose process is gone and free their slots in pools, for which a new run would wait for ever."""
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])):
        _watch(instance, run)
    for run_id in instance.event_log_storage.get_concurrency_run_ids():
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            instance.event_log_storage.free_concurrency_slots_for_run(run_id)
