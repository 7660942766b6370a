"""Which version made a project, or brought it along last: a newer one's project is not written to."""

from importlib.metadata import version
from pathlib import Path

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.settings import Settings
from mystocks_dagster.shared.place import database_url
from mystocks_dagster.tags import Storage

#: The file below Dagster's folder that says it.
STAMP = "mystocks-version"


def installed() -> str:
    """Return the version of this package."""
    return version("mystocks-dagster")


def stamped(settings: Settings) -> str:
    """Return the version that the project's stamp names; empty if there is none."""
    try:
        return (settings.dagster_home / STAMP).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def noted(settings: Settings) -> str:
    """Return the version that the database of several machines names; empty without such a database or a version.

    Raises:
        InstanceError: The database does not answer.
    """
    # A folder in which nothing was started yet has its dagster.yaml only at the root.
    url = database_url(settings.dagster_home) or database_url(settings.root)
    if url is None:
        return ""
    from mystocks_dagster.shared.values import Values

    return Values(url).get(Storage.DAEMON_VERSION) or ""


def refuse_newer(settings: Settings) -> None:
    """Refuse the project, or the shared database, of a version that is newer than the installed one.

    Raises:
        SettingsError: One is of a newer version, or its stamp holds none.
        InstanceError: The database does not answer.
    """
    if is_newer(found := stamped(settings), settings.dagster_home / STAMP):
        raise SettingsError(
            f"The project in {settings.root} is of version {found}, and {installed()} is installed. Install that "
            f"version: pip install 'mystocks-dagster>={found}' (or newer)"
        )
    if is_newer(found := noted(settings), f"kvs['{Storage.DAEMON_VERSION}']"):
        raise SettingsError(
            f"The database that the machines share is of version {found}, and {installed()} is installed. Install "
            f"that version: pip install 'mystocks-dagster>={found}' (or newer)"
        )


def is_newer(found: str, place: Path | str) -> bool:
    """Return whether a version is newer than the installed one; an empty one is not.

    Args:
        found: The version.
        place: Where it stands, for a message.

    Raises:
        SettingsError: It is not a version.
    """
    if not found or found == (here := installed()):
        return False
    # Only a project that was not brought along yet waits for this import.
    from packaging.version import InvalidVersion, Version

    try:
        return Version(found) > Version(here)
    except InvalidVersion:
        raise SettingsError(f"{place} holds {found!r}, which is not a version. Delete it.") from None
