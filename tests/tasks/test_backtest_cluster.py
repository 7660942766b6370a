"""Grids on a cluster: the figures of one process, also when a worker is killed; and which clusters are refused."""

from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from typing import Any

import pytest
from distributed import Client, Future
from distributed.comm import CommClosedError
from support.backtests import DAYS, TERMS, laboratory_of_noise
from support.dask import Engine, engine
from support.project import free_port, wait_for

from mystocks_dagster.errors import EngineError, EngineUnavailable
from mystocks_dagster.market.backtesting.grid import Laboratory, combinations, run_trials, trial_of
from mystocks_dagster.tasks import backtest_cluster
from mystocks_dagster.tasks.backtest_cluster import run_on_cluster
from mystocks_dagster.tasks.backtest_grid import run_backtest_grid
from mystocks_dagster.tasks.backtest_grid_params import GridParams

#: Each needs a scheduler and workers.
pytestmark = pytest.mark.slow

POINTS = combinations({"max_positions": [1, 2, 3], "slippage_ticks": [0, 1, 2, 3], "holding_days": [2, 3, 5, None]})


@pytest.fixture(scope="module")
def laboratory() -> Laboratory:
    return laboratory_of_noise()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(tmp_path_factory.mktemp("engine"), "first", "second") as here:
        with Client(here.address, set_as_default=False, timeout=60) as client:
            client.wait_for_workers(2, timeout=90)
        yield here


def test_the_grid_of_a_task_has_the_rows_of_one_process(
    computing: Any, lake: Any, alternating_market: None, cluster: Engine
) -> None:
    grid = {"max_positions": [1, 2], "slippage_ticks": [0, 5], "holding_days": [2, 5]}
    run_backtest_grid(GridParams(grid=grid, processes=1), computing)
    alone = lake.read("backtest_grids").drop("run_at").sort("number")
    lake.replace_all("backtest_grids", lake.read("backtest_grids").clear())
    result = run_backtest_grid(
        GridParams(grid=grid), replace(computing, settings=replace(computing.settings, engine=cluster.address))
    )
    assert result.rows == {"backtest_grids": 8}
    assert lake.read("backtest_grids").drop("run_at").sort("number").equals(alone)


def test_a_worker_killed_in_the_middle_changes_no_figure(laboratory: Laboratory, cluster: Engine) -> None:
    trials = [trial_of(TERMS, point, "a", range(len(DAYS)), ()) for point in POINTS]
    counted: list[int] = []

    def done(number: int) -> None:
        if not counted:
            cluster.workers[0].kill()
        counted.append(number)

    figures = run_on_cluster(cluster.address, laboratory, trials, done)
    assert cluster.workers[0].wait(20) != 0
    assert figures == run_trials(laboratory, trials, processes=1)
    assert counted[-1] == len(trials) == 48
    assert counted == sorted(counted)


def test_the_market_is_sent_again_when_all_workers_that_had_it_are_lost(
    laboratory: Laboratory, cluster: Engine
) -> None:
    trials = [trial_of(TERMS, point, "a", range(len(DAYS)), ()) for point in POINTS]
    replaced: list[int] = []

    def done(number: int) -> None:
        if not replaced:
            replaced.append(number)
            for worker in cluster.workers:
                worker.kill()
            cluster.worker("third")

    assert run_on_cluster(cluster.address, laboratory, trials, done) == run_trials(laboratory, trials, processes=1)


def test_a_result_whose_connection_breaks_is_computed_again(
    laboratory: Laboratory, cluster: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = [trial_of(TERMS, point, "a", range(len(DAYS)), ()) for point in POINTS[:6]]
    result = Future.result
    broken: list[Future] = []

    def result_once_broken(future: Future) -> Any:
        if not broken:
            broken.append(future)
            raise CommClosedError("Connection reset by peer")
        return result(future)

    monkeypatch.setattr(Future, "result", result_once_broken)
    assert run_on_cluster(cluster.address, laboratory, trials) == run_trials(laboratory, trials, processes=1)
    assert broken


@pytest.mark.parametrize("call", ["wait_for_workers", "get_versions", "nthreads"])
def test_a_scheduler_that_ends_before_the_client_notices_is_named(
    laboratory: Laboratory, cluster: Engine, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def closed(*_: Any, **__: Any) -> None:
        raise CommClosedError("Connection reset by peer")

    monkeypatch.setattr(Client, call, closed)
    with pytest.raises(EngineUnavailable, match="its scheduler has ended"):
        run_on_cluster(cluster.address, laboratory, [])


def test_workers_of_another_release_are_refused_with_both_versions(
    laboratory: Laboratory, cluster: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = metadata.version("mystocks-dagster")
    relevant = backtest_cluster._relevant
    first: list[Any] = []

    def newer_here(versions: Any) -> Any:
        first.append(versions)
        return relevant(versions) | ({"mystocks-dagster": "9.9.9"} if len(first) == 1 else {})

    monkeypatch.setattr(backtest_cluster, "_relevant", newer_here)
    with pytest.raises(EngineError, match=rf"The worker tcp://.* has mystocks-dagster {own} \(here 9\.9\.9\)"):
        run_on_cluster(cluster.address, laboratory, [])


def test_an_engine_that_does_not_answer_is_named_with_what_to_start(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtest_cluster, "_PATIENCE_SECONDS", 0.5)
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(EngineUnavailable, match=rf"The engine {address} .* does not answer.*dask scheduler"):
        run_on_cluster(address, laboratory, [])


def test_an_engine_with_tls_and_no_certificates_here_says_where_they_are_named(laboratory: Laboratory) -> None:
    with pytest.raises(EngineError, match=r"The engine tls://127\.0\.0\.1:1 needs certificates.*docs/machines\.md"):
        run_on_cluster("tls://127.0.0.1:1", laboratory, [])


def test_an_engine_without_workers_says_how_they_are_started(
    laboratory: Laboratory, cluster: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one before the last: it ends the workers."""
    for worker in cluster.workers:
        worker.kill()
        worker.wait()
    with Client(cluster.address, set_as_default=False, timeout=60) as client:
        wait_for(lambda: not client.nthreads(), 30, "the end of the workers")
    monkeypatch.setattr(backtest_cluster, "_PATIENCE_SECONDS", 1)
    with pytest.raises(EngineUnavailable, match=r"has no workers. Start some on each machine: dask worker tcp://"):
        run_on_cluster(cluster.address, laboratory, [])


def test_a_scheduler_that_ends_in_the_middle_is_named(laboratory: Laboratory, cluster: Engine) -> None:
    """The last one: it ends the scheduler."""
    trials = [trial_of(TERMS, point, "a", range(len(DAYS)), ()) for point in POINTS]
    scheduler = cluster.scheduler
    assert scheduler is not None
    cluster.worker("fourth")
    with pytest.raises(EngineUnavailable, match="its scheduler has ended"):
        run_on_cluster(cluster.address, laboratory, trials, lambda _: scheduler.kill())
