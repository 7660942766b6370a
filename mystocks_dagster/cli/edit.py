"""add, edit, remove, import, export, reload: change tasks.yaml; each change is followed by a reload."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.completion import TaskOrGroup
from mystocks_dagster.cli.open_project import open_project
from mystocks_dagster.cli.printing import console, escape, print_json, translate
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
    file: Annotated[str, typer.Argument(help="File with one task or group, YAML or JSON; - is stdin.")],
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Add a task or group to tasks.yaml.

    Example: mystocks add my_task.yaml
    """
    from mystocks_dagster.taskfile.yaml.source import read_text

    if file != "-" and not Path(file).is_file():
        raise typer.BadParameter(f"{file} is not a file", param_hint="FILE")
    entry = _entry(sys.stdin.read(), "stdin") if file == "-" else _entry(read_text(Path(file)), file)
    _print_edit(_editor().add(entry, dry_run=dry_run), json=json)


def edit(
    name: TaskOrGroup,
    changes: Annotated[
        list[str],
        typer.Argument(help="field=value or params.name=value; the value is read as YAML, and null removes the field."),
    ],
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Change fields of a task or group in tasks.yaml; comments and order stay.

    Example: mystocks edit daily_data_sync timeout=1800 schedule.enabled=false
    """
    _print_edit(_editor().edit(name, _changes(changes), dry_run=dry_run), json=json)


def remove(
    name: TaskOrGroup,
    force: Annotated[
        bool, typer.Option("--force", help="Also remove it from the tasks and groups that name it.")
    ] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Remove a task or group from tasks.yaml; its history stays.

    Example: mystocks remove fetch_lhb_data --force
    """
    _print_edit(_editor().remove(name, force=force, dry_run=dry_run), json=json)


def import_tasks(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="A task file, YAML or JSON.")
    ],
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Import the tasks and groups of another file into tasks.yaml; entries with the same id are replaced.

    Example: mystocks import other_tasks.yaml --dry-run
    """
    _print_edit(_editor().import_file(file, dry_run=dry_run), json=json)


def export(
    file: Annotated[Path | None, typer.Argument(help="New file, or an earlier export; printed if omitted.")] = None,
    form: Annotated[
        Literal["yaml", "json"] | None,
        typer.Option("--format", help="yaml or json; by default from FILE's name, else yaml."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also replace a file that is not an earlier export.")] = False,
) -> None:
    """Write tasks.yaml as YAML or JSON; variables are not resolved, so that no secret is exported.

    Example: mystocks export backup.json
    """
    from mystocks_dagster.taskfile.edit import serialization

    if file is None:
        sys.stdout.write(serialization.export_text(Settings.from_env().task_file, form or "yaml"))
    else:
        _editor().export(file, form, force=force)
        console.print(translate(f"wrote {file}"), markup=False)


def reload(json: Json = False) -> None:
    """Make the running web UI and daemon use the current tasks.yaml; queued and running runs are not affected.

    Example: mystocks reload
    """
    result = open_project().reload()
    if json:
        print_json(result.to_json())
    else:
        _print_reload(result)


def _editor() -> Any:
    return open_project().edits


def _print_edit(result: Any, *, json: bool) -> None:
    """Print the changes of an edit, and the version that is in use now."""
    path = result.edit.path
    if json:
        print_json(result.to_json())
    elif not result.diff:
        console.print("Nothing to change.")
    else:
        console.print(result.diff, markup=False)
        if result.dry_run:
            console.print(f"[dim]A dry run: {escape(str(path))} is unchanged.[/]")
        else:
            console.print(f"\n[green]saved[/] {escape(str(path))} (before: {escape(path.name)}.bak)")
    if result.unused:
        raise InstanceError(f"{path} is saved, but not in use yet. {result.unused}")
    if result.reloaded and not json:
        _print_reload(result.reloaded)


def _print_reload(result: Any) -> None:
    """Print which version of the file is in use now, and by which servers."""
    taskfile = result.version.taskfile
    version = f"version {result.version.hash} ({len(taskfile.tasks)} tasks, {len(taskfile.task_groups)} groups)"
    if result.address:
        console.print(f"[green]loaded[/] {version}: the web UI at {result.address} uses it now, the daemon within a")
        console.print("minute; queued and running runs keep the version they were started with.")
    elif result.elsewhere:
        console.print(
            f"{version}: [yellow]only the file of this machine is changed.[/] The daemon runs elsewhere "
            f"({escape(result.elsewhere)}) and reads the file there: make the change there too."
        )
    else:
        console.print(
            f"{version}: the web UI of this project is not running, so there is nothing to reload; "
            "the next run or start reads the file."
        )
    if result.version.broken:
        console.print(f"[red]Not loaded:[/] {escape(', '.join(result.version.broken))}. See: mystocks check")


def _entry(text: str, name: str) -> Mapping[str, Any]:
    """Return the only task or group of a text: on its own, as the item of a list, or under `tasks:`."""
    from mystocks_dagster.taskfile.yaml.source import Kind, parse_text

    hint = "Write the fields of a task or a group, such as `task_id:`; `mystocks show TASK` has examples."
    kind = Kind(("there is no entry in it", hint), ("an entry is a mapping of fields", hint))
    data = parse_text(f"tasks:\n{text}" if text.lstrip().startswith("- ") else text, name, kind).data
    if {"task_id", "group_id"} & set(data) or not {"tasks", "task_groups"} & set(data):
        return data
    entries = [*(data.get("tasks") or []), *(data.get("task_groups") or [])]
    if len(entries) != 1 or not isinstance(entries[0], dict):
        raise InvalidParams(
            f"{name} has {len(entries)} entries; `add` takes one task or group. "
            f"For a whole file use: mystocks import {name}"
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
        parent = changes
        for name in outer:
            parent = parent.setdefault(name, {})
            if not isinstance(parent, dict):
                raise typer.BadParameter(f"{text!r}: another argument sets {name} to a single value.")
        parent[last] = _value(value)
    return changes


def _value(text: str) -> Any:
    """Return the text parsed as YAML, or as it is if it is not YAML, such as the cron expression `* * * * *`."""
    from mystocks_dagster.taskfile.problems import TaskFileError
    from mystocks_dagster.taskfile.yaml.source import parse_text

    try:
        return parse_text(f"value: {text}", "value").data["value"]
    except TaskFileError:
        return text
