"""One environment variable each, checked: numbers, moments, choices, switches."""

import math
import os
from datetime import datetime

from mystocks_dagster.errors import SettingsError

_FLAGS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def read_number(variable: str, default: float, *, least: float) -> float:
    """Return a finite number; raises `SettingsError` if it is none or smaller than `least`."""
    text = os.environ.get(variable)
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number < math.inf:
        raise SettingsError(f"{variable} is {text!r}; write a number of at least {least:g}.")
    return number


def read_moment(variable: str) -> datetime | None:
    """Return an aware time; None if it is not set. Raises `SettingsError` if it is none."""
    text = os.environ.get(variable)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{variable} is {text!r}; write it like 2025-04-07T16:00:00+08:00.") from None
    if moment.tzinfo is None:
        raise SettingsError(f"{variable} is {text!r}, which has no UTC offset; add +08:00.")
    if not 1990 <= moment.year <= 2100:
        raise SettingsError(f"{variable} is {text!r}; the year is out of range (1990-2100).")
    return moment


def read_header(variable: str) -> str | None:
    """Return a text that an HTTP header can contain; None if it is not set. Raises `SettingsError` if it cannot."""
    text = os.environ.get(variable) or None
    if text and not (text.isascii() and text.isprintable()):
        raise SettingsError(f"{variable} has a character that an HTTP header cannot contain; use letters and digits.")
    return text


def read_choice(variable: str, choices: tuple[str, ...]) -> str:
    """Return one of the choices, the first if it is not set. Raises `SettingsError` for another text."""
    text = (os.environ.get(variable) or choices[0]).lower()
    if text not in choices:
        raise SettingsError(f"{variable} is {text!r}; write {' or '.join(choices)}.")
    return text


def read_flag(variable: str) -> bool:
    """Return whether a switch is on; off if it is not set. Raises `SettingsError` for another text."""
    text = (os.environ.get(variable) or "no").lower()
    if text not in _FLAGS:
        raise SettingsError(f"{variable} is {text!r}; write yes or no.")
    return _FLAGS[text]
