"""What stands in the way of a restore: files that are there already, and links on the way to a place."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path

from mystocks_dagster.backup import postgres
from mystocks_dagster.backup.manifest import Manifest
from mystocks_dagster.backup.own_files import MADE_AGAIN
from mystocks_dagster.backup.paths import link_on_the_way
from mystocks_dagster.backup.places import Places
from mystocks_dagster.lake.location import local_path
from mystocks_dagster.lake.table_files import TableFiles
from mystocks_dagster.plain_files import real_path
from mystocks_dagster.settings import RESTORING

#: Folders in a new place that a program or the disk has made.
_NOT_IN_THE_WAY = {*MADE_AGAIN, "lost+found"}


def obstacles(source: Path, manifest: Manifest, places: Places) -> Iterator[str]:
    """Yield what stands in the way, in words; nothing where an interrupted restore of the same backup goes on.

    Args:
        source: The folder of the backup, which may be in that of the project.
        manifest: Its list of files.
        places: Where they go.
    """
    if link := next(_links(manifest, places), None):
        yield f"{link} is a link, and a restore writes through none"
    if _continues(places.project, manifest):
        return
    files = (*manifest.below("project"), *manifest.below("tasks"))
    if there := [str(path) for file in files if (path := places.path(file)).exists()]:
        more = f" and {len(there) - 1} more files" if there[1:] else ""
        yield f"{there[0]}{more} are there already" if more else f"{there[0]} is there already"
    elif there := _first_file(places.project, _apart(source, places)):
        yield f"{there} is there already"
    if places.instance.is_dir() and any(places.instance.iterdir()):
        yield f"{places.instance} is not empty"
    if places.lake and (tables := TableFiles(places.lake).tables()):
        yield f"the lake {places.lake} has the table {tables[0]}"
    elif places.lake and (folder := local_path(places.lake)) and _first_file(Path(folder), set()):
        yield f"{places.lake} is not empty"
    if places.postgres and (counts := postgres.row_counts(places.postgres)):
        yield f"the database of MYSTOCKS_POSTGRES_URL has the table {next(iter(counts))}; name an empty one"


def _apart(source: Path, places: Places) -> set[Path]:
    """Return the folders in that of the project that are looked at by themselves, and the backup."""
    lake = local_path(places.lake) if places.lake else None
    return {real_path(path) for path in (source, places.instance, *([Path(lake)] if lake else []))}


def _first_file(folder: Path, apart: Collection[Path]) -> Path | None:
    """Return a file or link that is in a folder already; None if there is none but what no backup holds."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name in _NOT_IN_THE_WAY or path.name.startswith(f".{RESTORING}.") or real_path(path) in apart:
            continue
        if path.is_symlink() or not path.is_dir():
            return path
        if found := _first_file(path, apart):
            return found
    return None


def _links(manifest: Manifest, places: Places) -> Iterator[Path]:
    """Yield the links below the places on the way to a file; the places themselves may be links."""
    bases = {"project": places.project, "tasks": places.tasks, "instance": places.instance}
    if places.lake and (lake := local_path(places.lake)):
        bases["lake"] = Path(lake)
    for file in manifest.files:
        first, _, name = file.path.partition("/")
        if first in bases and (link := link_on_the_way(bases[first], name)):
            yield link


def _continues(root: Path, manifest: Manifest) -> bool:
    try:
        mark = json.loads((root / RESTORING).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(mark, dict) and mark.get("backup") == manifest.identity
