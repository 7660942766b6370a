"""Make a backup: `create`."""

import json
import os
from collections.abc import Callable, Collection
from importlib.metadata import version
from pathlib import Path

from mystocks_dagster import disk_errors, storage_config
from mystocks_dagster.backup import manifest, own_files, postgres
from mystocks_dagster.backup.copying import Folder, appearing, copied
from mystocks_dagster.backup.manifest import FileEntry, Manifest, Part, TableEntry
from mystocks_dagster.errors import BackupError, SettingsError
from mystocks_dagster.instance import instance_config
from mystocks_dagster.lake.table_files import TableFiles
from mystocks_dagster.market.clock import now
from mystocks_dagster.plain_files import real_path
from mystocks_dagster.settings import Settings

#: Called with each part before it is copied, in words.
Progress = Callable[[str], None]


def create(
    settings: Settings, target: Path, *, without: Collection[Part] = (), progress: Progress = lambda _: None
) -> Manifest:
    """Copy a project into an empty folder while the daemon, runs and editors go on, and return what was copied.

    The tables of the lake are of one moment, and so is each database. Of a run that is active, the backup holds what
    was stored by then; where it is restored, the run counts as lost. An interrupted backup is continued by the next
    call: data files that are there are not copied again.

    Args:
        settings: The project's settings.
        target: The folder.
        without: Parts that are left out.
        progress: Called with each part.

    Raises:
        SettingsError: There is no project in this folder.
        BackupError: The folder holds something else, or Dagster's storage is neither SQLite nor Postgres.
        InstanceError: The disk of the folder is full.
        LakeUnavailable, TableDamaged: A table cannot be copied.
    """
    if not settings.task_file.is_file():
        raise SettingsError(f"{settings.task_file} does not exist, so there is no project here. Go to its folder.")
    try:
        _begin(settings, target)
        made, left_out, folder = now(), list[str](), Folder(target)
        progress(f"the project's files from {settings.root}")
        for file in own_files.project_files(settings, left_out):
            folder.copy(file.source, file.path)
        storage, history = _instance(settings, folder, progress, history="history" not in without)
        tables = _lake(settings, folder, progress) if "lake" not in without else ()
        left_out += [f"{part}: left out as asked" for part in sorted(without)]
        done = Manifest(
            made=made.isoformat(timespec="seconds"),
            package=version("mystocks-dagster"),
            dagster=version("dagster"),
            project=str(settings.root),
            task_file=own_files.path_of_task_file(settings),
            storage=storage,
            lake="lake" not in without,
            tables=tables,
            history=history,
            left_out=tuple(left_out),
            files=tuple(folder.files),
            demo=settings.demo,
        )
        _finish(target, done)
        return done
    except OSError as error:
        name = Path(error.filename or target)
        full = real_path(name).is_relative_to(real_path(target)) and disk_errors.explain(error, target, instance=False)
        raise full or BackupError(
            f"{name} cannot be copied: {error.strerror}. Mend it and repeat the command; what is there is kept."
        ) from error


def _begin(settings: Settings, target: Path) -> None:
    """Refuse a folder with other content; mark an empty one."""
    mark = target / manifest.UNFINISHED
    if (target / manifest.FILE).exists():
        raise BackupError(f"{target} holds a backup already, and nothing was changed. Name another folder.")
    if mark.exists():
        begun = _begun(mark)
        if begun != str(settings.root):
            raise BackupError(f"{target} holds an unfinished backup of {begun or '?'}. Name another folder.")
        return
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackupError(f"{target} holds other files, and nothing was changed. Name an empty folder or a new one.")
    for folder in (settings.dagster_home, Path(settings.lake)):
        if real_path(target).is_relative_to(real_path(folder)):
            raise BackupError(f"{target} is in {folder}, which is copied. Name a folder elsewhere.")
    target.mkdir(parents=True, exist_ok=True)
    target.chmod(0o700)
    mark.write_text(json.dumps({"project": str(settings.root)}, ensure_ascii=False), encoding="utf-8")


def _begun(mark: Path) -> str:
    """Return the folder of the project whose backup was begun; empty if the mark is damaged."""
    try:
        content = json.loads(mark.read_text(encoding="utf-8"))
    except ValueError:
        return ""
    return str(content.get("project", "")) if isinstance(content, dict) else ""


def _instance(
    settings: Settings, folder: Folder, progress: Progress, *, history: bool
) -> tuple[str, tuple[TableEntry, ...]]:
    """Copy the instance's folder and the database; return the kind of storage and the tables of Postgres."""
    config = instance_config(settings)
    if history:
        storage_config.check(config)
    url, base = storage_config.postgres_url(config), storage_config.sqlite_folder(config)
    if history and not url and not (base and real_path(base).is_relative_to(real_path(settings.dagster_home))):
        raise BackupError(
            f"{settings.root / 'dagster.yaml'} names a storage that is neither SQLite in {settings.dagster_home} nor "
            "Postgres. Copy that database by its own means, and the rest with: --no-history"
        )
    tables: list[TableEntry] = []
    if history and url:
        progress("the history from Postgres")
        tables = postgres.dump(url, folder.put)
    progress(f"history, logs and switches from {settings.dagster_home}" if history else "the instance's own files")
    for file in own_files.instance_files(settings, history=history):
        try:
            folder.copy(file.source, file.path)
        except FileNotFoundError:
            if file.source.exists():
                raise
    return ("postgres" if url else "sqlite") if history else "", tuple(tables)


def _lake(settings: Settings, folder: Folder, progress: Progress) -> tuple[TableEntry, ...]:
    files = TableFiles(settings.lake)
    tables = []
    for snapshot in files.snapshots():
        progress(f"{snapshot.table}: {snapshot.rows:,} rows, version {snapshot.version}")
        for path, size in snapshot.data.items():
            # Nobody changes a data file: one that an interrupted backup has copied is the same, if all of it is there.
            there = folder.root / "lake" / path
            if there.is_file() and there.stat().st_size == size:
                folder.note(f"lake/{path}")
            else:
                _fetch(files, path, folder)
        for path in snapshot.log:
            _fetch(files, path, folder)
        tables.append(TableEntry(table=snapshot.table, version=snapshot.version, rows=snapshot.rows))
    return tuple(tables)


def _fetch(files: TableFiles, path: str, folder: Folder) -> None:
    name = f"lake/{path}"
    with files.reading(path) as stream, appearing(folder.root / name) as out:
        size, digest = copied(stream, out)
        if "/_delta_log/" not in path:
            # The next attempt keeps a data file that is there: after a power cut too it is whole, or not there.
            out.flush()
            os.fsync(out.fileno())
    folder.files.append(FileEntry(path=name, bytes=size, sha256=digest))


def _finish(target: Path, done: Manifest) -> None:
    """Remove what an interrupted attempt has left, and declare the backup complete."""
    wanted = {file.path for file in done.files} | {manifest.UNFINISHED}
    for path in [path for path in target.rglob("*") if path.is_file()]:
        if path.relative_to(target).as_posix() not in wanted:
            path.unlink()
    os.sync()
    done.write(target)
    (target / manifest.UNFINISHED).unlink()
