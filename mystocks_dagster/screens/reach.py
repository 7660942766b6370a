"""How many bars before a day its value depends on: a screen reads no more of the history.

A window of n bars reaches n - 1 bars back. A recursion, such as EMA, depends on its whole history, each bar less than
the one after it: it reaches as far as the bars of which 1e-13 of the first value is left, so that the result equals
that of the whole history to 1e-9 also where a formula takes differences of such averages. What depends on the whole
history for other reasons (SUM(X,0), BARSLAST, SAR...) has no reach, and the whole history is read.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from mystocks_dagster.market.formulas.plan import Plan, Step
from mystocks_dagster.screens.condition import AVERAGES

#: What is left of the first value of a recursion.
_REMAINDER = 1e-13


def reach(plan: Plan) -> int | None:
    """Return how many bars before a day the outputs of that day depend on; None for the whole history.

    A bar on which the argument of an average has no value does not count: averages pass over it.
    """
    reaches = _added_up(plan, own_reach).values()
    return None if None in reaches else max(filter(None, reaches), default=0)


def bars_before_values(plan: Plan) -> dict[str, int]:
    """Return how many bars each output needs before its first value; 0 for what depends on the whole history."""
    numbers = _added_up(plan, lambda step: 0 if step.primitive.name in AVERAGES else own_reach(step))
    return {name: number or 0 for name, number in numbers.items()}


def _added_up(plan: Plan, own: Callable[[Step], int | None]) -> dict[str, int | None]:
    """Return for each output the longest sum of the bars of the steps that lead to it; None where a step has none."""
    slots: list[int | None] = [0] * len(plan.bars)
    for step in plan.steps:
        before = [slots[value] for value in step.series if isinstance(value, int)]
        number = own(step)
        slots.append(None if number is None or None in before else number + max(filter(None, before), default=0))
    return {name: slots[slot] if isinstance(slot, int) else 0 for name, slot in plan.outputs.items()}


def unbounded(plan: Plan) -> tuple[str, ...]:
    """Return the functions whose values depend on the whole history."""
    return tuple(dict.fromkeys(step.primitive.name for step in plan.steps if own_reach(step) is None))


def own_reach(step: Step) -> int | None:
    """Return how many bars back a step reaches in its arguments; None for the whole history."""
    if step.primitive.elementwise:
        return 0
    rule = _RULES.get(step.primitive.name)
    return rule(step.numbers) if rule else None


def settled(weight: float) -> int:
    """Return after how many bars the first value of y = weight x + (1 - weight) y' is forgotten.

    Examples:
        >>> settled(2 / 13), settled(1.0)
        (180, 0)
    """
    return math.ceil(math.log(_REMAINDER) / math.log1p(-weight)) if weight < 1 else 0


def _window(numbers: Sequence[float]) -> int | None:
    """Return the reach of a function whose last number is its window, where 0 stands for all bars."""
    return int(numbers[-1]) - 1 if numbers and numbers[-1] >= 1 else None


def _shift(numbers: Sequence[float]) -> int | None:
    return int(numbers[-1]) if numbers else None


def _one(_: Sequence[float]) -> int:
    return 1


def _ema(numbers: Sequence[float]) -> int | None:
    return settled(2 / (numbers[0] + 1)) if numbers else None


def _sma(numbers: Sequence[float]) -> int | None:
    return settled(numbers[1] / numbers[0]) if len(numbers) == 2 else None


def _wilder(numbers: Sequence[float]) -> int | None:
    return settled(1 / numbers[0]) if numbers else None


def _dma(numbers: Sequence[float]) -> int | None:
    return settled(numbers[0]) if numbers and numbers[0] > 0 else None


_RULES: Mapping[str, Callable[[Sequence[float]], int | None]] = {
    **dict.fromkeys(
        (
            "MA", "WMA", "SUM", "COUNT", "HHV", "LLV", "HHVBARS", "LLVBARS", "STD", "STDP", "STDDEV", "VAR", "VARP",
            "AVEDEV", "DEVSQ", "SLOPE", "FORCAST", "EVERY", "EXIST", "COVAR", "RELATE",
        ),
        _window,
    ),
    **dict.fromkeys(("REF", "REFV", "UPNDAY", "DOWNNDAY", "LONGCROSS"), _shift),
    "CROSS": _one,
    **dict.fromkeys(("EMA", "EXPMA"), _ema),
    "SMA": _sma,
    **dict.fromkeys(("MEMA",), _wilder),
    "DMA": _dma,
}  # fmt: skip
