"""Which version of the task file a process works with, and what of it that process needs.

Only a process that *initializes* the code location reads tasks.yaml; it keeps a copy under the text's hash, and
every run remembers that hash (Dagster's reconstruction metadata). A run's own processes use the copy, so a save in
the middle never changes or kills running work. See docs/decisions/0004.
"""

from collections.abc import Iterable
from pathlib import Path

import dagster as dg

# Dagster tells a definitions function why it is called only through this class; it has no public path in 1.13.
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext, DefinitionsLoadType

from mystocks_dagster.factory.build import build_definitions
from mystocks_dagster.factory.spec import build_specs
from mystocks_dagster.settings import Settings, only_job
from mystocks_dagster.taskfile.versions import Version, load_version, store_version

#: Under this key a run remembers the version of the file that it was queued with.
VERSION_KEY = "mystocks/taskfile"
SIMULATED = "⚠ Simulated market (模拟行情): these are not real prices."


def load_definitions() -> dg.Definitions:
    """Return the definitions of this process: all tasks of the file as it is now, or a run's job as it was queued.

    Raises:
        TaskFileError: The task file cannot be used; the message has every problem with its line.
    """
    settings = Settings.from_env()
    folder = settings.dagster_home / "taskfiles"
    queued = _queued_version()
    version = load_version(folder, queued, _wanted(only_job())) if queued else store_version(settings.task_file, folder)
    notice = SIMULATED if settings.source == "simulated" else None
    definitions = build_definitions(build_specs(version), version.taskfile.task_groups, version.hash, notice)
    return definitions.with_reconstruction_metadata({VERSION_KEY: version.hash})


def _queued_version() -> str | None:
    context = DefinitionsLoadContext.get()
    if context.load_type != DefinitionsLoadType.RECONSTRUCTION:
        return None
    return context.reconstruction_metadata.get(VERSION_KEY)
