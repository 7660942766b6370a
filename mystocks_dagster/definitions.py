"""What Dagster loads: the tasks of tasks.yaml, and what is written by hand in `defs/`. Nothing happens at import."""

from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from pathlib import Path

    from mystocks_dagster.project.edit import EditResult
    from mystocks_dagster.settings import Settings


@dg.definitions
def defs() -> dg.Definitions:
    """Return the tasks of tasks.yaml, what is in `defs/`, and the jobs that look after the project."""
    from mystocks_dagster.component import load_project
    from mystocks_dagster.factory.management import ManagementActions

    return load_project(
        ManagementActions(
            clean=_clean, take_in=_take_in, delete=_delete, refresh_calendar=_refresh_calendar, reload=_reload
        )
    )


def _clean(settings: "Settings", days: int, dry_run: bool) -> dict[str, Any]:
    from mystocks_dagster.project.project import Project

    done = Project(settings).cleanup(days, dry_run=dry_run)
    what = f"{done.runs} runs with {done.executions} executions, {done.ticks} ticks, {done.bytes_freed:,} bytes"
    told = f"would remove {what}" if dry_run else f"removed {what}"
    return {**done.to_json(), "message": f"older than {days} days: {told}."}


def _take_in(settings: "Settings", path: "Path", dry_run: bool) -> dict[str, Any]:
    from mystocks_dagster.project.edit import TaskFileEditor

    edited = TaskFileEditor(settings, trusted=False).import_file(path, dry_run=dry_run)
    if not edited.diff:
        return {"message": f"{settings.task_file} has all of {path} already: nothing to change."}
    return _told(str(path), edited, dry_run)


def _delete(settings: "Settings", name: str, force: bool, dry_run: bool) -> dict[str, Any]:
    from mystocks_dagster.project.edit import TaskFileEditor

    return _told(
        f"{name} deleted", TaskFileEditor(settings, trusted=False).remove(name, force=force, dry_run=dry_run), dry_run
    )


def _refresh_calendar(settings: "Settings", source: str | None) -> dict[str, Any]:
    from mystocks_dagster.errors import SourceUnavailable
    from mystocks_dagster.project.calendar_refresh import refresh_calendar

    done = refresh_calendar(settings, source)
    if done.error:
        raise SourceUnavailable(done.message)
    return done.to_json()


def _reload() -> None:
    from mystocks_dagster.project.reload import reload
    from mystocks_dagster.settings import Settings

    reload(Settings.from_env())


def _told(what: str, edited: "EditResult", dry_run: bool) -> dict[str, Any]:
    done = "a dry run, nothing is written" if dry_run else edited.unused or "written to the task file, and loaded"
    return {"message": f"{what}: {done}.", "diff": dg.MetadataValue.md(f"```diff\n{edited.diff}\n```")}
