"""Callers, actions, and the only permission check.

A caller is trusted if its user can write the task file or run commands on this machine anyway. REST, the pages,
assistants and the jobs of Dagster's UI are untrusted: `check` applies `LIMITS` to them (the table in docs/rest.md, "Who
may do what").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from mystocks_dagster.errors import Forbidden
from mystocks_dagster.project import permissions
from mystocks_dagster.project.roles import Role
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.edit import exports


@dataclass(frozen=True, kw_only=True)
class Caller:
    """An interface through which the project is used.

    Attributes:
        name: The tag `mystocks/started_by` of the runs that it starts.
        trusted: Whether its permissions are those of the user who runs this process.
        user: The user of the server; empty for the owner, and for whoever runs this process.
        role: What the user may do; the owner's is the highest.
    """

    name: str
    trusted: bool
    user: str = ""
    role: Role = Role.EDITOR

    @property
    def is_this_process(self) -> bool:
        """Whether it is whoever runs this process, and no user of a server."""
        return self.trusted


CLI = Caller(name="cli", trusted=True)
PYTHON = Caller(name="python", trusted=True)
REST = Caller(name="rest", trusted=False)
PAGES = Caller(name="web", trusted=False)
#: An assistant over MCP: it does what its user's prompts and its own reading make it do.
ASSISTANT = Caller(name="assistant", trusted=False)
#: The management jobs: everybody with access to Dagster's UI can start them.
JOBS = Caller(name="dagster", trusted=False)


class Action(Enum):
    """All actions that change something; reading needs no permission."""

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


#: The least role of each action.
ROLES: Mapping[Action, Role] = {
    **dict.fromkeys(Action, Role.EDITOR),
    **dict.fromkeys((Action.START, Action.BACKFILL, Action.STOP, Action.SWITCH), Role.OPERATOR),
}

#: The limits of untrusted callers: functions that raise `Forbidden`. An action that is missing here has no limit.
LIMITS: Mapping[Action, Callable[..., None]] = {
    Action.START: permissions.check_start,
    Action.EDIT: permissions.check_documents,
    Action.WRITE_COMMAND: permissions.check_functions,
    Action.IMPORT: permissions.check_import,
}


def check(caller: Caller, action: Action, *arguments: Any) -> None:
    """Refuse an action that a caller is not permitted; called for each action before anything is done.

    Args:
        caller: The caller.
        action: The action.
        arguments: The arguments of the action's function in `LIMITS`.

    Raises:
        Forbidden: The caller is not permitted; the message says who is.
    """
    if limit := limit_of(caller, action):
        limit(*arguments)


def limit_of(caller: Caller, action: Action) -> Callable[..., None] | None:
    """Return the function that `check` calls, for arguments that are known later; None if there is no limit.

    Raises:
        Forbidden: The user's role is not enough for the action, whatever its arguments are.
    """
    if not caller.role.includes(ROLES[action]):
        raise Forbidden(
            f"{caller.user} is here as {caller.role}, and may not do this: {action.value}. The owner of the project "
            f"can change that: mystocks users role {caller.user} {ROLES[action]}"
        )
    return None if caller.trusted else LIMITS.get(action)


def file_of(caller: Caller, settings: Settings, named: str | Path) -> Path:
    """Return the file of an import or export.

    A trusted caller may name any file, relative to the working folder; an untrusted one a file in the export folder.

    Raises:
        InvalidParams: The file is outside the export folder, or `named` is not a path.
    """
    return Path(named) if caller.trusted else exports.confined(settings, str(named))
