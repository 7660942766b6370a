"""Names of the locks by which machines and the processes of runs show that they are alive."""

import hashlib
import platform
from importlib.metadata import version

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.shared.locks import LONGEST_LABEL
from mystocks_dagster.tags import Storage

#: Held, together with others, by each machine that takes runs.
MACHINES = "mystocks machines"
_LABEL = "mystocks machine"
#: Begins the hash that stands for a name in a label.
_HASHED = "#"


def run_lock(run_id: str) -> str:
    """Return the name of the lock that a run's process holds."""
    return f"mystocks run {run_id}"


def name_lock(name: str) -> str:
    """Return the name of the lock that the one machine of this name holds."""
    return f"mystocks machine {name}"


def run_label(run_id: str) -> str:
    """Return the label of a run's process."""
    return f"run {run_id[:8]} on {platform.node()}"


def installed() -> str:
    """Return the version of this package."""
    return version("mystocks-dagster")


def check_name(name: str) -> None:
    """Check what a person calls a machine.

    Raises:
        InstanceError: It is empty, or not one line of text.
    """
    if not name.strip() or not name.isprintable():
        raise InstanceError(f"{name!r} cannot be the name of a machine: it is one line of text. Give another: --name")


def machine_label(slots: int, name: str) -> str:
    """Return the label of a machine, which holds all that others need to know of it.

    Postgres takes 63 characters of ASCII: any other name is stored by `key_of`, and only its hash is in the label.
    """
    label = f"{_LABEL} {slots} {installed()} {name}"
    fits = label.isascii() and len(label) <= LONGEST_LABEL and not name.startswith(_HASHED)
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return label if fits else f"{_LABEL} {slots} {installed()} {_HASHED}{digest}"


def machine_of(label: str) -> tuple[int, str, str] | None:
    """Return slots, version and name from the label of a machine; None for another label.

    A name that is stored elsewhere is returned as `is_hashed` recognises it.
    """
    if not label.startswith(f"{_LABEL} "):
        return None
    slots, package, name = label.removeprefix(f"{_LABEL} ").split(" ", 2)
    return int(slots), package, name


def is_hashed(name: str) -> bool:
    """Return whether the name in a label stands for one that is stored."""
    return name.startswith(_HASHED)


def key_of(name: str) -> str:
    """Return where the name of a machine is stored whose label has only the hash of it."""
    return f"{Storage.MACHINES}{name.removeprefix(_HASHED)}"
