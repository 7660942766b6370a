"""backup, restore: copy a whole project into one folder, and bring it back."""

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.printing import console, escape, print_json, translate
from mystocks_dagster.settings import Settings

if TYPE_CHECKING:
    from mystocks_dagster.backup.manifest import Manifest, Part

NoHistory = Annotated[bool, typer.Option("--no-history", help="Leave out runs, ticks, switches and logs of runs.")]
NoLake = Annotated[bool, typer.Option("--no-lake", help="Leave out the tables.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backup)
    app.command()(restore)


def backup(
    target: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    no_history: NoHistory = False,
    no_lake: NoLake = False,
    json: Json = False,
) -> None:
    """Copy the project, its history and its lake into a folder, while all of it runs.

    Each file is noted with its digest. The tables are of one moment, and so is each database of the history, whether
    SQLite or Postgres. A folder with other content is refused; an interrupted backup is continued by the same command.

    Example: mystocks backup /mnt/backup/2026-11-27
    """
    from mystocks_dagster.backup.creation import create

    began = time.monotonic()
    done = create(
        Settings.from_env(), target, without=_without(history=no_history, lake=no_lake), progress=_progress(json=json)
    )
    if json:
        print_json(_summary(done, target, began))
        return
    for line in done.left_out:
        console.print(f"[yellow]not copied[/]  {escape(line)}")
    made = (
        f"{target}: {len(done.files):,} files, {done.bytes / 1e6:,.1f} MB, {len(done.tables)} tables, "
        f"{time.monotonic() - began:.1f} s"
    )
    console.print(translate(made), markup=False)
    console.print(f"[dim]Compare all digests: mystocks restore {escape(str(target))} --check[/]")


def restore(
    source: Annotated[Path, typer.Argument(help="The folder that `mystocks backup` made.")],
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Where the project goes, with its lake and history below it. Without it: into the folder in which the "
            "command runs, MYSTOCKS_LAKE and DAGSTER_HOME saying where the lake and the instance go."
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only read the backup and compare every digest.")] = False,
    no_history: NoHistory = False,
    no_lake: NoLake = False,
    json: Json = False,
) -> None:
    """Bring a backup back.

    Nothing is overwritten: a place that is not empty is refused before anything is written. Each file is compared with
    its digest. A history that was in Postgres goes into the empty database of MYSTOCKS_POSTGRES_URL. An interrupted
    restore is continued by the same command; the task file comes last.

    Example: mystocks restore /mnt/backup/2026-11-27 restored
    """
    from mystocks_dagster.backup import restoration
    from mystocks_dagster.backup.manifest import read_manifest

    began = time.monotonic()
    if check:
        manifest = read_manifest(source)
        restoration.verify(source, manifest)
        if json:
            print_json(_summary(manifest, source, began))
        else:
            _report(manifest)
        return
    settings, parts = Settings.from_env(restoring=True), _without(history=no_history, lake=no_lake)
    if folder:
        settings = restoration.below(settings, folder)
    found = restoration.look(settings, source.absolute(), without=parts)
    others = restoration.overriding(settings, found)
    again = _again(settings, found.source, folder, parts)
    restoration.restore(found, again, without=parts, progress=_progress(json=json))
    places = {name: str(value) for name, value in vars(found.places).items() if value and name != "postgres"}
    if json:
        print_json({**_summary(found.manifest, source, began), "places": places, "overridden_by": others})
        return
    _report(found.manifest)
    for part, place in places.items():
        console.print(f"{part:<9} {place}", markup=False)
    console.print("Two copies of a project start everything twice: stop the other one before: mystocks ui")
    for name, used in others.items():
        _warn(name, used, settings.root)


def _again(settings: Settings, source: Path, folder: Path | None, parts: "list[Part]") -> str:
    """Return the command that continues this restore from any folder, or from this one if the places are its own."""
    words = ["mystocks", *(["--demo"] if settings.demo else []), "restore", str(source)]
    return shlex.join([*words, *([str(settings.root)] if folder else []), *(f"--no-{part}" for part in parts)])


def _warn(name: str, used: str, root: Path) -> None:
    """Say that a command in the restored project would not work on what was restored, and what to do before."""
    if name == "dagster.yaml":
        console.print(
            f"[red]{escape(str(root / name))} names a database that is not the copy's.[/] Before the first command "
            "there: name an empty database"
        )
        return
    console.print(
        f"[red]{escape(name)} is set: commands in {escape(str(root))} would use {escape(used)}, not the copy's.[/] "
        f"Before the first command there: unset {escape(name)}"
    )


def _without(*, history: bool, lake: bool) -> "list[Part]":
    asked: dict[Part, bool] = {"history": history, "lake": lake}
    return [part for part, wanted in asked.items() if wanted]


def _report(manifest: "Manifest") -> None:
    read = (
        f"backup of {manifest.made} by version {manifest.package}: {len(manifest.files):,} files, "
        f"{manifest.bytes / 1e6:,.1f} MB, {len(manifest.tables)} tables; every digest is right"
    )
    console.print(translate(read), markup=False)


def _summary(manifest: "Manifest", folder: Path, began: float) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "made": manifest.made,
        "package": manifest.package,
        "files": len(manifest.files),
        "bytes": manifest.bytes,
        "storage": manifest.storage,
        "tables": {entry.table: {"version": entry.version, "rows": entry.rows} for entry in manifest.tables},
        "left_out": list(manifest.left_out),
        "seconds": round(time.monotonic() - began, 1),
    }


def _progress(*, json: bool) -> Any:
    return (lambda _: None) if json else (lambda text: console.print(f"[dim]{escape(text)}[/]"))
