"""Backtests of a grid on the workers of a Dask cluster, instead of processes of this machine.

The market goes to each worker once, the trials in small parts. A part whose worker is gone is computed by another one.
See docs/decisions/0069.
"""

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import CancelledError
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mystocks_dagster.errors import EngineError, EngineUnavailable
from mystocks_dagster.market.backtesting.grid import Laboratory, Trial

if TYPE_CHECKING:
    from distributed import Client, Future

#: What must be equal here and on the workers: these decide the figures, or how they travel.
_PACKAGES = ("mystocks-dagster", "numpy", "numba", "distributed")
#: Seconds until the scheduler must answer, and until a worker must be there.
_PATIENCE_SECONDS = 15
#: How often the market is sent again, after all workers that had it were lost.
_ROUNDS = 3
_MEMORY = "Each worker holds the whole market: give them more memory, or start fewer on a machine."
_SAME = "Install the same release of mystocks-dagster from the same lock on all machines, and start the workers again."
#: Parts for each thread of the cluster: so many that all end at about the same time.
_PARTS = 8


def run_on_cluster(
    address: str, laboratory: Laboratory, trials: Sequence[Trial], done: Callable[[int], None] = lambda _: None
) -> list[dict[str, Any]]:
    """Return the figures of trials in their order, as `run_trials` does.

    Args:
        address: The scheduler: `MYSTOCKS_ENGINE`.
        laboratory: What the trials share.
        trials: The trials.
        done: Receives the number of finished trials.

    Raises:
        EngineUnavailable: The scheduler does not answer, it has no workers, or they were lost again and again.
        EngineError: A worker has other versions than this machine or lacks code, or certificates are missing here.
    """
    with _connected(address) as client:
        threads = _check_workers(client, address)
        size = max(1, len(trials) // (_PARTS * threads))
        parts = {first: trials[first : first + size] for first in range(0, len(trials), size)}
        finished: dict[int, list[dict[str, Any]]] = {}
        for number in range(_ROUNDS):
            if number:
                _check_workers(client, address)
            missing = {first: part for first, part in parts.items() if first not in finished}
            _compute(client, address, laboratory, missing, finished, done)
            if len(finished) == len(parts):
                return [figures for first in sorted(finished) for figures in finished[first]]
    raise EngineUnavailable(f"The engine {address} lost all of its workers {_ROUNDS} times. {_MEMORY}")


def _compute(
    client: "Client",
    address: str,
    laboratory: Laboratory,
    parts: Mapping[int, Sequence[Trial]],
    finished: dict[int, list[dict[str, Any]]],
    done: Callable[[int], None],
) -> None:
    """Compute parts, each on one worker, and add the figures of those that were not lost to `finished`."""
    from distributed import as_completed

    try:
        market = client.scatter(laboratory, broadcast=True, hash=False)
    except OSError:  # a worker was lost meanwhile
        return
    futures = {client.submit(_run_part, market, part, pure=False, retries=0): first for first, part in parts.items()}
    for future in as_completed(futures, loop=client.loop):
        if future.status == "error":
            raise _error(future, address)
        # A future is cancelled when the market is lost, or its result before it is fetched. Where the scheduler ends
        # while it sends the result, that is an OSError. The next look at the workers says who is gone.
        with contextlib.suppress(CancelledError, OSError):
            finished[futures[future]] = future.result()
            done(sum(map(len, finished.values())))


def _run_part(laboratory: Laboratory, trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Compute trials, on a worker."""
    return [laboratory.run(trial) for trial in trials]


def _error(future: "Future", address: str) -> Exception:
    """Return the error of a part: one of the cluster is explained, one of a backtest is raised as it is."""
    error = future.exception()
    if type(error).__name__ == "KilledWorker":
        return EngineUnavailable(
            f"The engine {address} lost several workers while they computed the same part. {_MEMORY}"
        )
    if isinstance(error, ImportError):
        return EngineError(f"A worker of the engine {address} lacks code: {error}. {_SAME}")
    return error


@contextlib.contextmanager
def _connected(address: str) -> Generator["Client"]:
    """Connect to the scheduler; at the end it forgets what was computed."""
    if find_spec("distributed") is None:
        raise EngineError(
            "MYSTOCKS_ENGINE is set, and distributed is not installed, which connects to the engine. Install it here "
            "and where its workers run: pip install 'mystocks-dagster[engine]'"
        )
    from distributed import Client

    try:
        client = Client(address, timeout=_PATIENCE_SECONDS, set_as_default=False)
    except TypeError as error:  # what distributed raises for tls:// without certificates
        raise EngineError(
            f"The engine {address} needs certificates, and none is configured here ({error}): docs/machines.md lists "
            "the variables."
        ) from None
    except (OSError, TimeoutError, RuntimeError, ValueError) as error:
        raise EngineUnavailable(
            f"The engine {address} (MYSTOCKS_ENGINE) does not answer: {error}. Start it: dask scheduler. Without "
            "MYSTOCKS_ENGINE, the grid is computed on this machine."
        ) from None
    try:
        yield client
    finally:
        client.close()


def _check_workers(client: "Client", address: str) -> int:
    """Return the number of the cluster's threads, after a look whether each worker computes what this machine would.

    Raises:
        EngineUnavailable: The scheduler has ended, or there are no workers.
        EngineError: A worker has other versions.
    """
    gone = f"The engine {address} is gone: its scheduler has ended. Start it again: dask scheduler"
    if client.status != "running":
        raise EngineUnavailable(gone)
    try:
        client.wait_for_workers(1, timeout=_PATIENCE_SECONDS)
        versions: Any = client.get_versions(packages=[*_PACKAGES])
        threads = sum(client.nthreads().values())
    except TimeoutError:
        raise EngineUnavailable(
            f"The engine {address} has no workers. Start some on each machine: dask worker {address} --nworkers -1 "
            "--nthreads 1"
        ) from None
    except OSError:  # the client has not noticed yet that the scheduler is gone
        raise EngineUnavailable(gone) from None
    own = _relevant(versions["client"])
    for worker, found in versions["workers"].items():
        theirs = _relevant(found)
        different = [name for name in own if own[name] != theirs[name]]
        if different:
            versions_text = ", ".join(f"{name} {theirs[name] or 'is missing'} (here {own[name]})" for name in different)
            raise EngineError(f"The worker {worker} of the engine {address} has {versions_text}. {_SAME}")
    return threads


def _relevant(versions: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the versions that must be equal; of Python's only the first two numbers."""
    packages = versions["packages"]
    python = ".".join(packages["python"].split(".")[:2])
    return {"Python": python, **{name: packages.get(name) for name in _PACKAGES}}
