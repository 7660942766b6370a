"""Many backtests of one market: parameter grids and walk-forward windows, over several processes.

The market is prepared once and written to a file that all processes map into memory, so that it exists once.
"""

import mmap
import multiprocessing
import os
import pickle
import struct
import tempfile
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from mystocks_dagster.market.backtesting.engine import backtest
from mystocks_dagster.market.backtesting.figures import measure
from mystocks_dagster.market.backtesting.market import Market
from mystocks_dagster.market.backtesting.orders import Signals
from mystocks_dagster.market.backtesting.terms import Terms

#: Fewer backtests than this are not worth starting processes, or a cluster.
FEW = 8


@dataclass(frozen=True)
class Trial:
    """One backtest of a grid.

    Attributes:
        strategy: The name of its signals.
        terms: Its terms.
        span: The places of its days.
        benchmark: The benchmark's value of each of its days; empty for none.
    """

    strategy: str
    terms: Terms
    span: range
    benchmark: tuple[float, ...] = ()


@dataclass(frozen=True)
class Laboratory:
    """What all trials share: the market, and the signals of each strategy."""

    market: Market
    signals: Mapping[str, Signals]

    def run(self, trial: Trial) -> dict[str, Any]:
        """Return the figures of a trial, with the number of its trades and its last equity."""
        own = {trial.strategy: self.signals[trial.strategy]}
        weights = {trial.strategy: 1.0}
        outcome = backtest(self.market, own, trial.terms, weights=weights, span=trial.span, recorded=False)
        figures = measure(outcome, trial.benchmark).named()
        return figures | {"trades": len(outcome.trades), "final_equity": outcome.balances[-1].equity}


class Window(NamedTuple):
    """The places of the days by which parameters are chosen, and of the days after them that test the choice."""

    train: range
    test: range


def combinations(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return all combinations of a grid's values, the last parameter changing first.

    Examples:
        >>> combinations({"max_positions": [5, 10], "slippage_ticks": [0, 1]})[1]
        {'max_positions': 5, 'slippage_ticks': 1}
    """
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def windows(days: int, train: int, test: int) -> list[Window]:
    """Return the windows of a walk-forward over so many days; the last test may be shorter.

    Examples:
        >>> windows(10, 4, 3)
        [Window(train=range(0, 4), test=range(4, 7)), Window(train=range(3, 7), test=range(7, 10))]
    """
    starts = range(train, days, test)
    return [Window(range(start - train, start), range(start, min(start + test, days))) for start in starts]


def run_trials(
    laboratory: Laboratory,
    trials: Sequence[Trial],
    processes: int | None = None,
    done: Callable[[int], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Return the figures of trials in their order.

    Args:
        laboratory: What they share.
        trials: The trials.
        processes: How many processes run them; None is one for each core. 1 starts none.
        done: Receives the number of finished trials.
    """
    processes = min(len(trials), processes or cores())
    if processes <= 1 or len(trials) < FEW:
        return _collected((laboratory.run(trial) for trial in trials), done)
    context = multiprocessing.get_context("spawn")
    with (
        _shared(laboratory) as path,
        ProcessPoolExecutor(processes, context, initializer=_open, initargs=(path,)) as pool,
    ):
        size = max(1, len(trials) // (4 * processes))
        return _collected(pool.map(_run, trials, chunksize=size), done)


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _collected(results: Iterable[dict[str, Any]], done: Callable[[int], None]) -> list[dict[str, Any]]:
    collected = []
    for result in results:
        collected.append(result)
        done(len(collected))
    return collected


# ---- one copy of the market for all processes


@contextmanager
def _shared(laboratory: Laboratory) -> Generator[str]:
    """Write the laboratory to a file; its arrays are apart, so that they can be mapped."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(laboratory, protocol=5, buffer_callback=buffers.append)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "market"
        with path.open("wb") as file:
            parts = [head, *(buffer.raw() for buffer in buffers)]
            sizes = [len(part) for part in parts]
            file.write(struct.pack(f"<{len(sizes) + 1}q", len(sizes), *sizes))
            for part in parts:
                file.write(part)
        yield str(path)


def _load(path: str) -> Laboratory:
    with Path(path).open("rb") as file:
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    (number,) = struct.unpack_from("<q", view)
    sizes = struct.unpack_from(f"<{number}q", view, 8)
    parts, begin = [], 8 * (number + 1)
    for size in sizes:
        parts.append(view[begin : begin + size])
        begin += size
    return pickle.loads(parts[0], buffers=parts[1:])


_laboratory: Laboratory | None = None


def _open(path: str) -> None:
    global _laboratory
    _laboratory = _load(path)


def _run(trial: Trial) -> dict[str, Any]:
    if _laboratory is None:
        raise RuntimeError("This process was not given a market.")
    return _laboratory.run(trial)


def trial_of(terms: Terms, values: Mapping[str, Any], strategy: str, span: range, benchmark: Sequence[float]) -> Trial:
    """Return the trial of one combination: `strategy_id` names its strategy, the others are terms."""
    changed = {name: value for name, value in values.items() if name != "strategy_id"}
    own = tuple(benchmark[span.start : span.stop]) if benchmark else ()
    return Trial(values.get("strategy_id", strategy), replace(terms, **changed), span, own)
