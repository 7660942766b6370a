"""Which version of the task file a process works with, and what of it that process needs.

Only a process that *initializes* the code location reads tasks.yaml; it keeps a copy under the text's hash, and
every run remembers that hash (Dagster's reconstruction metadata). A run's own processes use the copy, so a save in
the middle never changes or kills running work. See docs/decisions/0004.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import dagster as dg

# Dagster tells a definitions function why it is called only through this class; it has no public path in 1.13.
from mystocks_dagster.dagster_internals import DefinitionsLoadContext, DefinitionsLoadType
from mystocks_dagster.factory.single_job import build_single_job
from mystocks_dagster.settings import Settings, only_job
from mystocks_dagster.sources.registry import is_simulated
from mystocks_dagster.tags import Metadata
from mystocks_dagster.taskfile.last_good import FOLDER, load_for_running, load_usable
from mystocks_dagster.taskfile.reader import Version
from mystocks_dagster.taskfile.versions import load_version, store
from mystocks_dagster.trading_calendar import shared

if TYPE_CHECKING:
    from mystocks_dagster.factory.management import ManagementActions

SIMULATED = "⚠ Simulated market (模拟行情): these are not real prices."


def load_definitions(hands: "Callable[[], ManagementActions] | None" = None) -> dg.Definitions:
    """Return the definitions of this process: all tasks of the file as it is now, or a run's job as it was queued.

    When nothing of the file can be used, they are those of its last good version, which a daemon that runs goes on
    with too.

    Args:
        hands: What the jobs that look after the project need of the layers above; without it they are left out.

    Raises:
        TaskFileError: The task file cannot be used, and no version of it could; the message has every problem with its
            line.
    """
    settings = Settings.from_env()
    shared.fetch(settings)
    version = load_queued(settings) or _read(settings)
    DefinitionsLoadContext.get().add_to_pending_reconstruction_metadata(Metadata.TASKFILE, version.hash)
    # Whoever makes a run of a task or group, or works on one, builds nothing else.
    if (job := only_job()) and (single := build_single_job(version, job)):
        return single
    from mystocks_dagster.factory.build import build_definitions

    notice, actions = SIMULATED if is_simulated(settings.source) else None, hands() if hands else None
    own = build_definitions(version, notice, actions.reload if actions else None)
    return dg.Definitions.merge(own, _system(version, actions))


def _system(version: Version, hands: "ManagementActions | None") -> dg.Definitions:
    from mystocks_dagster.factory.management import build_calendar_schedule, build_management_jobs
    from mystocks_dagster.factory.statistics import build_refresher, build_statistics

    names = {task.task_id: task.task_name for task in version.taskfile.tasks}
    task_ids = {task.dagster_name: task.task_id for task in version.taskfile.tasks}
    return dg.Definitions(
        assets=[build_statistics(names, task_ids)],
        sensors=[build_refresher(names, task_ids)],
        jobs=build_management_jobs(hands) if hands else [],
        schedules=[build_calendar_schedule()] if hands else [],
    )


def _read(settings: Settings) -> Version:
    only = only_job()
    if only and (part := load_for_running(settings, only)):
        return part
    version = load_usable(settings)
    if version.unusable is None:
        store(version, settings.dagster_home / FOLDER)
    return version


def load_queued(settings: Settings) -> Version | None:
    """Return the version that this process's run was queued with, or None in a process that initializes."""
    context = DefinitionsLoadContext.get()
    if context.load_type != DefinitionsLoadType.RECONSTRUCTION:
        return None
    queued = context.reconstruction_metadata.get(Metadata.TASKFILE)
    return load_version(settings.dagster_home / FOLDER, queued, only_job()) if queued else None
