"""Secrets in values: recognition by the name of their key, and masking; variables are not secret."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

#: Endings of the last word of a secret key: `password`, `tushare_token`, `corpsecret`, `DB_PASS`.
_SECRET = re.compile(
    r"(password|passwd|passwort|passphrase|passcode|pwd|secret|token|credential|cookie|authorization|webhook|dsn|jwt"
    r"|(api|access|private|secret|send|sign|signing|encryption|auth|account|app|bot|master|license|ssh|client|service|sc)key"
    r"|(db|user|sql|redis|smtp|mail|login|ssh|ftp|admin|root|pg)pass)s?$"
)
#: Whole words that make a key secret at its end; within longer words they mean other things, as in `bypass`.
_WORDS = frozenset({"pass", "auth", "bearer", "sckey"})
#: Words that may follow the secret word and only describe the form of the value.
_QUALIFIERS = frozenset(
    {"key", "value", "str", "string", "text", "raw", "plain", "pem", "base64", "b64", "hash", "new", "old"}
)
#: Words that may follow these, which are secret as a whole.
_ADDRESSES = {"webhook": frozenset({"url", "uri", "address", "addr", "link"}), "dsn": frozenset({"url", "uri"})}
#: Words before `tokens` that make it a count, which is not secret.
_COUNTS = frozenset({"max", "min", "num", "n", "total", "prompt", "completion", "input", "output", "used", "count"})
_CHINESE = re.compile(r"(密码|口令|令牌|密钥|秘钥|私钥|凭证|凭据|授权码|暗号)(?!.*(长度|文件|路径|次数|位数|类型)$)")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
MASK = "***"
_LONGEST_BESIDE = 7
_VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-[^}]+)?[^}]*\}")


#: The password of an address such as `mysql://me:hunter2@host/db`, which is secret under any name.
_LOGIN = re.compile(r"(?<=://)(?P<user>[^/\s:@]*):(?P<password>[^/\s@]+)@")


#: A key and its value on a line of YAML or JSON, also of one that cannot be parsed.
_PAIR = re.compile(
    r"(?P<key>[\w\u4e00-\u9fff.-]+)(?P<mark>[\"']?\s*[:=]\s*)"
    r"(?P<value>\"[^\"]*\"?|'[^']*'?|(?:\$\{[^}]*\}|[^\s,}\]#])(?:\$\{[^}]*\}|[^,}\]])*)"
)


def without_secrets(line: str) -> str:
    """Replace each character of a secret value in a line of a task file by an asterisk, so that columns stay.

    Examples:
        >>> without_secrets("  password: hunter2"), without_secrets('{user: me, db_pass: "a b"}')
        ('  password: *******', '{user: me, db_pass: *****}')
        >>> without_secrets("  token: ${TOKEN}")
        '  token: ${TOKEN}'
    """
    line = _LOGIN.sub(lambda match: f"{match['user']}:{'*' * len(match['password'])}@", line)
    return _PAIR.sub(_masked_pair, line)


def _masked_pair(match: re.Match[str]) -> str:
    value = match["value"]
    if not is_secret(match["key"]) or MASK not in variables_only(value):
        return match[0]
    return f"{match['key']}{match['mark']}{'*' * len(value)}"


def is_secret(key: object) -> bool:
    """Return whether the value of a key is secret, by the key's name.

    Examples:
        >>> [is_secret(name) for name in ("db_pass", "apiKey", "X-Auth-Token", "Cookie", "webhook_url", "登录密码")]
        [True, True, True, True, True, True]
        >>> [is_secret(name) for name in ("max_tokens", "bypass", "primary_key", "token_url", "密码长度")]
        [False, False, False, False, False]
        >>> is_secret("cookie_path")
        False
    """
    return _is_secret(unicodedata.normalize("NFKC", str(key))[:200])


@lru_cache(maxsize=4096)
def _is_secret(key: str) -> bool:
    if _CHINESE.search(key):
        return True
    words = [word.lower() for word in _WORD.findall(key)]
    while words and words[-1].isdigit():
        words.pop()
    if not words:
        return False
    if words[-1] == "tokens" and _COUNTS & set(words[:-1]):
        return False
    joined = "".join(words[-2:])
    if words[-1] in _WORDS or _SECRET.search(words[-1]):
        return True
    if words[-1] in ("key", "keys", "pass") and _SECRET.search(joined):
        return True
    before = "".join(words[-3:-1])
    if words[-1] in _QUALIFIERS and len(words) > 1:
        return bool(_SECRET.search(before)) or words[-2] in _WORDS
    return any(before.endswith(name) and words[-1] in allowed for name, allowed in _ADDRESSES.items())


def mask(value: Any, *, hidden: bool = False) -> Any:
    """Return a JSON value with *** in place of values under a secret key, at any depth.

    Examples:
        >>> mask({"day": "2026-11-24", "login": {"user": "me", "password": "hunter2"}})
        {'day': '2026-11-24', 'login': {'user': 'me', 'password': '***'}}
    """
    match value:
        case Mapping():
            return {key: mask(item, hidden=hidden or is_secret(key)) for key, item in value.items()}
        case list() | tuple():
            return [mask(item, hidden=hidden) for item in value]
        case str() | int() | float() if hidden and not isinstance(value, bool) and value != "":
            return MASK
        case str() if "://" in value:
            return _LOGIN.sub(lambda match: f"{match['user']}:{variables_only(match['password'])}@", value)
    return value


def variables_only(text: str) -> str:
    """Return a secret text for display: its variables without their defaults, and *** in place of literal text.

    A few letters beside a variable, as in `Bearer ${TOKEN}`, are not masked.

    Examples:
        >>> variables_only("hunter2"), variables_only("Bearer ${TOKEN}"), variables_only("${TOKEN:-hunter2}")
        ('***', 'Bearer ${TOKEN}', '${TOKEN:-***}')
        >>> variables_only("693a91f6-7abc${REST}")
        '***${REST}'
    """
    masked, end, least = "", 0, _LONGEST_BESIDE if _VARIABLE.search(text) else 0
    for match in [*_VARIABLE.finditer(text), None]:
        beside = text[end : match.start() if match else len(text)]
        masked += MASK if len(beside) > least else beside
        if match:
            masked += f"${{{match['name']}{':-' + MASK if match['default'] else ''}}}"
            end = match.end()
    return masked


def to_public(value: Any, *, hidden: bool = False) -> Any:
    """Return a value of the file for display: as `mask`, but variables in secret values stay."""
    match value:
        case Mapping():
            return {key: to_public(item, hidden=hidden or is_secret(key)) for key, item in value.items()}
        case list() | tuple():
            return [to_public(item, hidden=hidden) for item in value]
        case str() if hidden and value:
            return variables_only(value)
    return mask(value, hidden=hidden)


def unmask(value: Any, before: Any) -> Any:
    """Replace *** in a value by the secrets of `before`; the opposite of `to_public` and `mask`.

    Examples:
        >>> unmask({"user": "you", "password": "***"}, {"user": "me", "password": "hunter2"})
        {'user': 'you', 'password': 'hunter2'}
    """
    if isinstance(value, Mapping):
        known = before if isinstance(before, Mapping) else {}
        return {key: unmask(item, known.get(key)) for key, item in value.items()}
    if isinstance(value, list):
        known = before if isinstance(before, list) else []
        return [unmask(item, known[index] if index < len(known) else None) for index, item in enumerate(value)]
    is_scalar = before is not None and not isinstance(before, (Mapping, list, bool))
    if is_scalar and isinstance(value, str) and MASK in value:
        return before if value in (MASK, to_public(before), to_public(before, hidden=True)) else value
    return value


def masked_paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the paths of secret values that are still ***."""
    match value:
        case Mapping():
            for key, item in value.items():
                yield from masked_paths(item, (*path, key))
        case list() | tuple():
            for index, item in enumerate(value):
                yield from masked_paths(item, (*path, index))
        case str() if MASK in value and any(map(is_secret, path)):
            yield path


def secret_values(value: Any, *, hidden: bool = False) -> Iterator[str]:
    """Yield the values that `mask` hides, as text; variables are not resolved."""
    match value:
        case Mapping():
            for key, item in value.items():
                yield from secret_values(item, hidden=hidden or is_secret(key))
        case list() | tuple() | set() | frozenset():
            for item in value:
                yield from secret_values(item, hidden=hidden)
        case str() | int() | float() if hidden and not isinstance(value, bool) and value != "":
            yield str(value)
        case str() if "://" in value:
            yield from (match["password"] for match in _LOGIN.finditer(value))
