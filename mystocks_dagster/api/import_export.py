"""REST calls that import and export a whole task file, within the export folder only."""

import json
from typing import Any

from fastapi import APIRouter

from mystocks_dagster.api.languages import SpokenRoute
from mystocks_dagster.api.request_models import ExportBody, ImportBody, Manager
from mystocks_dagster.api.response_models import Exported, TaskResponse, documented
from mystocks_dagster.errors import InvalidParams

router = APIRouter(prefix="/api/tasks", tags=["file"], route_class=SpokenRoute)


@router.post("/import", responses=documented(TaskResponse))
def import_config(manager: Manager, body: ImportBody) -> Any:
    """Import tasks and groups from a YAML or JSON file into tasks.yaml; entries of the same id are replaced."""
    if (body.config_path is None) == (body.config is None):
        raise InvalidParams("Send either config_path (a file in the export folder) or config (a task file's content).")
    if body.config is not None:
        return manager.import_text(json.dumps(body.config, ensure_ascii=False), "body", dry_run=body.dry_run).to_json()
    return manager.import_config(body.config_path or "", dry_run=body.dry_run).to_json()


@router.post("/export", responses=documented(Exported))
def export_config(manager: Manager, body: ExportBody) -> Any:
    """Export tasks.yaml to a file, as JSON if its name ends in .json; `path` is the file."""
    return {"success": True, "path": str(manager.export_config(body.output_path))}
