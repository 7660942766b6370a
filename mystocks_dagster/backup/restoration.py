"""Restore a backup: `look` says what stands in the way, `restore` writes, `verify` compares all digests."""

import json
import os
import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from mystocks_dagster import disk_errors, storage_config
from mystocks_dagster.backup import postgres
from mystocks_dagster.backup.copying import appearing, copied, digest_of
from mystocks_dagster.backup.manifest import FileEntry, Manifest, Part, read_manifest
from mystocks_dagster.backup.obstacles import obstacles
from mystocks_dagster.backup.paths import link_on_the_way
from mystocks_dagster.backup.places import Places
from mystocks_dagster.errors import BackupDamaged, BackupError
from mystocks_dagster.instance import RELATIVE_HOME, config_of
from mystocks_dagster.lake.table_files import TableFiles
from mystocks_dagster.plain_files import real_path
from mystocks_dagster.secret_files import as_given
from mystocks_dagster.settings import DEMO_LAKE, LAKE, RESTORING, Settings, environment
from mystocks_dagster.taskfile import atomic_files

#: The database of the runs, where it is of SQLite.
_RUNS = "/history/runs.db"
Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a restore would do: the backup, the places, and what stands in the way."""

    source: Path
    manifest: Manifest
    places: Places
    obstacles: tuple[str, ...]


def below(settings: Settings, folder: Path) -> Settings:
    """Return the settings of a project that is wholly below a folder, whatever the environment says of another."""
    root = real_path(folder)
    return replace(
        settings, root=root, task_file=root / "tasks.yaml", lake=str(root / LAKE), dagster_home=root / RELATIVE_HOME
    )


def overriding(settings: Settings, found: Look) -> dict[str, str]:
    """Return the variables by which a command in the restored folder would work on another place than the restored one.

    Args:
        settings: The settings of the restore.
        found: What `look` found with them.

    Returns:
        Variable to the place that a command would use. `dagster.yaml` stands for the file that names a database itself.
        The address of a database is not shown, for it may hold a password.
    """
    given = as_given(environment())
    there = Settings.from_env(settings.root, restoring=True)
    used = {
        "MYSTOCKS_ROOT": (there.root, settings.root),
        "MYSTOCKS_TASKS": (there.task_file, settings.task_file),
        "DAGSTER_HOME": (there.dagster_home, settings.dagster_home),
        "MYSTOCKS_LAKE": (there.lake, settings.lake),
    }
    if found.manifest.demo:  # its commands use the demo's lake, whatever the variable says
        del used["MYSTOCKS_LAKE"]
    others = {name: str(place) for name, (place, restored) in used.items() if given.get(name) and place != restored}
    config = _config(found.source, found.manifest)
    if (url := storage_config.postgres_url(config)) and url != found.places.postgres:
        names = [name if name in given else f"{name}_FILE" for name in storage_config.variables(config)]
        others |= dict.fromkeys(names or ["dagster.yaml"], "the database that it names")
    return others


def look(settings: Settings, source: Path, *, without: Collection[Part] = ()) -> Look:
    """Return what a restore would do; nothing is written.

    Args:
        settings: The settings of the place: its folder, DAGSTER_HOME, MYSTOCKS_LAKE.
        source: The folder of the backup.
        without: Parts that are not wanted.

    Raises:
        BackupError: There is no complete backup in the folder, its history is for another storage, or its lake is not
            for the demo's place, which is asked for.
    """
    manifest = read_manifest(source)
    places = Places(
        project=settings.root,
        tasks=settings.task_file.parent,
        instance=settings.dagster_home,
        lake=_place_of_lake(source, manifest, settings) if manifest.lake and "lake" not in without else None,
        postgres=_database(source, manifest, settings)
        if manifest.storage == "postgres" and "history" not in without
        else None,
    )
    return Look(source=source, manifest=manifest, places=places, obstacles=tuple(obstacles(source, manifest, places)))


def _place_of_lake(source: Path, manifest: Manifest, settings: Settings) -> str:
    """Return where the lake goes; simulated tables in the place of the real ones would be in their way for ever."""
    if manifest.demo:
        return str(settings.root / DEMO_LAKE)
    if manifest.demo is False and settings.demo:
        raise BackupError(
            f"The backup {source} holds the real lake, not the demo's. Restore it without --demo: "
            f"mystocks restore {source}"
        )
    return settings.lake


def verify(source: Path, manifest: Manifest) -> None:
    """Read every file of a backup and compare its digest.

    Raises:
        BackupDamaged: A file is missing or was altered; the message names it.
    """
    for file in manifest.files:
        try:
            found = digest_of(_own(source, file))
        except OSError as error:
            raise _damaged(source, file, error.strerror or "it cannot be read") from None
        if found != (file.bytes, file.sha256):
            raise _damaged(source, file, "its digest differs from the one that was noted when it was made")


def restore(found: Look, command: str, *, without: Collection[Part] = (), progress: Progress = lambda _: None) -> None:
    """Write all of a backup into its places; the task file comes last.

    Each file is read, compared with its digest and only then put in its place. The heartbeats of the daemon that ran
    when the backup was made are dropped. An interrupted restore is continued by the next call; files that are there
    with the right digest are not written again.

    Args:
        found: What `look` found.
        command: What a person repeats after an interruption.
        without: Parts that are not wanted.
        progress: Called with each part.

    Raises:
        BackupError: Something stands in the way; nothing was written.
        BackupDamaged: A file of the backup is missing or was altered.
        InstanceError: The disk is full.
    """
    source, manifest, places = found.source, found.manifest, found.places
    if found.obstacles:
        raise BackupError(f"{'; '.join(found.obstacles)}. Nothing was changed: restore into an empty place.")
    mark = places.project / RESTORING
    content = {"backup": manifest.identity, "command": command}
    try:
        atomic_files.replace(mark, json.dumps(content, ensure_ascii=False).encode(), 0o600)
        files = [*manifest.below("project"), *manifest.below("tasks")]
        # Without its task file no command takes the folder for a project.
        last = [file for file in files if file.path == manifest.task_file]
        progress(f"the project's files to {places.project}")
        _put(source, places, [file for file in files if file not in last])
        progress(f"the instance to {places.instance}")
        instance = [file for file in manifest.below("instance") if _wanted(file, without)]
        _put(source, places, instance)
        for file in instance:
            if file.path.endswith(_RUNS):
                _forget_daemon(places.path(file))
        if places.lake:
            _lake(source, manifest, places.lake, progress)
        if places.postgres:
            progress("the history to Postgres")
            _history(source, manifest, places.postgres)
        _put(source, places, last)
        os.sync()  # after a power cut either all is there, or the mark
        mark.unlink()
    except OSError as error:
        raise disk_errors.explain(error, places.project, instance=False) or BackupError(
            f"{error.filename or places.project} cannot be written: {error.strerror}. Mend it and repeat the command."
        ) from error


def _wanted(file: FileEntry, without: Collection[Part]) -> bool:
    name = file.path.removeprefix("instance/")
    return "history" not in without or not name.startswith(("history", "schedules/", "storage/"))


def _database(source: Path, manifest: Manifest, settings: Settings) -> str:
    if url := storage_config.postgres_url(_config(source, manifest)):
        return url
    raise BackupError(
        "The history of this backup is that of a Postgres database, and its dagster.yaml names none that is set here. "
        f"Set MYSTOCKS_POSTGRES_URL to an empty database, or leave it out: mystocks restore {source} --no-history "
        f"(the settings of this place: {settings.root})"
    )


def _config(source: Path, manifest: Manifest) -> Any:
    """Return the content of the dagster.yaml of a backup; None without one."""
    files = [_own(source, file) for file in manifest.files if file.path == "project/dagster.yaml"]
    return config_of(files[0].read_text(encoding="utf-8")) if files and files[0].is_file() else None


def _put(source: Path, places: Places, files: list[FileEntry]) -> None:
    for file in files:
        path = places.path(file)
        if not (path.is_file() and digest_of(path) == (file.bytes, file.sha256)):
            with _opened(source, file) as stream, appearing(path, file.mode) as out:
                _check(source, file, copied(stream, out))


def _forget_daemon(runs: Path) -> None:
    """Delete the heartbeats of the daemon that ran when the backup was made."""
    with closing(sqlite3.connect(runs)) as connection, connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [postgres.HEARTBEATS]).fetchone():
            connection.execute(f"DELETE FROM {postgres.HEARTBEATS}")


def _lake(source: Path, manifest: Manifest, location: str, progress: Progress) -> None:
    target, table = TableFiles(location), ""
    # Data files before the log that names them.
    for file in sorted(manifest.below("lake"), key=lambda file: (file.path.split("/")[1], "/_delta_log/" in file.path)):
        name = file.path.removeprefix("lake/")
        if (current := name.partition("/")[0]) != table:
            table = current
            progress(f"the table {table} to {location}")
        if target.exists(name):
            with target.reading(name) as stream:
                if copied(stream, _Nowhere()) == (file.bytes, file.sha256):  # ty: ignore[invalid-argument-type]
                    continue
        with _opened(source, file) as stream, target.writing(name) as out:
            _check(source, file, copied(stream, out))


def _history(source: Path, manifest: Manifest, url: str) -> None:
    if postgres.holds(url, manifest.history):
        return  # an interrupted restore has filled it
    by_path = {file.path: file for file in manifest.below("postgres")}
    for file in by_path.values():
        _check(source, file, digest_of(_own(source, file)))
    for path in (postgres.SCHEMA, *(postgres.rows_path(entry.table) for entry in manifest.history)):
        if path not in by_path:
            raise BackupError(f"{source} has no file {path} in its list. Use another backup.")
    postgres.load(url, manifest.history, lambda path: _opened(source, by_path[path]))


def _opened(source: Path, file: FileEntry) -> IO[bytes]:
    try:
        return _own(source, file).open("rb")
    except FileNotFoundError as error:
        raise _damaged(source, file, error.strerror or "it cannot be read") from None


def _own(source: Path, file: FileEntry) -> Path:
    """Return the path of a file of the backup.

    Raises:
        BackupDamaged: It is not a file there: a link leads to it, or it is a folder or a device.
    """
    path = source / file.path
    if link_on_the_way(source, file.path):
        raise _damaged(source, file, "it is a link, or behind one")
    if path.exists() and not path.is_file():
        raise _damaged(source, file, "it is not a file")
    return path


def _check(source: Path, file: FileEntry, found: tuple[int, str]) -> None:
    if found != (file.bytes, file.sha256):
        raise _damaged(source, file, "its digest differs from the one that was noted when it was made")


def _damaged(source: Path, file: FileEntry, reason: str) -> BackupDamaged:
    return BackupDamaged(
        f"{source / file.path}: {reason}. Copy this file of the backup again, or use another backup; then repeat."
    )


class _Nowhere:
    """A stream that forgets what is written."""

    def write(self, _: bytes) -> None:
        """Forget it."""
