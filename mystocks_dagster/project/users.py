"""The people who may use a server beside the owner of its token: name, role, and the hash of a secret.

They are kept in Dagster's own storage, so that every server of the instance knows them. A secret is made here, of 256
random bits, and shown once: a plain hash of it cannot be guessed back, unlike that of a password that a person chose.
"""

import hashlib
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from mystocks_dagster.dagster_tables import DagsterTables
from mystocks_dagster.errors import InstanceError, InvalidParams, NotNow, SettingsError, UnknownName
from mystocks_dagster.excerpts import near
from mystocks_dagster.instance import open_tables
from mystocks_dagster.market.clock import now
from mystocks_dagster.project import audit
from mystocks_dagster.project.access import CLI, Caller
from mystocks_dagster.project.roles import Role
from mystocks_dagster.settings import Settings
from mystocks_dagster.shared import locks
from mystocks_dagster.shared.named_lock import held
from mystocks_dagster.tags import Storage

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
#: Names that stand for others in the audit log.
_TAKEN = frozenset({"owner", "local"})
#: Seconds after which a server knows of a change.
_KEPT_SECONDS = 2.0
#: Seconds to wait for other changes.
_PATIENCE_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class User:
    """A person.

    Attributes:
        name: The user name that a browser asks for.
        role: What the person may do.
        digest: SHA-256 of the secret.
        since: When the person was added, ISO 8601 with offset.
    """

    name: str
    role: Role
    digest: str
    since: str


def read(tables: DagsterTables) -> dict[str, User]:
    """Return the users by name."""
    stored = json.loads(tables.note(Storage.USERS) or "{}")
    return {name: User(**{**entry, "role": Role(entry["role"])}) for name, entry in stored.items()}


def add(settings: Settings, name: str, role: Role) -> str:
    """Add a user and return the secret, which is not stored.

    Raises:
        InvalidParams: The name is taken, or not one of small letters, digits, - and _.
        NotNow: Another change of the users takes too long.
    """
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise InvalidParams(
            f"{name!r} cannot be a user's name; use up to 32 small letters, digits, - and _, and neither `owner` nor "
            "`local`."
        )
    secret = secrets.token_urlsafe(32)

    def change(users: dict[str, User]) -> None:
        if name in users:
            raise InvalidParams(f"{name} is a user already. Change the role with: mystocks users role {name} ROLE")
        since = datetime.isoformat(now(), timespec="seconds")
        users[name] = User(name=name, role=role, digest=digest_of(secret), since=since)

    _change(settings, change)
    audit.note(settings, CLI, "add a user", name, role)
    return secret


def set_role(settings: Settings, name: str, role: Role) -> None:
    """Give a user another role; raises `UnknownName` if there is none of that name."""

    def change(users: dict[str, User]) -> None:
        users[name] = replace(_named(users, name), role=role)

    _change(settings, change)
    audit.note(settings, CLI, "change a user's role", name, role)


def remove(settings: Settings, name: str) -> None:
    """Remove a user; raises `UnknownName` if there is none of that name."""

    def change(users: dict[str, User]) -> None:
        del users[_named(users, name).name]

    _change(settings, change)
    audit.note(settings, CLI, "remove a user", name)


def digest_of(secret: str) -> str:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def caller_of(interface: Caller, user: User | None) -> Caller:
    """Return an interface as it is used by a user; None is the owner."""
    return replace(interface, user=user.name, role=user.role) if user else interface


def check_door(settings: Settings) -> None:
    """Refuse to serve without the owner's token where there are users: everybody on this machine would be the owner.

    Raises:
        SettingsError: There are users and no token.
    """
    if settings.api_token is None and (users := read(open_tables(settings))):
        raise SettingsError(
            f"This project has users ({', '.join(sorted(users))}), and MYSTOCKS_API_TOKEN is not set, so everybody on "
            "this machine could do everything. Set it to the owner's token, or remove them: mystocks users remove NAME"
        )


class KnownUsers:
    """The users as a server knows them: read again after two seconds. While the storage is away, the last ones."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tables: DagsterTables | None = None
        self._users: dict[str, User] = {}
        self._read_at = -_KEPT_SECONDS
        self._lock = threading.Lock()

    def all(self) -> Mapping[str, User]:
        """Return the users by name."""
        with self._lock:
            if time.monotonic() - self._read_at >= _KEPT_SECONDS:
                try:
                    locks.check(self._settings.dagster_home)
                    self._tables = self._tables or open_tables(self._settings)
                    self._users = read(self._tables)
                except InstanceError:
                    self._tables = None  # opened anew the next time
                self._read_at = time.monotonic()
            return self._users

    def with_secret(self, secret: str, name: str | None = None) -> User | None:
        """Return the user of a secret, who must have that name if one is given."""
        digest = digest_of(secret)
        found = next((user for user in self.all().values() if secrets.compare_digest(user.digest, digest)), None)
        return found if found and name in (None, found.name) else None


def _named(users: Mapping[str, User], name: str) -> User:
    if name not in users:
        similar = near(name, users)
        hint = f" Did you mean {similar[0]!r}?" if similar else ""
        raise UnknownName(f"There is no user {name!r}.{hint} List them with: mystocks users list")
    return users[name]


def _change(settings: Settings, change: Callable[[dict[str, User]], None]) -> None:
    tables = open_tables(settings)
    # Under a lock of all machines: all users are one value of the storage, and none may be lost.
    with held(settings.dagster_home, "users", _PATIENCE_SECONDS) as alone:
        if not alone:
            raise NotNow(
                f"Nothing was changed: another change of the users has taken longer than {_PATIENCE_SECONDS} s."
            )
        users = read(tables)
        change(users)
        tables.keep(Storage.USERS, json.dumps({name: asdict(user) for name, user in users.items()}, ensure_ascii=False))
