"""The queue of runs on their way to a machine: procrastinate's, in the database that the machines share."""

import asyncio
import contextlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mystocks_dagster.errors import InstanceError

if TYPE_CHECKING:
    import procrastinate

#: A machine that has shown no sign of life for so many seconds has lost the runs that it had taken and not begun.
LOST_SECONDS = 60
#: Name of the queue, and of the one kind of job in it.
QUEUE = "mystocks_runs"
_EXISTS = "SELECT to_regclass('procrastinate_jobs') IS NOT NULL AS there"
#: Two processes must not create the tables at once.
_ALONE = "SELECT pg_advisory_xact_lock(hashtext('mystocks procrastinate'))"


def prepare(url: str) -> None:
    """Create the tables of the queue, unless they are there.

    Raises:
        InstanceError: procrastinate is not installed, or the database does not answer.
    """
    _check_installed()
    import psycopg
    from procrastinate.schema import SchemaManager

    try:
        with psycopg.connect(url, connect_timeout=10) as connection, connection.cursor() as cursor:
            cursor.execute(_ALONE)
            found: Any = cursor.execute(_EXISTS).fetchone()
            if not found[0]:
                cursor.execute(SchemaManager.get_schema())
    except psycopg.Error as error:
        raise InstanceError(
            f"The queue of the machines cannot be created in the database: {error}. The user of the database needs "
            "the right to create tables."
        ) from error


@contextlib.contextmanager
def opened(url: str) -> Any:
    """Open the queue for handing over runs."""
    _check_installed()
    import procrastinate

    app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=url, min_size=1, max_size=1))
    with app.open():
        yield app


def receiving(url: str, report: Callable[[str], None]) -> "procrastinate.App":
    """Return the queue for taking runs; open it with `async with app.open_async()`.

    Its connector waits for the end of an outage, until `give_up` is called.

    Args:
        url: The database, as libpq takes it.
        report: Receives a line at the beginning of an outage, and one at its end.

    Raises:
        InstanceError: procrastinate is not installed.
    """
    _check_installed()
    import procrastinate

    from mystocks_dagster.factory.machines.patience import PatientConnector

    return procrastinate.App(connector=PatientConnector(url, report))


async def recover(app: "procrastinate.App", waits: Callable[[str], bool | None]) -> None:
    """Queue the jobs again that a dead machine had taken and not begun, and remove those whose run has ended.

    Args:
        app: The queue, open for taking runs.
        waits: Returns of a run's id whether no machine has begun it; None if it has ended, or does not exist.
    """
    from procrastinate.jobs import Status

    for job in await app.job_manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=LOST_SECONDS):
        waiting = await asyncio.to_thread(waits, str(job.task_kwargs["run_id"]))
        if waiting:
            await app.job_manager.retry_job(job)
        elif waiting is None:
            await app.job_manager.finish_job(job, Status.ABORTED, delete_job=True)


def hand_over(app: "procrastinate.App", run_id: str, package: str, priority: int) -> None:
    """Queue a run for the first machine that has a free slot; higher priorities first."""
    app.configure_task(QUEUE, queue=QUEUE, priority=priority).defer(run_id=run_id, package=package)


def _check_installed() -> None:
    if find_spec("procrastinate") is None:
        raise InstanceError(
            "procrastinate is not installed, which hands runs over to other machines. Install it on every machine: "
            "pip install 'mystocks-dagster[machines]'"
        )
