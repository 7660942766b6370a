"""The audit log: who changed or started what, and when; one entry for each action that was done.

The entries are in Dagster's own storage, each under a key of its own, so that every machine of an instance adds to the
same log and none overwrites another's entry. A clean-up of the history leaves them.
"""

import getpass
import json
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from mystocks_dagster.dagster_tables import DagsterTables
from mystocks_dagster.errors import InstanceError
from mystocks_dagster.instance import open_tables
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.project.access import Action, Caller
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import Storage


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One action.

    Attributes:
        time: When it was done, in Shanghai's time zone.
        user: The user of the server; `owner` with the owner's token, `local` on a server without one; of a command or
            program, the user of the operating system.
        via: The interface: `cli`, `rest`, `web`, `python`, `assistant`, `dagster` (jobs and GraphQL of Dagster's UI).
        action: What was done, such as `start` or `edit the task file`.
        target: On what: a task or group, a run, a file; empty for the whole project.
        detail: Id of the run, hash of the new file, or the like.
        machine: The host name of the machine on which it was done; empty in entries of an older version.
    """

    time: datetime
    user: str
    via: str
    action: str
    target: str
    detail: str
    machine: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of REST and `--json`."""
        return {**asdict(self), "time": self.time.isoformat()}


def check_storage(settings: Settings) -> None:
    """Check that the storage answers, before an action that does not need it is done and noted.

    Raises:
        InstanceError: It does not answer; nothing was changed.
    """
    if settings.dagster_home.is_dir():
        open_tables(settings)


def note(settings: Settings, caller: Caller, action: Action | str, target: str = "", detail: str = "") -> None:
    """Add an entry for an action that was done; nothing without the instance's folder.

    Raises:
        InstanceError: The storage cannot be written; the message says that the action was done.
    """
    name = action.value if isinstance(action, Action) else action
    try:
        add(settings, caller, name, target, detail)
    except InstanceError as error:
        done = f"{name}, {target}" if target else name
        raise InstanceError(f"This was done, but the audit log has no entry of it: {done}. {error}") from error


def add(settings: Settings, caller: Caller, action: str, target: str = "", detail: str = "") -> None:
    """Add an entry, also for an action that is only asked for yet; nothing without the instance's folder.

    Raises:
        InstanceError: The storage cannot be written.
    """
    if not settings.dagster_home.is_dir():
        return
    moment = datetime.now(UTC)  # noqa: TID251 - the clock of a replay must not reach the log
    content = {
        "user": caller.user or (_system_user() if caller.is_this_process else _anonymous(settings)),
        "via": caller.name,
        "action": action,
        "target": target,
        "detail": detail,
        "machine": platform.node(),
    }
    key = f"{Storage.AUDIT}{moment.isoformat(timespec='microseconds')}-{uuid4().hex[:8]}"
    open_tables(settings).keep(key, json.dumps(content, ensure_ascii=False))


def entries(
    tables: DagsterTables, *, limit: int, since: datetime | None = None, user: str | None = None
) -> Iterator[Entry]:
    """Yield the newest entries, the newest first.

    Args:
        tables: Dagster's tables.
        limit: Maximum number.
        since: Only entries since then.
        user: Only those of this user.
    """
    first = f"{Storage.AUDIT}{since.astimezone(UTC).isoformat(timespec='microseconds')}" if since else Storage.AUDIT
    # Compared here: a database orders text by its own collation, in which `~` may come before `2`.
    rows = tables.rows("runs", "SELECT kvs.key, value FROM kvs WHERE kvs.key LIKE ?", [f"{Storage.AUDIT}%"])
    for key, text in sorted(rows, reverse=True):
        if key < first:
            return
        content = json.loads(text)
        if limit <= 0:
            return
        if user in (None, content["user"]):
            limit -= 1
            moment = datetime.fromisoformat(key.removeprefix(Storage.AUDIT).rpartition("-")[0])
            yield Entry(time=moment.astimezone(SHANGHAI), **content)


def _anonymous(settings: Settings) -> str:
    return "owner" if settings.api_token else "local"


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"
