"""A function reads and writes its own arrays only: compiled code writes over other memory without a word."""

from itertools import product

import numba
import numpy as np
import pytest
from support.formulas import planned

from mystocks_dagster.market.formulas import evaluation
from mystocks_dagster.market.formulas.evaluation import Bars, empty_state, evaluate
from mystocks_dagster.market.formulas.function import Argument
from mystocks_dagster.market.formulas.functions import FUNCTIONS

pytestmark = pytest.mark.slow

#: Numbers before and after each array. Reads that reach further are not seen.
BESIDE = 300
LENGTHS = (3, 0, 1, 90, 2, 300, 5, 4, 7, 1)
WINDOWS = (0, 1, 2, 7, 260)
ODD = (np.nan, 0.0, 1.0, -1.0, 5.0, 1e18, -1e18, np.inf, -np.inf, 0.5)


def bars():
    rng = np.random.default_rng(5)
    rows = sum(LENGTHS)
    low = rng.uniform(5, 6, rows)
    columns = {"LOW": low, "HIGH": low + 1, "CLOSE": low + rng.random(rows), "OPEN": low + rng.random(rows)}
    columns |= {"VOL": rng.choice(ODD, rows), "AMOUNT": rng.uniform(1, 400, rows)}
    return Bars(np.concatenate(([0], np.cumsum(LENGTHS))), columns)


def values(argument: Argument) -> list[str]:
    """Return what may be written for an argument: numbers within its bounds, and series where it may vary."""
    low, high = argument.low, argument.high
    numbers = [str(n) for n in WINDOWS if (low is None or n >= low) and (high is None or n <= high)]
    if argument.of:
        numbers = ["1"]
    if argument.kind in ("series", "level"):
        return ["CLOSE", "VOL", "CLOSE>OPEN"]
    return [*numbers, "VOL", "AMOUNT"] if argument.may_vary else numbers


def calls(name: str) -> list[str]:
    """Return calls with all numbers, and with each value of an argument beside the first and last of the others."""
    arguments = FUNCTIONS[name].arguments
    every = [values(argument) for argument in arguments]
    chosen = set(
        product(*(one if a.kind in ("window", "number") else one[:1] for a, one in zip(arguments, every, strict=True)))
    )
    for place, one in enumerate(every):
        for value, end in product(one, (0, -1)):
            chosen.add(tuple(value if i == place else other[end] for i, other in enumerate(every)))
    return sorted(f"{name}({','.join(one)})" if arguments else name for one in chosen)


class Guard:
    """Runs kernels on arrays that lie between numbers of its own, and looks at these afterwards."""

    def __init__(self, fill: float) -> None:
        self.fill = fill

    def between(self, array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        memory = np.full(array.size + 2 * BESIDE, self.fill)
        # A slice without a number would begin where the memory does.
        inner = np.ndarray(array.shape, memory.dtype, memory, BESIDE * memory.itemsize)
        inner[:] = array
        return memory, inner

    def run(self, step, block, series, state, out, buffers) -> None:
        arrays = [evaluation._numbers(value, len(out), buffers) for value in series]
        carried = state[step.version] if step.state_size else np.empty((block.symbols, 0))
        pairs = [self.between(np.asarray(array, float)) for array in (*arrays, carried, out)]
        step.primitive.run(
            block.offsets, *(inner for _, inner in pairs[:-2]), *step.numbers, pairs[-2][1], pairs[-1][1]
        )
        for memory, _ in pairs:
            beside = np.concatenate([memory[:BESIDE], memory[-BESIDE:]])
            assert beside.tobytes() == np.full(2 * BESIDE, self.fill).tobytes(), "it wrote beside an array"
        carried[:], out[:] = pairs[-2][1], pairs[-1][1]


@numba.njit
def _beside(state):
    state[0, 0] += 5.0


def test_what_is_written_beside_an_array_is_noticed():
    memory, inner = Guard(1.0).between(np.zeros((3, 0)))
    _beside(inner)
    assert memory[BESIDE] == 6


@pytest.mark.parametrize("name", [name for name, function in FUNCTIONS.items() if function.group != "dates"])
def test_a_function_touches_nothing_beside_its_arrays(name, monkeypatch):
    for text in calls(name):
        plan = planned([text])
        told = []
        for fill in (7.0, -1e300, np.nan):
            monkeypatch.setattr(evaluation, "_run_kernel", Guard(fill).run)
            state = empty_state(plan, len(LENGTHS)) if plan.carried else None
            told.append([evaluate(plan, bars(), state)[text] for _ in range(2)])  # also on what is carried on
        np.testing.assert_array_equal(told[0], told[1], err_msg=text)
        np.testing.assert_array_equal(told[0], told[2], err_msg=text)
