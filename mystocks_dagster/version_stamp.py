"""Which version made a project, or brought it along last: a newer one's project is not written to."""

from importlib.metadata import version

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.settings import Settings

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


def refuse_newer(settings: Settings) -> None:
    """Refuse the project of a version that is newer than the installed one.

    Raises:
        SettingsError: It is of a newer version, or its stamp holds none.
    """
    found = stamped(settings)
    if not found or found == (here := installed()):
        return
    # Only a project that was not brought along yet waits for this import.
    from packaging.version import InvalidVersion, Version

    try:
        newer = Version(found) > Version(here)
    except InvalidVersion:
        raise SettingsError(
            f"{settings.dagster_home / STAMP} holds {found!r}, which is not a version. Delete the file."
        ) from None
    if newer:
        raise SettingsError(
            f"The project in {settings.root} is of version {found}, and {here} is installed. Install that version or "
            f"a newer one: pip install 'mystocks-dagster>={found}'"
        )
