"""The options of the simulated market, which `MYSTOCKS_SIMULATED` holds."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import date
from difflib import get_close_matches
from typing import Any

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.market.calendar import shanghai

#: Rules of earlier years (no limits, other tick sizes) are not modelled.
EARLIEST = date(2005, 1, 4)
#: With more symbols a board would run out of codes.
MOST_SYMBOLS = 8000
MOST_SEED = 2**31 - 1


@dataclass(frozen=True)
class Options:
    """The parameters of the market.

    Attributes:
        seed: The random seed; each seed gives another market.
        symbols: The number of stocks ever listed up to the end of 2026; a larger market includes a smaller one.
        start: The first day of bars; another start gives another history.
    """

    seed: int = 7
    symbols: int = 300
    start: date = date(2024, 1, 2)

    @classmethod
    def parse(cls, text: str) -> "Options":
        """Parse `seed=7,symbols=300,start=2024-01-02`; a missing option has its default.

        Raises:
            SettingsError: An option is unknown or duplicate, or its value is invalid.
        """
        options: dict[str, Any] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = (piece.strip() for piece in part.partition("="))
            if name not in _READERS:
                near = get_close_matches(name, _READERS, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise SettingsError(
                    f"MYSTOCKS_SIMULATED has no option {name!r}; the options are {', '.join(_READERS)}.{hint}"
                )
            if name in options:
                raise SettingsError(f"MYSTOCKS_SIMULATED has the option {name!r} twice.")
            options[name] = _READERS[name](name, value)
        return replace(cls(), **options)

    @property
    def world(self) -> str:
        """The name of this market's world: `simulated:7`, and the other options that are not the defaults."""
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
        raise SettingsError(f"MYSTOCKS_SIMULATED: {name} is {value!r}; it must be a date like 2024-01-02.") from None
    last = shanghai().last
    if not EARLIEST <= day <= last:
        raise SettingsError(f"MYSTOCKS_SIMULATED: {name} is {value}; it must be from {EARLIEST} to {last}.")
    return day if shanghai().is_session(day) else shanghai().next(day)


_READERS: dict[str, Callable[[str, str], Any]] = {
    "seed": _number(0, MOST_SEED),
    "symbols": _number(1, MOST_SYMBOLS),
    "start": _session,
}
