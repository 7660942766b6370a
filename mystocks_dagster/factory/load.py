"""Load the version of a task file that this process needs, and build its definitions.

Only a process that *initializes* the code location reads the task files. It stores a copy under the text's hash, and
every run keeps that hash (Dagster's reconstruction metadata). A run's own processes load the copy, so a save of the
file does not change an active run. See docs/decisions/0004.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import dagster as dg

from mystocks_dagster.dagster_internals import DefinitionsLoadContext
from mystocks_dagster.factory.build import CodeLocation
from mystocks_dagster.factory.lake_resource import LakeResource
from mystocks_dagster.factory.loaded_file import LoadedFile
from mystocks_dagster.factory.management import ManagementActions, build_calendar_schedule, build_management_jobs
from mystocks_dagster.factory.partitions import stored_first_days
from mystocks_dagster.factory.single_job import load_queued
from mystocks_dagster.factory.statistics import build_refresher, build_statistics
from mystocks_dagster.factory.together import conflicts
from mystocks_dagster.migration_scripts import read_once
from mystocks_dagster.only_job import only_job
from mystocks_dagster.settings import Settings, validating
from mystocks_dagster.sources.registry import is_simulated
from mystocks_dagster.tags import Metadata
from mystocks_dagster.taskfile.last_good import FOLDER, load_usable
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.reader import Version
from mystocks_dagster.taskfile.versions import store
from mystocks_dagster.trading_calendar import shared

SIMULATED = "⚠ Simulated market (模拟行情): these are not real prices."


def load_definitions(actions: ManagementActions | None = None) -> dg.Definitions:
    """Return the definitions of the project's own tasks.yaml; see `load_file` and `shared_definitions`."""
    location = open_location([load_file(Settings.from_env())])
    own = location.definitions_of(location.files[0])
    return dg.Definitions.merge(own, shared_definitions(location, actions), dg.Definitions(executor=EXECUTOR))


#: The launcher starts a process for each run, so its steps need no other.
EXECUTOR = dg.in_process_executor


def load_file(settings: Settings, *, name: str = "", lake: str | None = None, source: str | None = None) -> LoadedFile:
    """Return the task file for this process: the current version, or the one with which its run was queued.

    If the whole file is unusable, its last good version is returned, which an active daemon uses too.

    Args:
        settings: Settings of the project; `task_file` is the file.
        name: The folder of its component below `defs/`; empty for the project's own tasks.yaml.
        lake: Lake of its tasks; None for the project's.
        source: Data source of its tasks; None for the project's, or that of each task.

    Raises:
        TaskFileError: The task file is unusable, and so was every version of it; the message lists the problems with
            their lines.
    """
    read_once()  # the code server opens the instance at each evaluation
    key = f"{Metadata.TASKFILE}/{name}" if name else Metadata.TASKFILE
    shared.fetch(settings)
    version = load_queued(settings, key) or _read(settings)
    DefinitionsLoadContext.get().add_to_pending_reconstruction_metadata(key, version.hash)
    file = LoadedFile(version=version, name=name, lake=lake, source=source)
    if not only_job():  # only the catalog needs them; a run may load any day
        file = replace(file, first_days=stored_first_days(file.settings()))
    return replace(file, notice=SIMULATED) if is_simulated(file.settings().source) else file


def open_location(files: Sequence[LoadedFile]) -> CodeLocation:
    """Return the code location of these task files.

    Raises:
        TaskFileError: Two files have the same task or group id, two have alerts, two lakes have the same name, or
            Dagster validates the definitions and one of the files has a problem.
    """
    problems = conflicts(files)
    if validating():
        versions = [file.version for file in files]
        of_each = (version.unusable.problems if version.unusable else version.problems for version in versions)
        problems = [*itertools.chain.from_iterable(of_each), *problems]
    if problems:
        raise TaskFileError(problems)
    return CodeLocation(files=tuple(files))


def shared_definitions(location: CodeLocation, actions: ManagementActions | None = None) -> dg.Definitions:
    """Return the definitions that all task files of a location share.

    Args:
        location: The task files.
        actions: Callbacks of the management jobs; without them these jobs are left out.
    """
    resources = dg.Definitions(resources=lake_resources(location))
    # The worker of a task or group needs only the resources.
    if only_job() in location.jobs:
        return resources
    version = location.version
    names = {task.task_id: task.task_name for task in version.taskfile.tasks}
    task_ids = {task.dagster_name: task.task_id for task in version.taskfile.tasks}
    system = dg.Definitions(
        assets=[build_statistics(names, task_ids)],
        sensors=[build_refresher(names, task_ids)],
        jobs=build_management_jobs(actions) if actions else [],
        schedules=[build_calendar_schedule()] if actions else [],
    )
    return dg.Definitions.merge(resources, location.shared_definitions(actions.reload if actions else None), system)


def lake_resources(location: CodeLocation) -> dict[str, LakeResource]:
    """Return the resources for hand-written assets: `lake` is the project's lake, or that of the first file.

    The own lake of a file is also a resource with the name of its folder, such as `hongkong_lake`.
    """
    resources = {"_".join((*file.prefix, "lake")): LakeResource(location=file.lake or "") for file in location.files}
    return {"lake": resources[next(iter(resources))], **resources}


def _read(settings: Settings) -> Version:
    version = load_usable(settings)
    if version.unusable is None:
        store(version, settings.dagster_home / FOLDER)
    return version
