"""What is checked before a machine takes runs: versions, the tables of the database, the clock, the lake."""

import json
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import dagster as dg

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.factory import database_lock
from mystocks_dagster.factory.machines import names
from mystocks_dagster.history.dagster_storage import event_storage, revisions, run_storage, schedule_storage
from mystocks_dagster.lake.access import check_access
from mystocks_dagster.runs import daemon_lake
from mystocks_dagster.settings import Settings
from mystocks_dagster.shared.values import Values
from mystocks_dagster.tags import Storage
from mystocks_dagster.version_stamp import is_newer

#: Clocks that differ by more seconds show times that mislead a person; nothing else depends on them.
_CLOCK_SECONDS = 30.0


def check(settings: Settings, instance: dg.DagsterInstance, url: str, name: str, report: Callable[[str], None]) -> None:
    """Check that this machine can execute runs of the project; a clock that differs is only reported.

    Args:
        settings: The project's settings on this machine.
        instance: Dagster's instance.
        url: The database that the machines share.
        name: What the machine is called.
        report: Receives warnings.

    Raises:
        InstanceError: Versions or lakes of this machine and of the others differ, or the database does not answer.
        LakeUnavailable: The lake cannot be read or written.
    """
    values = Values(url)
    daemon = values.get(Storage.DAEMON_VERSION)
    if daemon is not None and daemon != names.installed():
        running = database_lock.holder(settings.dagster_home)
        raise InstanceError(different(daemon, name) if running or _is_newer(daemon) else _before_the_head(daemon, name))
    check_tables(instance)
    check_lake(values.get(Storage.DAEMON_LAKE), settings.lake, name)
    difference = time.time() - values.now()
    if abs(difference) > _CLOCK_SECONDS:
        side = "ahead of" if difference > 0 else "behind"
        report(
            f"Warning: the clock of {name} is {abs(difference):.0f} s {side} the database's. Runs are not affected, "
            "but times of this machine are wrong. Set the clock, best by chrony or systemd-timesyncd."
        )
    check_access(settings.lake, name)


def check_package(daemon: str | None, name: str) -> None:
    """Raise an error if the daemon has another version of this package; `daemon` is None before its first start.

    Raises:
        InstanceError: The versions differ.
    """
    if daemon is not None and daemon != names.installed():
        raise InstanceError(different(daemon, name))


def different(daemon: str, name: str) -> str:
    """Return the message about a daemon whose version of this package is `daemon`."""
    return (
        f"{name} has mystocks-dagster {names.installed()}, and the daemon has {daemon}. Install one version on all "
        f"machines, for example pip install mystocks-dagster=={daemon}, and start `mystocks worker` again."
    )


def _is_newer(daemon: str) -> bool:
    return is_newer(daemon, f"kvs['{Storage.DAEMON_VERSION}']")


def _before_the_head(daemon: str, name: str) -> str:
    """Return the message about an older daemon that does not run: the others are not brought along yet."""
    here = names.installed()
    return (
        f"{name} has mystocks-dagster {here}, and the last daemon had {daemon}; none runs now. Install {here} on the "
        "head, run there: mystocks upgrade, then: mystocks ui, and start `mystocks worker` again."
    )


def check_lake(noted: str | None, lake: str, name: str) -> None:
    """Raise an error if this machine's lake is another one than the daemon's; `noted` is None before its first start.

    Raises:
        InstanceError: The lakes differ.
    """
    daemon = json.loads(noted)["lake"] if noted else lake
    if not daemon_lake.same_lake(daemon, lake):
        raise InstanceError(
            f"The lake of {name} is {lake}, and the daemon's is {daemon}: its runs would write into another lake. Set "
            "MYSTOCKS_LAKE as the daemon has it, and start `mystocks worker` again."
        )


def check_tables(instance: dg.DagsterInstance) -> None:
    """Raise an error if another release of Dagster has made or changed the tables of the database.

    Raises:
        InstanceError: This machine's release is older or newer than the tables.
    """
    for storage in (run_storage(instance), event_storage(instance), schedule_storage(instance)):
        found: Any = revisions(storage)
        if found.stored == found.own:
            continue
        if found.known:
            raise InstanceError(
                f"The tables of the database are of an older Dagster (revision {found.stored}; Dagster "
                f"{version('dagster')} needs {found.own}). Stop all machines, then run on one of them: mystocks upgrade"
            )
        raise InstanceError(
            f"The tables of the database are of a newer Dagster (revision {found.stored}, which Dagster "
            f"{version('dagster')} does not know). Install on this machine the release of the other machines: pip show "
            "dagster there prints it."
        )
