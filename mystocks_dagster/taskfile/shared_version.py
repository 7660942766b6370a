"""The task file where there is none: the version with which the last run of the machines was queued."""

import json
from pathlib import Path

from mystocks_dagster.settings import Settings
from mystocks_dagster.shared.place import database_url
from mystocks_dagster.tags import Storage
from mystocks_dagster.taskfile import atomic_files


def newest(settings: Settings, folder: Path) -> str | None:
    """Return the hash of the version with which the last run was queued, whose copy is in `folder` then.

    None where this machine has a task file, shares no database, or no run was queued yet.

    Args:
        settings: The project's settings.
        folder: Folder of the copies of versions.

    Raises:
        InstanceError: The database does not answer.
    """
    if settings.task_file.exists() or not (url := database_url(settings.root)):
        return None
    from mystocks_dagster.shared.values import Values

    values = Values(url)
    content = values.get(Storage.TASK_FILE)
    if content is None:
        return None
    path = folder / f"{content}.json"
    if not path.exists():
        packed = values.get(f"{Storage.TASK_FILES}{content}")
        if packed is None:  # a clean-up has removed it with its runs
            return None
        unpack(packed, path, settings.root)
    return content


def unpack(packed: str, path: Path, root: Path) -> None:
    """Write a stored version into a file; its paths are then those of the project's folder on this machine."""
    found = json.loads(packed)
    copy = found["copy"] | {"source": _here(found["copy"]["source"], found["root"], root)}
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_files.replace(path, json.dumps(copy, ensure_ascii=False, separators=(",", ":")).encode(), 0o600)


def _here(source: str, root: str, own: Path) -> str:
    path = Path(source)
    return str(own / path.relative_to(root)) if path.is_relative_to(root) else source
