"""Compute formulas on the bars of many symbols.

The bars of all symbols lie end to end. They are computed in blocks of symbols, by several threads: compiled kernels and
numpy release the interpreter's lock. A block is so small that its series stay in the processor's cache.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from mystocks_dagster.market.formulas.buffers import Buffers
from mystocks_dagster.market.formulas.plan import Operand, Plan, Step

#: Rows of a block. With fewer, calls cost more than they compute; with more, series leave the cache.
BLOCK_ROWS = 131_072
_THREADS = min(8, os.cpu_count() or 1)

#: What each step carries on, by the step's version: one row per symbol.
State = dict[str, np.ndarray]


@dataclass(frozen=True)
class Bars:
    """Bars of symbols, end to end.

    Attributes:
        offsets: Rows `offsets[s]:offsets[s + 1]` belong to symbol `s`, in ascending order of date.
        columns: Arrays of float64 by the name that formulas give them: OPEN, HIGH, LOW, CLOSE, VOL, AMOUNT...
    """

    offsets: np.ndarray
    columns: Mapping[str, np.ndarray]

    @property
    def symbols(self) -> int:
        """The number of symbols."""
        return len(self.offsets) - 1


def empty_state(plan: Plan, symbols: int) -> State:
    """Return the state of symbols before their first bar."""
    return {version: np.zeros((symbols, size)) for version, size in plan.states.items()}


def evaluate(
    plan: Plan, bars: Bars, state: State | None = None, *, before_block: Callable[[], None] | None = None
) -> dict[str, np.ndarray]:
    """Compute the outputs of a plan.

    Args:
        plan: What to compute.
        bars: The bars; in each column that the plan reads, NaN is "no value".
        state: The state before these bars; it becomes, in place, the state after them. None: these are the first bars,
            and the state after them is not needed.
        before_block: Called before each block; its error ends the computation.

    Returns:
        An array for each output, NaN where it has no value; conditions are 1 and 0.
    """
    rows = int(bars.offsets[-1])
    state = empty_state(plan, bars.symbols) if state is None else state
    results = {name: np.empty(rows) for name in plan.outputs}

    blocks = list(_blocks(bars.offsets))
    longest = max((int(bars.offsets[last] - bars.offsets[first]) for first, last in blocks), default=0)
    spare: list[Buffers] = []

    def run(first: int, last: int) -> None:
        if before_block is not None:
            before_block()
        buffers = spare.pop() if spare else Buffers(longest)
        start, end = int(bars.offsets[first]), int(bars.offsets[last])
        columns = {name: np.ascontiguousarray(bars.columns[name][start:end], np.float64) for name in plan.bars}
        block = Bars(bars.offsets[first : last + 1] - start, columns)
        outputs = {name: array[start:end] for name, array in results.items()}
        _block(plan, block, {version: values[first:last] for version, values in state.items()}, outputs, buffers)
        spare.append(buffers)

    if len(blocks) < 2 or _THREADS < 2:
        for block in blocks:
            run(*block)
    else:
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(run, *zip(*blocks, strict=True)))
    return results


def _blocks(offsets: np.ndarray, rows: int = BLOCK_ROWS) -> Iterator[tuple[int, int]]:
    """Yield the first symbol of each block, and the one after its last."""
    first, symbols = 0, len(offsets) - 1
    while first < symbols:
        last = int(np.searchsorted(offsets, offsets[first] + rows, side="right")) - 1
        last = min(max(last, first + 1), symbols)
        yield first, last
        first = last


@np.errstate(all="ignore")  # what cannot be computed has no value
def _block(
    plan: Plan, bars: Bars, state: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray], buffers: Buffers
) -> None:
    """Compute the outputs of a block; what can write its result where it belongs does so at once."""
    places = {slot: outputs[name] for name, slot in plan.outputs.items() if isinstance(slot, int)}
    rows = int(bars.offsets[-1])
    slots: list[np.ndarray | float | None] = [_writable(bars.columns[name], buffers) for name in plan.bars]
    for step in plan.steps:
        series = [slots[value] if isinstance(value, int) else value for value in step.series]
        kind = step.primitive.result
        if step.primitive.elementwise and kind is None:
            slots.append(step.primitive.run(*series, *step.numbers))
        else:
            place = places.get(len(slots)) if kind is not bool else None
            out = buffers.take(rows, kind or float) if place is None else place
            if step.primitive.elementwise:
                slots.append(step.primitive.run(*series, *step.numbers, out=out))
            else:
                _run_kernel(step, bars, series, state, out, buffers)
                slots.append(out)
        for slot in step.done_with:
            buffers.give_back(slots[slot])
            slots[slot] = None
    for name, slot in plan.outputs.items():
        value = _read(slots, slot)
        if value is not outputs[name]:
            outputs[name][:] = value
    buffers.give_all_back()


def _run_kernel(
    step: Step, bars: Bars, series: list[Any], state: Mapping[str, np.ndarray], out: np.ndarray, buffers: Buffers
) -> None:
    """Run a kernel on arrays of one kind only, so that it is compiled once."""
    arrays = [_numbers(value, len(out), buffers) for value in series]
    carried = state[step.version] if step.state_size else np.empty((bars.symbols, 0))
    step.primitive.run(bars.offsets, *arrays, *step.numbers, carried, out)
    for array, value in zip(arrays, series, strict=True):
        if array is not value:
            buffers.give_back(array)


def _numbers(value: np.ndarray | float, rows: int, buffers: Buffers) -> np.ndarray:
    """Return an array of float64: conditions are 1 and 0, and a number stands on each row."""
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return value
    array = buffers.take(rows)
    array[:] = value
    return array


def _writable(values: np.ndarray, buffers: Buffers) -> np.ndarray:
    """Return the values in memory of their own where they cannot be written: numba compiles each kind for itself."""
    if values.flags.writeable:
        return values
    copied = buffers.take(len(values))
    copied[:] = values
    return copied


def _read(slots: list[np.ndarray | float | None], slot: Operand) -> np.ndarray | float:
    value = slots[slot] if isinstance(slot, int) else slot
    if value is None:
        raise RuntimeError("a series was forgotten before it was read")
    return value
