"""Dagster's instance of this project: found from any folder, the same for every command."""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mystocks_dagster import dagster_tables, disk_errors
from mystocks_dagster.dagster_tables import DagsterTables
from mystocks_dagster.errors import InstanceError, SettingsError
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile import atomic_files

if TYPE_CHECKING:
    import dagster as dg

#: How the root's dagster.yaml, which works with no environment variable, names the instance's folder.
RELATIVE_HOME = ".dagster"
#: Where the address of the running UI is noted, for the links that others print.
ADDRESS_FILE = "ui.json"
#: Below which path of that address Dagster's own UI and GraphQL are.
DAGSTER_PATH = "/dagster"
#: Dagster looks for its dagster.yaml by a pattern, and SQLite's addresses encode letters.
_REFUSED = re.compile(r"[*?\[]|%[0-9A-Fa-f]{2}")
#: Of libyaml, where it is there: five times as fast.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_HEADER = "# Written by mystocks from {source}: edit that file instead.\n"


def prepare_home(settings: Settings) -> Path:
    """Make `DAGSTER_HOME` ready, set it for this process and its children, and return it.

    The root's dagster.yaml is copied there with absolute paths; a dagster.yaml that a person put there is kept.

    Raises:
        InstanceError: The folder cannot be written, or has a name that Dagster misreads, or dagster.yaml cannot be
            read.
    """
    home = settings.dagster_home
    if refused := _REFUSED.search(str(home)):
        raise InstanceError(
            f"{home}: Dagster cannot keep its history in a folder whose name holds {refused.group()!r}, which it takes for a wildcard "
            "or for an encoded letter. Rename the folder, or name another in DAGSTER_HOME."
        )
    source = settings.root / "dagster.yaml"
    target = home / "dagster.yaml"
    try:
        home.mkdir(parents=True, exist_ok=True)
        text = _HEADER.format(source=source) + _absolute(source, home)
        ours = not target.exists() or target.read_text(encoding="utf-8").startswith(_HEADER[:27])
        if ours and (not target.exists() or target.read_text(encoding="utf-8") != text):
            scratch = target.with_suffix(f".{os.getpid()}.tmp")
            scratch.write_text(text, encoding="utf-8")
            scratch.replace(target)
    except OSError as error:
        known = disk_errors.explain(error, home)
        raise known or InstanceError(
            f"{home}: cannot be written ({error.strerror}). Choose another folder with DAGSTER_HOME."
        ) from None
    disk_errors.keep_reserve(home)
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["MYSTOCKS_ROOT"] = str(settings.root)
    return home


def open_instance(settings: Settings) -> "dg.DagsterInstance":
    """Open the project's instance; close it with `with`.

    Raises:
        InstanceError: Its storage cannot be opened; the message has Dagster's reason.
    """
    import dagster as dg

    home = prepare_home(settings)
    try:
        with _making_alone(home):
            return dg.DagsterInstance.get()
    except Exception as error:  # Dagster raises whatever its storage raises
        if known := disk_errors.explain(error, settings.dagster_home):
            raise known from error
        raise InstanceError(f"{settings.dagster_home}: Dagster's storage cannot be opened: {error}") from error


def open_tables(settings: Settings) -> DagsterTables:
    """Open Dagster's tables for reading: without Dagster where dagster.yaml names a storage in a form that is known.

    Raises:
        InstanceError: Its storage cannot be opened.
    """
    path = prepare_home(settings) / "dagster.yaml"
    try:
        config = yaml.load(path.read_text(encoding="utf-8"), _LOADER)
    except (OSError, ValueError, yaml.YAMLError):
        config = None  # Dagster says what is wrong with it
    return dagster_tables.light_tables(config) or dagster_tables.InstanceTables(open_instance(settings))


def code_location(settings: Settings) -> str:
    """Return what Dagster calls the project's code location: workspace.yaml says it."""
    path = settings.root / "workspace.yaml"
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _LOADER)
    except (OSError, ValueError, yaml.YAMLError):
        content = None
    match content:
        case {"load_from": [{"python_module": {"location_name": str(name)}}, *_], **others} if not others:
            return name
    from mystocks_dagster.dagster_internals import WorkspaceFileTarget

    return WorkspaceFileTarget([str(path)]).create_origins()[0].location_name


@contextlib.contextmanager
def _making_alone(home: Path) -> Generator[None]:
    """Let one process at a time open the storage: two that make its tables at once leave a database that nobody can open."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(SettingsError):  # where nothing can be written, nothing is made either
            stack.enter_context(atomic_files.locked(home / "storage"))
        yield


def ui_address(home: Path) -> str | None:
    """Return the address of this project's running UI, if it runs: one that was killed has left its note behind."""
    import psutil

    note = home / ADDRESS_FILE
    try:
        told = json.loads(note.read_text(encoding="utf-8"))
        # Who has its number now began after it.
        alive = psutil.Process(told["pid"]).create_time() < note.stat().st_mtime + 1
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
    return told["address"] if alive else None


def dagster_address(home: Path) -> str | None:
    """Return the address of Dagster's own UI within the running UI; None when none runs."""
    address = ui_address(home)
    return f"{address}{DAGSTER_PATH}" if address else None


def home_id(home: Path) -> str:
    """Return a name of the instance that tells nothing of where it is."""
    return hashlib.sha256(str(home.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _absolute(source: Path, home: Path) -> str:
    if not source.exists():
        return ""
    try:
        tree = yaml.load(source.read_text(encoding="utf-8"), _LOADER) or {}
    except yaml.YAMLError as error:
        raise InstanceError(f"{source}: {error}") from None
    return yaml.safe_dump(_resolved(tree, home), allow_unicode=True, sort_keys=False)


def _resolved(value: Any, home: Path) -> Any:
    match value:
        case dict():
            return {key: _resolved(item, home) for key, item in value.items()}
        case list():
            return [_resolved(item, home) for item in value]
        case str() if value == RELATIVE_HOME or value.startswith(f"{RELATIVE_HOME}/"):
            return str(home / value[len(RELATIVE_HOME) + 1 :])
    return value
