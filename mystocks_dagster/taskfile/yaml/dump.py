"""Plain values to YAML text in the style that people write; reading it returns the same values."""

import json
import re
from collections.abc import Iterator
from typing import Any

from mystocks_dagster.taskfile.yaml.scalars import scalar

#: Text that needs no quotes, in a block and in brackets; text with a leading digit is quoted, as dates usually are.
_PLAIN = re.compile(r"[^\W\d]([\w ./+@%()=~，。、：；（）！？-]*[\w/)。）！？])?")
#: Characters that JSON allows unescaped, and YAML does not.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def text_of(value: Any) -> str:
    """Return a value in one line; lists and mappings in brackets and braces.

    Examples:
        >>> text_of(["daily", "0 16 * * 1-5", True, None, {"symbol": "000001"}])
        '[daily, "0 16 * * 1-5", true, null, {symbol: "000001"}]'
    """
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and scalar(value) == value else _quoted(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {text_of(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(text_of(item) for item in value) + "]"
    return json.dumps(value)


def block(value: Any, indent: int = 0, *, dash: int = 2) -> Iterator[str]:
    """Yield the lines of a mapping or list in block style.

    Args:
        value: A mapping or list that is not empty.
        indent: Spaces before each line.
        dash: Spaces between a key and the dashes of the list below it.
    """
    space = " " * indent
    if isinstance(value, dict):
        for key, item in value.items():
            if nested(item):
                yield f"{space}{_key(key)}:"
                yield from block(item, indent + (dash if isinstance(item, (list, tuple)) else 2), dash=dash)
            else:
                yield f"{space}{_key(key)}: {text_of(item)}"
        return
    for item in value:
        if nested(item):
            first, *others = block(item, indent + 2, dash=dash)
            yield f"{space}- {first.lstrip()}"
            yield from others
        else:
            yield f"{space}- {text_of(item)}"


def dump(value: dict[str, Any]) -> str:
    """Return a whole document."""
    return "\n".join(block(value)) + "\n" if value else "{}\n"


def nested(value: Any) -> bool:
    """Return whether a value needs its own lines: a mapping or list that is not empty."""
    return isinstance(value, (dict, list, tuple)) and bool(value)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[^\W\d][\w.-]*", key) else _quoted(key)


def _quoted(text: str) -> str:
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match.group()):04x}", json.dumps(text, ensure_ascii=False))
