"""A lock by name for all processes of a project: in the database that the machines share, else a file of this machine.

A process that is killed leaves no lock behind: both kinds end with it.
"""

import contextlib
import os
import platform
from collections.abc import Generator
from pathlib import Path

from mystocks_dagster import disk_errors
from mystocks_dagster.errors import SettingsError
from mystocks_dagster.shared.file_lock import take_lock
from mystocks_dagster.shared.place import database_url


@contextlib.contextmanager
def held(home: Path, name: str, patience: float = 0) -> Generator[bool]:
    """Hold a lock during the block; yields False if another process keeps it for longer than `patience` seconds.

    Args:
        home: The instance's folder.
        name: The lock's name, the same on all machines; a part of a file's name.
        patience: Seconds to wait for the process that holds it.

    Raises:
        InstanceError: The shared database does not answer.
        SettingsError: The folder of the instance cannot be written.
    """
    if url := database_url(home):
        from mystocks_dagster.shared.locks import Lock

        lock = Lock(url, f"mystocks {name}", f"mystocks {name} {os.getpid()} on {platform.node()}")
        try:
            yield lock.take(patience)
        finally:
            lock.release()
        return
    path = home / f"{name}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise disk_errors.explain(error, home) or SettingsError(
            f"{path} cannot be written: {error.strerror}. Check the folder's permissions, or choose another folder "
            "with DAGSTER_HOME."
        ) from None
    try:
        yield take_lock(descriptor, patience)
    finally:
        os.close(descriptor)
