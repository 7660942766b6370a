"""How a primitive is declared."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: Takes the numbers among the arguments, and returns the number of values of one symbol's state. None: the primitive
#: cannot be carried on and is computed from the first row.
StateSize = Callable[..., int | None]


def stateless(*_: float) -> int:
    """Return the size of the state of a primitive that looks at no other row."""
    return 0


@dataclass(frozen=True)
class Primitive:
    """One way to compute a function.

    Attributes:
        name: The function's name in formulas.
        kinds: One letter per argument: `x` is a series (a number is one that never changes), `n` a number.
        run: A kernel `(offsets, *series, *numbers, state, out) -> None`, or, with `elementwise`, a function of numpy
            from arrays and floats to an array.
        state_size: The size of a symbol's state.
        elementwise: Whether each row depends on the same row of the arguments only.
        result: With `elementwise`, the kind of array into which `run(..., out=array)` writes. None: it returns an
            array of its own, and never an argument.
    """

    name: str
    kinds: str
    run: Callable[..., Any]
    state_size: StateSize = stateless
    elementwise: bool = False
    result: type | None = None
