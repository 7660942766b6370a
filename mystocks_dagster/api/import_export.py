"""The calls that take a whole file in and out, within the export folder only."""

import json
from typing import Any

from fastapi import APIRouter

from mystocks_dagster.api.request_models import ExportBody, ImportBody, Manager
from mystocks_dagster.api.response_models import Exported, TaskResponse, described
from mystocks_dagster.errors import InvalidParams

router = APIRouter(prefix="/api/tasks", tags=["file"])


@router.post("/import", responses=described(TaskResponse))
def import_config(manager: Manager, body: ImportBody) -> Any:
    """Take the tasks and groups of another file, YAML or JSON, into tasks.yaml; those of the same id are replaced."""
    if (body.config_path is None) == (body.config is None):
        raise InvalidParams("Send either config_path (a file of the export folder) or config (the tasks themselves).")
    if body.config is not None:
        return manager.import_text(json.dumps(body.config, ensure_ascii=False), "body", dry_run=body.dry_run).to_json()
    return manager.import_config(body.config_path or "", dry_run=body.dry_run).to_json()


@router.post("/export", responses=described(Exported))
def export_config(manager: Manager, body: ExportBody) -> Any:
    """Write tasks.yaml to a file, as JSON when its name ends so; `path` says which."""
    return {"success": True, "path": str(manager.export_config(body.output_path))}
