"""Numbers as people write them: 1.2 亿 and 12.3 万 in Chinese, 120 M and 123 k in English."""

import math
from collections.abc import Sequence

from mystocks_dagster.api.languages import Language

#: Unit size and its word, largest first.
_UNITS: dict[Language, Sequence[tuple[float, str]]] = {
    "zh": ((1e12, "万亿"), (1e8, "亿"), (1e4, "万")),
    "en": ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")),
}
#: What stands for a value that is not known.
UNKNOWN = "–"


def amount(value: float | None, language: Language) -> str:
    """Return a large number with three digits and its unit.

    Examples:
        >>> amount(123_456_789, "zh"), amount(123_000, "zh"), amount(-4.5e12, "zh"), amount(880, "zh")
        ('1.23 亿', '12.3 万', '-4.5 万亿', '880')
        >>> amount(123_456_789, "en"), amount(None, "en")
        ('123 M', '–')
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    for size, word in _UNITS[language]:
        # Three digits of 99,996 are 10.0 万, so the unit is chosen by the rounded number.
        if abs(float(f"{value:.3g}")) >= size:
            return f"{_plain(value / size)} {word}"
    return _plain(value)


def percent(value: float | None) -> str:
    """Return a change in percent with its sign; its zero has none.

    Examples:
        >>> percent(1.234), percent(-0.5), percent(0.001), percent(None)
        ('+1.23%', '-0.50%', '0.00%', '–')
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    rounded = round(value, 2) or 0.0
    return f"{rounded:+.2f}%" if rounded else "0.00%"


def price(value: float | None) -> str:
    """Return a price with two decimals, or three below one.

    Examples:
        >>> price(1688.0), price(0.925), price(None)
        ('1688.00', '0.925', '–')
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"


def direction(value: float | None) -> str:
    """Return the class of a change: `up`, `down` or `even`; red is up here."""
    rounded = 0 if value is None or not math.isfinite(value) else round(value, 2)
    return "up" if rounded > 0 else "down" if rounded < 0 else "even"


def _plain(number: float) -> str:
    text = f"{number:.3g}"
    return f"{float(text):g}" if "e" not in text else f"{float(text):.0f}"
