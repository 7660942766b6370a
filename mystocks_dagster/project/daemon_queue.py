"""Whether the runs of a command are taken off the queue by a daemon, before the project is opened."""

from mystocks_dagster import storage_config
from mystocks_dagster.errors import OtherLake
from mystocks_dagster.instance import instance_config, open_tables
from mystocks_dagster.processes import lock
from mystocks_dagster.runs import daemon_lake
from mystocks_dagster.settings import Settings


def is_taken_by_daemon(settings: Settings) -> bool:
    """Return whether a daemon of the same lake and source takes the runs of a command.

    Raises:
        OtherLake: Other machines execute the runs, and their lake or source is another one.
    """
    elsewhere = storage_config.runs_elsewhere(instance_config(settings))
    queued = lock.holder(settings.dagster_home / lock.DAEMON_LOCK) is not None
    noted = open_tables(settings).note(daemon_lake.KEY) if queued or elsewhere else None
    difference = daemon_lake.difference(noted, settings)
    if difference and elsewhere:
        raise OtherLake(
            f"Nothing was started: runs are executed by other machines, and {difference}. Set MYSTOCKS_LAKE and "
            "MYSTOCKS_SOURCE as the daemon has them, or name another instance in DAGSTER_HOME."
        )
    return queued and not difference
