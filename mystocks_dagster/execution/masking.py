"""Keep the values of secret parameters out of everything that an attempt shows."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from mystocks_dagster.taskfile.hidden import MASK, is_secret

#: Shorter values would blacken half of every line.
_SHORTEST = 4


class Mask:
    """Replaces secret values.

    Args:
        params: The task's parameters.
        names: Names of further parameters that are secret.
    """

    def __init__(self, params: Mapping[str, Any], names: Collection[str] = ()) -> None:
        values = {value for value in _secrets(params, frozenset(names), hidden=False) if len(value) >= _SHORTEST}
        forms = values | {json.dumps(value)[1:-1] for value in values} | {repr(value)[1:-1] for value in values}
        longest_first = sorted(forms, key=len, reverse=True)
        self._text = re.compile("|".join(map(re.escape, longest_first))) if forms else None
        self._bytes = re.compile(self._text.pattern.encode()) if self._text else None

    def text(self, value: str) -> str:
        """Return `value` with *** in place of each secret."""
        return self._text.sub(MASK, value) if self._text else value

    def output(self, value: bytes) -> bytes:
        """Return raw output with *** in place of each secret."""
        return self._bytes.sub(MASK.encode(), value) if self._bytes else value

    def plain(self, value: Any) -> Any:
        """Return a JSON value with *** in place of each secret, at any depth."""
        if self._text is None:
            return value
        match value:
            case str():
                return self.text(value)
            case list():
                return [self.plain(item) for item in value]
            case dict():
                return {key: self.plain(item) for key, item in value.items()}
        return value


def _secrets(value: Any, names: frozenset[str], *, hidden: bool) -> Iterator[str]:
    match value:
        case Mapping():
            for key, item in value.items():
                yield from _secrets(item, names, hidden=hidden or str(key) in names or is_secret(key))
        case list() | tuple() | set() | frozenset():
            for item in value:
                yield from _secrets(item, names, hidden=hidden)
        case str() | int() | float() if hidden and not isinstance(value, bool):
            yield str(value)
