"""The lake and source of the daemon's runs, so that a run for another lake is not put into the daemon's queue.

The daemon notes them in Dagster's storage when it begins. A daemon that was killed leaves the note, and the next one
replaces it; it counts only while a daemon is alive.
"""

import json

from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import Storage

#: The key of the note.
KEY = Storage.DAEMON_LAKE


def note(settings: Settings) -> str:
    """Return what a daemon with these settings notes."""
    return json.dumps({"lake": settings.lake, "source": settings.source})


def difference(noted: str | None, settings: Settings) -> str:
    """Return in words how the daemon's lake or source differs from a caller's.

    Args:
        noted: The daemon's note; None if it is of an older version, or no daemon has run.
        settings: The caller's settings.

    Returns:
        The words, as for a sentence after `because`; empty if nothing differs or is known.
    """
    daemon = json.loads(noted) if noted else None
    if daemon is None:
        return ""
    if not same_lake(daemon["lake"], settings.lake):
        return f"the daemon's lake is {daemon['lake']}, and this command's is {settings.lake}"
    if daemon["source"] != settings.source:
        own = settings.source or "that of each task"
        return f"the daemon's source is {daemon['source'] or 'that of each task'}, and this command's is {own}"
    return ""


def same_lake(one: str, other: str) -> bool:
    """Return whether two locations are of one lake."""
    return one.rstrip("/") == other.rstrip("/")
