"""Convert values to JSON values, or name the value that cannot be converted."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any

#: Deeper than any real result; also ends the walk through a structure that contains itself.
_DEEPEST = 50


class NotJsonable(TypeError):
    """A value that JSON cannot hold.

    Attributes:
        where: Its key, such as `metadata.frames[2]`.
        kind: The name of its type.
    """

    def __init__(self, where: str, kind: str) -> None:
        self.where, self.kind = where or "it", kind
        super().__init__(f"{self.where} is a {kind}")


def to_jsonable(value: Any, where: str, depth: int = 0) -> Any:
    """Return `value` as None, bool, int, float, str, list and dict.

    Dates and times become ISO text, timedeltas seconds, Decimals numbers, paths text, enums their value, sets and
    tuples lists, numpy scalars and arrays and pydantic models their content. NaN and infinities become None, since
    JSON cannot express them.

    Args:
        value: Anything.
        where: Its name, for the message.
        depth: How deep inside the outermost value it is.

    Raises:
        NotJsonable: The value, or a part of it, cannot be converted.
    """
    if depth > _DEEPEST:
        raise NotJsonable(where, f"{type(value).__name__} nested too deeply")
    if isinstance(value, Mapping):
        return {
            _key(key, where): to_jsonable(item, f"{where}.{key}".lstrip("."), depth + 1) for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [to_jsonable(item, f"{where}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, (set, frozenset)):
        return [to_jsonable(item, where, depth + 1) for item in sorted(value, key=str)]
    if is_dataclass(value) and not isinstance(value, type):
        return to_jsonable({item.name: getattr(value, item.name) for item in fields(value)}, where, depth + 1)
    return _scalar(value, where, depth)


def _scalar(value: Any, where: str, depth: int) -> Any:
    match value:
        case Enum():
            return to_jsonable(value.value, where, depth + 1)
        case None | bool():
            return value
        case int():
            return int(value)
        case float():
            return float(value) if math.isfinite(value) else None
        case str():
            return str(value)
        case Decimal():
            whole = value.is_finite() and value == value.to_integral_value()
            return to_jsonable(int(value) if whole else float(value), where, depth + 1)
        case datetime() | date() | time():
            return value.isoformat() if value == value else None  # pandas' NaT is a datetime unequal to itself
        case timedelta():
            return value.total_seconds()
        case PurePath():
            return str(value)
    return _foreign(value, where, depth)


def _foreign(value: Any, where: str, depth: int) -> Any:
    """Convert values of numpy, pydantic and uuid, recognized by name: importing these would slow every start."""
    module = type(value).__module__.partition(".")[0]
    if module == "uuid":
        return str(value)
    if module == "numpy" and hasattr(value, "tolist"):
        # Nanoseconds would come out as integers.
        coarse = {"M": "datetime64[us]", "m": "timedelta64[us]"}.get(value.dtype.kind)
        return to_jsonable((value.astype(coarse) if coarse else value).tolist(), where, depth + 1)
    if hasattr(type(value), "model_fields") and hasattr(value, "model_dump"):
        return to_jsonable(value.model_dump(), where, depth + 1)
    raise NotJsonable(where, _name(value))


def _key(key: Any, where: str) -> str:
    if isinstance(key, tuple):
        raise NotJsonable(f"a key of {where or 'it'}", "tuple")
    converted = _scalar(key, f"a key of {where or 'it'}", 0)
    return converted if isinstance(converted, str) else str(key)


def _name(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
