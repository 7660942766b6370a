"""Values of unquoted text in a task file."""

import math
import re
from typing import Any

_TRUE = frozenset({"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})
_FALSE = frozenset({"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
#: `_` is allowed between two digits, as in 1_800; anywhere else, as in 1800_, the value is text.
_DIGITS = r"[0-9](?:_?[0-9]){0,30}"
_INT = re.compile(rf"[-+]?(0|(?!0){_DIGITS})")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,30}")
_FLOAT = re.compile(rf"[-+]?({_DIGITS})?(\.[0-9]{{0,30}})?([eE][-+]?[0-9]{{1,4}})?")
#: Infinity, "not a number", and numbers that are too large.
_NOT_FINITE = re.compile(r"[-+]?(\.(inf|nan)|[0-9.]+e[-+]?[0-9]+)", re.IGNORECASE)


def scalar(text: str) -> Any:
    """Return the value of unquoted text: None, true or false, a number, else the text itself.

    Dates stay text, and so do numbers with leading zeros: 000001 is a stock, not the number one.

    Examples:
        >>> [scalar(text) for text in ("3600", "000001", "yes", "1.5", "", "2025-04-07")]
        [3600, '000001', True, 1.5, None, '2025-04-07']
    """
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if _INT.fullmatch(text):
        return int(text)
    if _HEX.fullmatch(text):
        return int(text, 16)
    if text[0] in "0123456789.+-" and not re.match(r"[-+]?0[0-9_]", text) and re.match(r"[-+]?\.?[0-9]", text):
        number = float(text) if _FLOAT.fullmatch(text) else math.inf
        return number if math.isfinite(number) else text
    return text


def finite(text: str) -> bool:
    """Return False for unquoted infinity, "not a number", and numbers that are too large."""
    return not (text[:1] in "0123456789.+-" and _NOT_FINITE.fullmatch(text) and isinstance(scalar(text), str))
