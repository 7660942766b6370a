"""Which version of a task file a process works with, and what of it that process needs.

Only a process that *initializes* the code location reads the task files; it keeps a copy under the text's hash, and
every run remembers that hash (Dagster's reconstruction metadata). A run's own processes use the copy, so a save in
the middle never changes or kills running work. See docs/decisions/0004.
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
from mystocks_dagster.settings import Settings, only_job, validating
from mystocks_dagster.sources.registry import is_simulated
from mystocks_dagster.tags import Metadata
from mystocks_dagster.taskfile.last_good import FOLDER, load_usable
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.reader import Version
from mystocks_dagster.taskfile.versions import store
from mystocks_dagster.trading_calendar import shared

SIMULATED = "⚠ Simulated market (模拟行情): these are not real prices."


def load_definitions(hands: ManagementActions | None = None) -> dg.Definitions:
    """Return the definitions of the project's own tasks.yaml; see `load_file` and `shared_definitions`."""
    location = open_location([load_file(Settings.from_env())])
    own = location.definitions_of(location.files[0])
    return dg.Definitions.merge(own, shared_definitions(location, hands), dg.Definitions(executor=EXECUTOR))


#: Each run of a project of ours is a process already; a step needs no other one.
EXECUTOR = dg.in_process_executor


def load_file(settings: Settings, *, name: str = "", lake: str | None = None, source: str | None = None) -> LoadedFile:
    """Return a task file of this process: all tasks of the file as it is now, or a run's job as it was queued.

    When nothing of the file can be used, they are those of its last good version, which a daemon that runs goes on
    with too.

    Args:
        settings: The project's; `task_file` is the file.
        name: The folder of its component below `defs/`; empty for the project's own tasks.yaml.
        lake: The lake of its tasks; None for the project's.
        source: The data source of its tasks; None for the project's, or what each task names.

    Raises:
        TaskFileError: The task file cannot be used, and no version of it could; the message has every problem with
            its line.
    """
    key = f"{Metadata.TASKFILE}/{name}" if name else Metadata.TASKFILE
    shared.fetch(settings)
    version = load_queued(settings, key) or _read(settings)
    DefinitionsLoadContext.get().add_to_pending_reconstruction_metadata(key, version.hash)
    file = LoadedFile(version=version, name=name, lake=lake, source=source)
    if not only_job():  # a run may load any day; what the lake has decides only which days the catalog lists
        file = replace(file, first_days=stored_first_days(file.settings()))
    return replace(file, notice=SIMULATED) if is_simulated(file.settings().source) else file


def open_location(files: Sequence[LoadedFile]) -> CodeLocation:
    """Return the code location of these task files.

    Raises:
        TaskFileError: Two of them have the same task or group id, two have alerts, or two lakes have the same name; or
            Dagster validates the definitions, and anything is wrong with one of the files.
    """
    problems = conflicts(files)
    if validating():
        versions = [file.version for file in files]
        of_each = (version.unusable.problems if version.unusable else version.problems for version in versions)
        problems = [*itertools.chain.from_iterable(of_each), *problems]
    if problems:
        raise TaskFileError(problems)
    return CodeLocation(files=tuple(files))


def shared_definitions(location: CodeLocation, hands: ManagementActions | None = None) -> dg.Definitions:
    """Return what is there once for all task files of a location.

    Args:
        location: The task files.
        hands: What the jobs that look after the project need of the layers above; without it they are left out.
    """
    resources = dg.Definitions(resources=lake_resources(location))
    # A worker of a task or group builds nothing else.
    if only_job() in location.jobs:
        return resources
    version = location.version
    names = {task.task_id: task.task_name for task in version.taskfile.tasks}
    task_ids = {task.dagster_name: task.task_id for task in version.taskfile.tasks}
    system = dg.Definitions(
        assets=[build_statistics(names, task_ids)],
        sensors=[build_refresher(names, task_ids)],
        jobs=build_management_jobs(hands) if hands else [],
        schedules=[build_calendar_schedule()] if hands else [],
    )
    return dg.Definitions.merge(resources, location.shared_definitions(hands.reload if hands else None), system)


def lake_resources(location: CodeLocation) -> dict[str, LakeResource]:
    """Return the resources with which hand-written assets read: `lake` is the project's lake, else the first file's.

    The lake of a file that names one is also called after that lake's folder: `hongkong_lake`.
    """
    named = {"_".join((*file.prefix, "lake")): LakeResource(location=file.lake or "") for file in location.files}
    return {"lake": named[next(iter(named))], **named}


def _read(settings: Settings) -> Version:
    version = load_usable(settings)
    if version.unusable is None:
        store(version, settings.dagster_home / FOLDER)
    return version
