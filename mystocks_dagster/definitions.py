"""Dagster's entry point: the tasks of tasks.yaml and the hand-written definitions in `defs/`, loaded lazily."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from mystocks_dagster.project.edit import EditResult
    from mystocks_dagster.project.project import Project
    from mystocks_dagster.settings import Settings


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions of tasks.yaml and of `defs/`, and the management jobs."""
    from mystocks_dagster.factory.single_job import load_single_job

    # A process that creates or executes a run of a task or group needs only its job.
    if single := load_single_job():
        return single
    from mystocks_dagster.component import load_project
    from mystocks_dagster.factory.management import ManagementActions

    return load_project(
        ManagementActions(
            clean=_clean,
            import_file=_import,
            export=_export,
            delete=_delete,
            refresh_calendar=_refresh_calendar,
            reload=_reload,
        )
    )


def _project(settings: "Settings | None" = None) -> "Project":
    """Return the project with the limits of the management jobs, which any user of Dagster's UI can start."""
    from mystocks_dagster.project.access import JOBS
    from mystocks_dagster.project.project import Project
    from mystocks_dagster.settings import Settings

    return Project(settings or Settings.from_env(), caller=JOBS)


def _clean(settings: "Settings", days: int, dry_run: bool) -> dict[str, Any]:
    done = _project(settings).history.clean_up(days, dry_run=dry_run)
    what = f"{done.runs} runs with {done.executions} executions, {done.ticks} ticks, {done.bytes_freed:,} bytes"
    message = f"would remove {what}" if dry_run else f"removed {what}"
    return {**done.to_json(), "message": f"older than {days} days: {message}."}


def _import(settings: "Settings", path: str, dry_run: bool) -> dict[str, Any]:
    edited = _project(settings).edits.import_file(path, dry_run=dry_run)
    if not edited.diff:
        return {"message": f"{settings.task_file} already contains all of {path}; nothing to change."}
    return _message(path, edited, dry_run)


def _export(settings: "Settings", target: str, form: str | None) -> dict[str, Any]:
    path = _project(settings).edits.export(target, form)  # ty: ignore[invalid-argument-type]
    return {"message": f"wrote {path}", "path": dg.MetadataValue.path(str(path)), "bytes": path.stat().st_size}


def _delete(settings: "Settings", name: str, force: bool, dry_run: bool) -> dict[str, Any]:
    edited = _project(settings).edits.remove(name, force=force, dry_run=dry_run)
    return _message(f"{name} deleted", edited, dry_run)


def _refresh_calendar(settings: "Settings", source: str | None) -> Mapping[str, Any]:
    from mystocks_dagster.errors import SourceUnavailable

    result = _project(settings).refresh_calendar(source)
    if result.error:
        raise SourceUnavailable(result.message)
    return result.to_json()


def _reload() -> None:
    _project().reload()


def _message(action: str, edited: "EditResult", dry_run: bool) -> dict[str, Any]:
    outcome = "dry run, nothing is written" if dry_run else edited.unused or "written to the task file and loaded"
    return {"message": f"{action}: {outcome}.", "diff": dg.MetadataValue.md(f"```diff\n{edited.diff}\n```")}
