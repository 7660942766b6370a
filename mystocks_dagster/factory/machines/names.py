"""Names of the locks by which machines and the processes of runs show that they are alive."""

import platform
from importlib.metadata import version

#: Held, together with others, by each machine that takes runs.
MACHINES = "mystocks machines"
_LABEL = "mystocks machine"


def run_lock(run_id: str) -> str:
    """Return the name of the lock that a run's process holds."""
    return f"mystocks run {run_id}"


def run_label(run_id: str) -> str:
    """Return the label of a run's process."""
    return f"run {run_id[:8]} on {platform.node()}"


def installed() -> str:
    """Return the version of this package."""
    return version("mystocks-dagster")


def machine_label(slots: int, name: str) -> str:
    """Return the label of a machine, which holds all that others need to know of it."""
    return f"{_LABEL} {slots} {installed()} {name}"


def machine_of(label: str) -> tuple[int, str, str] | None:
    """Return slots, version and name from the label of a machine; None for another label."""
    if not label.startswith(f"{_LABEL} "):
        return None
    slots, package, name = label.removeprefix(f"{_LABEL} ").split(" ", 2)
    return int(slots), package, name
