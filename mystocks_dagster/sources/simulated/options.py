"""The options of the simulated market, as written in `MYSTOCKS_SIMULATED`."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import date
from difflib import get_close_matches
from typing import Any

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.market.calendar import shanghai

#: Rules of earlier years (no limits, other tick sizes) are not modelled.
EARLIEST = date(2005, 1, 4)
#: Above this the codes of a board would run out.
MOST_SYMBOLS = 8000
MOST_SEED = 2**31 - 1


@dataclass(frozen=True)
class Options:
    """What the market is made from.

    Attributes:
        seed: Another seed is another market.
        symbols: Stocks listed at some time up to the end of 2026; the first ones are the same in a larger market.
        start: First day of bars; an earlier start is another history.
    """

    seed: int = 7
    symbols: int = 300
    start: date = date(2024, 1, 2)

    @classmethod
    def parse(cls, text: str) -> "Options":
        """Read `seed=7,symbols=300,start=2024-01-02`; what is not named has its default.

        Raises:
            SettingsError: An option is unknown, named twice, or its value cannot be meant.
        """
        found: dict[str, Any] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = (piece.strip() for piece in part.partition("="))
            if name not in _READERS:
                near = get_close_matches(name, _READERS, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise SettingsError(
                    f"MYSTOCKS_SIMULATED has no option {name!r}; the options are {', '.join(_READERS)}.{hint}"
                )
            if name in found:
                raise SettingsError(f"MYSTOCKS_SIMULATED names {name!r} twice.")
            found[name] = _READERS[name](name, value)
        return replace(cls(), **found)

    @property
    def world(self) -> str:
        """The name of this market's world: `simulated:7`, with whatever else was not left at its default."""
        others = [
            f"{option.name}={getattr(self, option.name)}"
            for option in fields(self)
            if option.name != "seed" and getattr(self, option.name) != option.default
        ]
        return ",".join([f"simulated:{self.seed}", *others])


def _number(least: int, most: int) -> Callable[[str, str], int]:
    def read(name: str, value: str) -> int:
        if not value.isdecimal() or not least <= int(value) <= most:
            raise SettingsError(
                f"MYSTOCKS_SIMULATED: {name} is {value!r}; it must be a whole number from {least} to {most}."
            )
        return int(value)

    return read


def _session(name: str, value: str) -> date:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise SettingsError(f"MYSTOCKS_SIMULATED: {name} is {value!r}; write it like 2024-01-02.") from None
    last = shanghai().last
    if not EARLIEST <= day <= last:
        raise SettingsError(f"MYSTOCKS_SIMULATED: {name} is {value}; it must lie from {EARLIEST} to {last}.")
    return day if shanghai().is_session(day) else shanghai().next(day)


_READERS: dict[str, Callable[[str, str], Any]] = {
    "seed": _number(0, MOST_SEED),
    "symbols": _number(1, MOST_SYMBOLS),
    "start": _session,
}
