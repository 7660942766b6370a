"""Definitions with a single job, for the process that creates a run of it and the process that executes the run."""

import dagster as dg

from mystocks_dagster.dagster_internals import DefinitionsLoadContext, DefinitionsLoadType
from mystocks_dagster.factory.jobs import build_group_job, build_task_job
from mystocks_dagster.factory.ops import build_op
from mystocks_dagster.factory.spec import build_specs
from mystocks_dagster.only_job import only_job
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import Metadata
from mystocks_dagster.taskfile.last_good import FOLDER, load_for_running
from mystocks_dagster.taskfile.reader import Version
from mystocks_dagster.taskfile.versions import load_version
from mystocks_dagster.trading_calendar import shared


def load_single_job() -> dg.Definitions | None:
    """Return the only job that this process needs; None if it needs all definitions."""
    job, settings = only_job(), Settings.from_env()
    if job is None:
        return None
    version = load_queued(settings) or load_for_running(settings, job)
    single = build_single_job(version, job) if version else None
    if version and single:
        shared.fetch(settings)
        DefinitionsLoadContext.get().add_to_pending_reconstruction_metadata(Metadata.TASKFILE, version.hash)
    return single


def load_queued(settings: Settings, key: str = Metadata.TASKFILE) -> Version | None:
    """Return the version with which this process's run was queued; None in a process that initializes."""
    context = DefinitionsLoadContext.get()
    if context.load_type != DefinitionsLoadType.RECONSTRUCTION:
        return None
    queued = context.reconstruction_metadata.get(key)
    return load_version(settings.dagster_home / FOLDER, queued, only_job()) if queued else None


def build_single_job(version: Version, name: str) -> dg.Definitions | None:
    """Return the job of a task or group; None for another job, which may need all definitions.

    Args:
        version: The file, or the part of it that the job needs.
        name: The job's name in Dagster.
    """
    specs = build_specs(version)
    ops = {task_id: build_op(spec) for task_id, spec in specs.items()}
    for spec in specs.values():
        if spec.name == name:
            return _only(build_task_job(spec, specs, ops), version)
    for group in version.taskfile.task_groups:
        if group.dagster_name == name:
            return _only(build_group_job(group, specs, ops), version)
    return None


def _only(job: dg.JobDefinition, version: Version) -> dg.Definitions:
    return dg.Definitions(
        jobs=[job],
        executor=dg.in_process_executor,
        loggers={"console": dg.json_console_logger} if Settings.from_env().log_json else None,
        metadata={Metadata.TASKFILE: version.hash, Metadata.SOURCE: str(version.source)},
    )
