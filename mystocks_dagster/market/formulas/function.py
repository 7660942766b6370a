"""A function of the language as data: its arguments, its meaning, and what it may be used for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

#: series: any value of a bar. window: a number of bars. number: the same for all bars. level: 0, 1, 2, 3 for the open,
#: high, low and close, or a series.
ArgumentKind = Literal["series", "window", "number", "level"]

Group = Literal["references", "averages", "conditions", "arithmetic", "statistics", "dates", "shapes", "future"]

#: More bars than any symbol has: forty years of days.
LONGEST_WINDOW = 10_000


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a function.

    Attributes:
        low: Smallest allowed value of a constant.
        high: Largest allowed value of a constant.
        may_vary: Whether it may differ from bar to bar.
        of: The argument of which it is a part: it is above 0, and not above that one.
    """

    name: str
    kind: ArgumentKind = "series"
    low: float | None = None
    high: float | None = None
    may_vary: bool = True
    of: str = ""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the language.

    Attributes:
        zh: What it returns, in Chinese.
        en: What it returns, in English.
        definition: The same in other functions, with each series argument once; None for a function that is computed
            by itself.
        implied: Columns of the bars that it uses without naming them; they are its first arguments when computed.
        looks_ahead: Its value on a day depends on later days.
        carried: Its value on a new bar follows from a bounded state if its windows are constant; otherwise its whole
            history is computed again.
    """

    name: str
    arguments: tuple[Argument, ...]
    zh: str
    en: str
    definition: str | None = None
    implied: tuple[str, ...] = ()
    looks_ahead: bool = False
    carried: bool = True
    group: Group = "references"

    @property
    def signature(self) -> str:
        """The function with its arguments, such as `MA(X,N)`."""
        return f"{self.name}({','.join(argument.name for argument in self.arguments)})" if self.arguments else self.name


def window(name: str = "N", low: int = 1, may_vary: bool = True) -> Argument:
    """Return a number of bars; `low=0` where 0 means this bar, or all bars so far."""
    return Argument(name, "window", low, LONGEST_WINDOW, may_vary)


def number(name: str, low: float | None = None, high: float | None = None) -> Argument:
    """Return an argument that is the same for all bars."""
    return Argument(name, "number", low, high, may_vary=False)


def by_name(group: Group, functions: Iterable[Function]) -> Mapping[str, Function]:
    """Return the functions of a group by their names.

    Raises:
        ValueError: Two have the same name.
    """
    names: dict[str, Function] = {}
    for function in functions:
        if function.name in names:
            raise ValueError(f"{function.name} is declared twice")
        names[function.name] = replace(function, group=group)
    return names


X, Y, S = Argument("X"), Argument("Y"), Argument("S")
A, B, C = Argument("A"), Argument("B"), Argument("C")
N, N0 = window(), window(low=0)
#: A number of bars that must be the same for all bars.
FIXED_N, FIXED_N0 = window(may_vary=False), window(low=0, may_vary=False)
