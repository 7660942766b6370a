"""The project's Dagster instance, which is the same for every command in any folder."""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mystocks_dagster import dagster_tables, disk_errors, storage_config
from mystocks_dagster.dagster_tables import DagsterTables
from mystocks_dagster.errors import InstanceError, SettingsError
from mystocks_dagster.migration_scripts import read_once
from mystocks_dagster.plain_files import real_path
from mystocks_dagster.processes.log_lines import keep_root
from mystocks_dagster.settings import Settings
from mystocks_dagster.shared.named_lock import held
from mystocks_dagster.shared.place import database_url
from mystocks_dagster.tags import LOCATION
from mystocks_dagster.taskfile import atomic_files
from mystocks_dagster.version_stamp import refuse_newer

if TYPE_CHECKING:
    import dagster as dg

#: The instance's folder in the root's dagster.yaml, which works without environment variables.
RELATIVE_HOME = ".dagster"
#: File with the address of the running web UI.
ADDRESS_FILE = "ui.json"
#: Path of Dagster's own UI and GraphQL below that address.
DAGSTER_PATH = "/dagster"
#: Dagster searches its dagster.yaml by a glob pattern, and SQLite URLs encode characters.
_REFUSED = re.compile(r"[*?\[]|%[0-9A-Fa-f]{2}")
#: libyaml's loader is five times as fast, where it is installed.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: Seconds to wait for another process that opens the storage; it takes a second or two.
_PATIENCE_SECONDS = 60.0
#: Seconds within which a Postgres server must answer; libpq, and so every driver, reads it in the environment.
_CONNECT_SECONDS = "10"
#: The first bytes of every database of SQLite.
_SQLITE = b"SQLite format 3\0"
_HEADER = "# Written by mystocks from {source}: edit that file instead.\n"


def prepare_home(settings: Settings) -> Path:
    """Prepare `DAGSTER_HOME`, set it for this process and its children, and return it.

    The root's dagster.yaml is copied there with absolute paths, unless a person has put a dagster.yaml there.

    Raises:
        InstanceError: The folder is not writable, Dagster would misread its name, or dagster.yaml is unreadable.
    """
    home = settings.dagster_home
    if refused := _REFUSED.search(str(home)):
        raise InstanceError(
            f"{home}: Dagster cannot use a folder whose name contains {refused.group()!r}, which it reads as a "
            "wildcard or an encoded character. Rename the folder, or choose another with DAGSTER_HOME."
        )
    source = settings.root / "dagster.yaml"
    target = home / "dagster.yaml"
    try:
        home.mkdir(parents=True, exist_ok=True)
        text = _HEADER.format(source=source) + _absolute(source, home)
        generated = not target.exists() or target.read_text(encoding="utf-8").startswith(_HEADER[:27])
        if generated and (not target.exists() or target.read_text(encoding="utf-8") != text):
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
    os.environ.setdefault("PGCONNECT_TIMEOUT", _CONNECT_SECONDS)
    return home


def open_instance(settings: Settings) -> "dg.DagsterInstance":
    """Open the project's instance; close it with `with`.

    Raises:
        InstanceError: Its storage cannot be opened; the message contains Dagster's reason.
        SettingsError: A newer version has brought the project along.
    """
    refuse_newer(settings)
    home = prepare_home(settings)
    storage_config.check(_config_in(home))
    import dagster as dg

    read_once()
    keep_root()
    try:
        with _locked(home):
            return dg.DagsterInstance.get()
    except InstanceError:  # the database does not answer, and the message says what to check
        raise
    except Exception as error:  # Dagster raises whatever its storage raises
        if known := disk_errors.explain(error, settings.dagster_home):
            raise known from error
        if damaged := _damaged(settings.dagster_home):
            raise InstanceError(
                f"{damaged} is damaged: it is not a database. Restore it from a backup (`mystocks restore`), "
                "or move it away: then what it held is lost, and the project begins a new one."
            ) from error
        raise InstanceError(
            f"{settings.dagster_home}: Dagster's storage cannot be opened: {str(error).rstrip('.')}. If an older "
            "version made this project, run: mystocks upgrade"
        ) from error


def _damaged(home: Path) -> Path | None:
    """Return the first of Dagster's databases below the instance's folder that does not begin as a database does."""
    for name in ("history/runs.db", "history/runs/index.db", "schedules/schedules.db"):
        path = home / name
        if path.is_file() and path.stat().st_size:
            with path.open("rb") as file:
                if file.read(len(_SQLITE)) != _SQLITE:
                    return path
    return None


def open_tables(settings: Settings) -> DagsterTables:
    """Open Dagster's tables for reading, without importing Dagster if the storage in dagster.yaml is a known one.

    Raises:
        InstanceError: Its storage cannot be opened.
    """
    config = instance_config(settings)
    storage_config.check(config)
    return dagster_tables.light_tables(config) or dagster_tables.InstanceTables(open_instance(settings))


def instance_config(settings: Settings) -> Any:
    """Return the content of the instance's dagster.yaml, with absolute paths; None where Dagster reports an error."""
    return _config_in(prepare_home(settings))


def _config_in(home: Path) -> Any:
    try:
        return config_of((home / "dagster.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def config_of(text: str) -> Any:
    """Return the content of a dagster.yaml; None where Dagster reports an error."""
    try:
        return yaml.load(text, _LOADER)
    except yaml.YAMLError:
        return None


def is_generated(path: Path) -> bool:
    """Return whether `prepare_home` wrote this dagster.yaml, and will write it again."""
    return path.name == "dagster.yaml" and path.read_text(encoding="utf-8").startswith(_HEADER[:27])


def code_location(settings: Settings) -> str:
    """Return the name of the project's code location, from workspace.yaml; ours without one, as on most machines."""
    path = settings.root / "workspace.yaml"
    if not path.exists():
        return LOCATION
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
def _locked(home: Path) -> Generator[None]:
    """Let one process at a time open the storage: two that create its tables at once leave an unusable database."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(SettingsError):  # without write access, no tables are created either
            stack.enter_context(atomic_files.locked(home / "storage"))
        if database_url(home):
            stack.enter_context(held(home, "storage", _PATIENCE_SECONDS))
        yield


def address_note(address: str) -> str:
    """Return the content of the file that tells where this process serves, for as long as it runs."""
    from mystocks_dagster.execution.heartbeat import ProcessIdentity

    return json.dumps({"address": address, **ProcessIdentity.current().to_dict()})


def ui_address(home: Path) -> str | None:
    """Return the address of this project's web UI if it is running; a killed one leaves its file behind."""
    from mystocks_dagster.execution.heartbeat import ProcessIdentity

    try:
        content = json.loads((home / ADDRESS_FILE).read_text(encoding="utf-8"))
        alive = ProcessIdentity.from_dict(content).alive()
    except (OSError, ValueError, KeyError):
        return None
    return content["address"] if alive else None


def dagster_address(home: Path) -> str | None:
    """Return the address of Dagster's own UI within the running web UI; None if none is running."""
    address = ui_address(home)
    return f"{address}{DAGSTER_PATH}" if address else None


def home_id(home: Path) -> str:
    """Return an identifier of the instance that does not reveal its path."""
    return hashlib.sha256(str(real_path(home)).encode("utf-8", "surrogateescape")).hexdigest()[:16]


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
