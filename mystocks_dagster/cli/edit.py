"""add, edit, remove, import, export, reload: changes of tasks.yaml, each followed by a reload."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import TaskOrGroup
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, escape, print_json
from mystocks_dagster.errors import InstanceError, InvalidParams
from mystocks_dagster.settings import Settings

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the difference, and change nothing.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(add)
    app.command()(edit)
    app.command()(remove)
    app.command("import")(import_tasks)
    app.command()(export)
    app.command()(reload)


def add(
    file: Annotated[str, typer.Argument(help="A file with one task or group, YAML or JSON; - is stdin.")],
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Add a task or group to tasks.yaml.

    Example: mystocks add my_task.yaml
    """
    from mystocks_dagster.taskfile.yaml.source import read_text

    if file != "-" and not Path(file).is_file():
        raise typer.BadParameter(f"there is no file {file}", param_hint="FILE")
    entry = _entry(sys.stdin.read(), "stdin") if file == "-" else _entry(read_text(Path(file)), file)
    _show(_editor().add(entry, dry_run=dry_run), json=json)


def edit(
    name: TaskOrGroup,
    changes: Annotated[
        list[str],
        typer.Argument(
            help="field=value, also params.name=value; the value is read as YAML, and null removes the field."
        ),
    ],
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Change fields of a task or group in tasks.yaml; comments and order stay.

    Example: mystocks edit daily_data_sync timeout=1800 schedule.enabled=false
    """
    _show(_editor().edit(name, _changes(changes), dry_run=dry_run), json=json)


def remove(
    name: TaskOrGroup,
    force: Annotated[
        bool, typer.Option("--force", help="Also take it out of the tasks and groups that name it.")
    ] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Remove a task or group from tasks.yaml; its history stays.

    Example: mystocks remove fetch_lhb_data --force
    """
    _show(_editor().remove(name, force=force, dry_run=dry_run), json=json)


def import_tasks(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="A task file, YAML or JSON.")
    ],
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Take the tasks and groups of another file into tasks.yaml; those of the same id are replaced.

    Example: mystocks import other_tasks.yaml --dry-run
    """
    _show(_editor().import_file(file, dry_run=dry_run), json=json)


def export(
    file: Annotated[Path | None, typer.Argument(help="A new file, or a former export; printed when left out.")] = None,
    form: Annotated[
        Literal["yaml", "json"] | None,
        typer.Option("--format", help="yaml or json; by default as FILE is called, else yaml."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also replace a file that is no former export.")] = False,
) -> None:
    """Write tasks.yaml as YAML or JSON; variables stay as they are written, so that no secret leaves.

    Example: mystocks export backup.json
    """
    from mystocks_dagster.taskfile.edit import serialization

    if file is None:
        sys.stdout.write(serialization.export_text(Settings.from_env().task_file, form or "yaml"))
    else:
        _editor().export(file, form, force=force)
        console.print(f"wrote {file}", markup=False)


def reload(json: Json = False) -> None:
    """Make the running web UI and daemon use tasks.yaml as it is now; queued and running work is not touched.

    Example: mystocks reload
    """
    done = open_project().reload()
    if json:
        print_json(done.to_json())
    else:
        _tell(done)


def _editor() -> Any:
    return open_project().edits


def _show(done: Any, *, json: bool) -> None:
    """Show what an edit changed, and which version is used now."""
    path = done.edit.path
    if json:
        print_json(done.to_json())
    elif not done.diff:
        console.print("Nothing to change.")
    else:
        console.print(done.diff, markup=False)
        if done.dry_run:
            console.print(f"[dim]A dry run: {escape(str(path))} is as it was.[/]")
        else:
            console.print(f"\n[green]saved[/] {escape(str(path))} (before: {escape(path.name)}.bak)")
    if done.unused:
        raise InstanceError(f"{path} is saved, but not in use yet. {done.unused}")
    if done.reloaded and not json:
        _tell(done.reloaded)


def _tell(done: Any) -> None:
    """Say which version of the file is used now, and by whom."""
    taskfile = done.version.taskfile
    what = f"version {done.version.hash} ({len(taskfile.tasks)} tasks, {len(taskfile.task_groups)} groups)"
    if done.address:
        console.print(f"[green]loaded[/] {what}: the web UI at {done.address} uses it now, the daemon within a minute;")
        console.print("queued and running work keeps the version it was started with.")
    else:
        console.print(
            f"{what}: no web UI of this project runs, so there is nothing to reload; the next run or start reads the file."
        )
    if done.version.broken:
        console.print(f"[red]Not loaded:[/] {escape(', '.join(done.version.broken))}. See: mystocks check")


def _entry(text: str, name: str) -> Mapping[str, Any]:
    """Return the one task or group of a text: by itself, as one item of a list, or under `tasks:`."""
    from mystocks_dagster.taskfile.yaml.source import parse_text

    data = parse_text(f"tasks:\n{text}" if text.lstrip().startswith("- ") else text, name).data
    if {"task_id", "group_id"} & set(data) or not {"tasks", "task_groups"} & set(data):
        return data
    entries = [one for section in ("tasks", "task_groups") for one in data.get(section) or []]
    if len(entries) != 1 or not isinstance(entries[0], dict):
        raise InvalidParams(
            f"{name} holds {len(entries)} entries; add takes one task or group. For a whole file: mystocks import {name}"
        )
    return entries[0]


def _changes(texts: list[str]) -> dict[str, Any]:
    """Return `a.b=value` arguments as nested changes."""
    changes: dict[str, Any] = {}
    for text in texts:
        field, equals, value = text.partition("=")
        if not equals or not all(field.split(".")):
            raise typer.BadParameter(f"{text!r}: write it as field=value.")
        *outer, last = field.split(".")
        place = changes
        for name in outer:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise typer.BadParameter(f"{text!r}: {name} is given a value of its own already.")
        place[last] = _value(value)
    return changes


def _value(text: str) -> Any:
    """Return what the text stands for in a task file; a cron expression such as `* * * * *`, which is no YAML, for itself."""
    from mystocks_dagster.taskfile.problems import TaskFileError
    from mystocks_dagster.taskfile.yaml.source import parse_text

    try:
        return parse_text(f"value: {text}", "value").data["value"]
    except TaskFileError:
        return text
