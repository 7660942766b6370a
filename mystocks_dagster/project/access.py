"""Who asks for an action, and the one check of whether that caller may have it done.

Trusted is whoever can write the task file or run a command on this machine anyway. REST, the pages and the jobs of
Dagster's UI are not: `check` holds them to the limits of `LIMITS` (the table in docs/rest.md, "Who may do what").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from mystocks_dagster.project import permissions
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.edit import exports


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A way to reach the project.

    Attributes:
        name: Becomes the tag `mystocks/started_by` of the runs that it starts.
        trusted: Whether it may do whatever the user who runs this process may do.
    """

    name: str
    trusted: bool


CLI = Caller(name="cli", trusted=True)
PYTHON = Caller(name="python", trusted=True)
REST = Caller(name="rest", trusted=False)
PAGES = Caller(name="web", trusted=False)
#: The management jobs, which anybody can start who reaches Dagster's UI.
JOBS = Caller(name="dagster", trusted=False)


class Action(Enum):
    """Everything that changes something; whoever reaches the project may look."""

    START = "start"
    BACKFILL = "backfill"
    STOP = "stop"
    SWITCH = "switch a schedule"
    EDIT = "edit the task file"
    WRITE_COMMAND = "write a task that runs a command"
    IMPORT = "import a task file"
    EXPORT = "export the task file"
    CLEAN_UP = "clean up the history"
    RELOAD = "reload the web UI"
    REFRESH_CALENDAR = "refresh the trading calendar"


#: What an untrusted caller's action is held to: raises `Forbidden`. An action that is not here has no limit.
LIMITS: Mapping[Action, Callable[..., None]] = {
    Action.START: permissions.check_start,
    Action.EDIT: permissions.check_documents,
    Action.WRITE_COMMAND: permissions.check_commands,
    Action.IMPORT: permissions.check_import,
}


def check(caller: Caller, action: Action, *matter: Any) -> None:
    """Refuse an action that a caller may not do; asked for each action, before anything is done.

    Args:
        caller: Who asks.
        action: What for.
        matter: What the action's limit looks at: the arguments of its function in `LIMITS`.

    Raises:
        Forbidden: The caller may not; the message says who may.
    """
    if limit := limit_of(caller, action):
        limit(*matter)


def limit_of(caller: Caller, action: Action) -> Callable[..., None] | None:
    """Return what `check` would ask, for a matter that is known later; None when there is no limit."""
    return None if caller.trusted else LIMITS.get(action)


def file_of(caller: Caller, settings: Settings, named: str | Path) -> Path:
    """Return the file that a caller names for an import or export.

    A trusted caller's path is any file, relative to the working folder; another's is one of the export folder.

    Raises:
        InvalidParams: It lies outside of the export folder, or is not a path.
    """
    return Path(named) if caller.trusted else exports.confined(settings, str(named))
