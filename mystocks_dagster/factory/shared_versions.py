"""Versions of the task file on their way between machines: each run takes the version with which it was queued along.

A machine that executes a run has neither the file of the machine that queued it nor its copies. See decision 4.
"""

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

from mystocks_dagster.history.dagster_storage import run_storage
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import Metadata, Storage
from mystocks_dagster.taskfile.last_good import FOLDER
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.shared_version import unpack
from mystocks_dagster.taskfile.versions import load_version


def publish(instance: Any, run: Any) -> None:
    """Store the versions of the task files of a run in Dagster's storage, unless they are there, and which is newest.

    A clean-up removes those that no run refers to.
    """
    settings = Settings.from_env()
    wanted = {f"{Storage.TASK_FILES}{content}": content for content in _versions(instance, run)}
    stored = run_storage(instance).get_cursor_values({*wanted, Storage.TASK_FILE})
    for key, content in wanted.items():
        if key not in stored:
            with contextlib.suppress(FileNotFoundError):  # the machine that queued the run has published it
                text = (settings.dagster_home / FOLDER / f"{content}.json").read_text(encoding="utf-8")
                content_now = {"root": str(settings.root), "stored": time.time(), "copy": json.loads(text)}
                packed = json.dumps(content_now, ensure_ascii=False, separators=(",", ":"))
                run_storage(instance).set_cursor_values({key: packed})
        if stored.get(Storage.TASK_FILE) != content:
            run_storage(instance).set_cursor_values({Storage.TASK_FILE: content})


def fetch(instance: Any, run: Any, settings: Settings) -> None:
    """Write the versions of the task files of a run that this machine does not have into its own folder of copies."""
    for content in _versions(instance, run):
        path = settings.dagster_home / FOLDER / f"{content}.json"
        if path.exists():
            continue
        key = f"{Storage.TASK_FILES}{content}"
        packed = run_storage(instance).get_cursor_values({key}).get(key)
        if packed:
            unpack(packed, path, settings.root)


def fault(instance: Any, run: Any, settings: Settings) -> str | None:
    """Return why this machine cannot load the tasks of a run, such as code that it lacks; None if it can."""
    for content in _versions(instance, run):
        try:
            load_version(settings.dagster_home / FOLDER, content, run.job_name)
        except TaskFileError as error:
            return str(error)
    return None


def _versions(instance: Any, run: Any) -> Iterator[str]:
    """Yield the hashes of the task files with which a run was queued."""
    if run.execution_plan_snapshot_id is None:
        return
    loaded = instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id).repository_load_data
    metadata = (loaded.reconstruction_metadata if loaded else None) or {}
    for key, value in metadata.items():
        if key.split("/", 2)[:2] == Metadata.TASKFILE.split("/"):
            yield str(getattr(value, "value", value))
