"""The calls that take a whole file in and out, within the export folder only."""

import json
import re
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from mystocks_dagster.api.inputs import ExportBody, ImportBody, Manager
from mystocks_dagster.api.schemas import Exported, TaskResponse, described
from mystocks_dagster.errors import InvalidParams, SettingsError, UnknownName
from mystocks_dagster.market.clock import now
from mystocks_dagster.settings import Settings

router = APIRouter(prefix="/api/tasks", tags=["file"])
_SUFFIXES = (".yaml", ".yml", ".json")
#: What a person writes into a shell's quotes, and single quotes keep from being read.
_DATE = re.compile(r"\$\(date \+([%YmdHMSj_-]+)\)")


@router.post("/import", responses=described(TaskResponse))
def import_config(manager: Manager, body: ImportBody) -> Any:
    """Take the tasks and groups of another file, YAML or JSON, into tasks.yaml; those of the same id are replaced."""
    if (body.config_path is None) == (body.config is None):
        raise InvalidParams("Send either config_path (a file of the export folder) or config (the tasks themselves).")
    if body.config is not None:
        return manager.import_text(json.dumps(body.config, ensure_ascii=False), "body", dry_run=body.dry_run).to_json()
    path = confined(manager.settings, body.config_path or "")
    if not path.is_file():
        raise UnknownName(f"There is no file {path}.")
    return manager.import_config(path, dry_run=body.dry_run).to_json()


@router.post("/export", responses=described(Exported))
def export_config(manager: Manager, body: ExportBody) -> Any:
    """Write tasks.yaml to a file, as JSON when its name ends so; `path` says which."""
    named = _DATE.sub(lambda found: now().strftime(found[1]), body.output_path)
    path = confined(manager.settings, named)
    if path.exists() and not path.is_file():
        raise InvalidParams(f"{path} is no file; name a file.")
    return {"success": True, "path": str(manager.export_config(path))}


def confined(settings: Settings, named: str) -> Path:
    """Return the file that a path means; a relative one is in the export folder.

    Raises:
        InvalidParams: It lies outside of the export folder, links included, or is none of a task file's kinds.
        SettingsError: The export folder holds the project itself.
    """
    folder = settings.exports.resolve()
    if settings.root.resolve().is_relative_to(folder) or settings.dagster_home.resolve().is_relative_to(folder):
        raise SettingsError(f"MYSTOCKS_EXPORTS is {folder}, which holds the project itself; name a folder of its own, such as exports.")
    try:
        path = (folder / named).resolve()
        fits = max(map(len, map(str.encode, path.parts))) <= 255
    except (ValueError, OSError, RuntimeError):  # a null character, a circle of links
        raise InvalidParams(f"{named[:200]!r} is no path.") from None
    if not fits or len(str(path)) > 4000:
        raise InvalidParams(f"{named[:200]!r}... is too long for a path.")
    if not path.is_relative_to(folder):
        raise InvalidParams(
            f"{named} is outside of the export folder {folder}. Name a file in it; another folder is set by starting the server with "
            "MYSTOCKS_EXPORTS."
        )
    if path.suffix not in _SUFFIXES:
        raise InvalidParams(f"{named}: the name of a task file ends in {', '.join(_SUFFIXES)}.")
    return path
