"""What of a value must not be shown: what stands under a key with a secret name, unless it is a variable."""

import re
from collections.abc import Mapping
from typing import Any

#: A key with such a name is secret: `password`, `tushare_token`, `apiKey`; not `max_tokens`.
SECRET_NAME = re.compile(
    r"(password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)([_-]?(key|value))?$", re.IGNORECASE
)
MASK = "***"
_LONGEST_BESIDE = 7
_VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-[^}]+)?[^}]*\}")


def is_secret(key: object) -> bool:
    """Say whether what stands under a key is secret."""
    return bool(SECRET_NAME.search(str(key)))


def starred(value: Any, *, hidden: bool = False) -> Any:
    """Return a JSON value with *** for what stands under a secret key, at any depth.

    Examples:
        >>> starred({"day": "2026-11-24", "login": {"user": "me", "password": "hunter2"}})
        {'day': '2026-11-24', 'login': {'user': 'me', 'password': '***'}}
    """
    match value:
        case Mapping():
            return {key: starred(item, hidden=hidden or is_secret(key)) for key, item in value.items()}
        case list() | tuple():
            return [starred(item, hidden=hidden) for item in value]
        case str() | int() | float() if hidden and not isinstance(value, bool) and value != "":
            return MASK
    return value


def variables_only(text: str) -> str:
    """Return a secret text as it may be shown: its variables without their defaults, and *** for what is written out.

    A few letters beside a variable, as in `Bearer ${TOKEN}`, are no secret by themselves.

    Examples:
        >>> variables_only("hunter2"), variables_only("Bearer ${TOKEN}"), variables_only("${TOKEN:-hunter2}")
        ('***', 'Bearer ${TOKEN}', '${TOKEN:-***}')
        >>> variables_only("693a91f6-7abc${REST}")
        '***${REST}'
    """
    shown, end, least = "", 0, _LONGEST_BESIDE if _VARIABLE.search(text) else 0
    for found in [*_VARIABLE.finditer(text), None]:
        beside = text[end : found.start() if found else len(text)]
        shown += MASK if len(beside) > least else beside
        if found:
            shown += f"${{{found['name']}{':-' + MASK if found['default'] else ''}}}"
            end = found.end()
    return shown
