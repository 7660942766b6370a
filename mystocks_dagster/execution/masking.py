"""Mask the values of secret parameters in logs, output, progress and results of an attempt."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from mystocks_dagster.taskfile.secret_forms import pattern
from mystocks_dagster.taskfile.secrets import MASK, secret_values


class Mask:
    """Replaces secret values, in every form of `secret_forms`.

    Args:
        params: The task's parameters.
        names: Names of further parameters that are secret: their values come from the environment.
    """

    def __init__(self, params: Mapping[str, Any], names: Collection[str] = ()) -> None:
        secret = set(secret_values(params))
        # A variable is often not a secret, such as the name of a market: short values are not masked.
        variables = set(secret_values([params[name] for name in names if name in params], hidden=True))
        expression = pattern(secret | variables, short=secret)
        self._text = re.compile(expression) if expression else None
        self._bytes = re.compile(expression.encode("utf-8", "surrogatepass")) if expression else None

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
