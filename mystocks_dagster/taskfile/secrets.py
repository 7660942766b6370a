"""What of a value must not be shown: what stands under a key with a secret name, unless it is a variable."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

#: A word with such an ending, at the end of a key, makes the key secret: `password`, `tushare_token`, `corpsecret`,
#: `DB_PASS`.
_SECRET = re.compile(
    r"(password|passwd|passwort|passphrase|passcode|pwd|secret|token|credential|cookie|authorization|webhook|dsn|jwt"
    r"|(api|access|private|secret|send|sign|signing|encryption|auth|account|app|bot|master|license|ssh|client|service|sc)key"
    r"|(db|user|sql|redis|smtp|mail|login|ssh|ftp|admin|root|pg)pass)s?$"
)
#: Whole words that are secret at the end of a key; within longer words they mean other things, as in `bypass`.
_WORDS = frozenset({"pass", "auth", "bearer", "sckey"})
#: What may stand behind the secret word and only says how the value is written.
_QUALIFIERS = frozenset(
    {"key", "value", "str", "string", "text", "raw", "plain", "pem", "base64", "b64", "hash", "new", "old"}
)
#: What may stand behind these, which are secret as a whole.
_ADDRESSES = {"webhook": frozenset({"url", "uri", "address", "addr", "link"}), "dsn": frozenset({"url", "uri"})}
#: Before `tokens`: a number of them is no secret.
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
    """Return a line of a task file with an asterisk for each character of a secret value, so that columns stay.

    Examples:
        >>> without_secrets("  password: hunter2"), without_secrets('{user: me, db_pass: "a b"}')
        ('  password: *******', '{user: me, db_pass: *****}')
        >>> without_secrets("  token: ${TOKEN}")
        '  token: ${TOKEN}'
    """
    line = _LOGIN.sub(lambda found: f"{found['user']}:{'*' * len(found['password'])}@", line)
    return _PAIR.sub(_starred_pair, line)


def _starred_pair(found: re.Match[str]) -> str:
    value = found["value"]
    if not is_secret(found["key"]) or MASK not in variables_only(value):
        return found[0]
    return f"{found['key']}{found['mark']}{'*' * len(value)}"


def is_secret(key: object) -> bool:
    """Say whether what stands under a key is secret, by the key's name.

    Examples:
        >>> [is_secret(name) for name in ("db_pass", "apiKey", "X-Auth-Token", "Cookie", "webhook_url", "登录密码")]
        [True, True, True, True, True, True]
        >>> [is_secret(name) for name in ("max_tokens", "bypass", "primary_key", "token_url", "密码长度",
        "cookie_path")]
        [False, False, False, False, False, False]
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
    if (
        words[-1] in _WORDS
        or _SECRET.search(words[-1])
        or (words[-1] in ("key", "keys", "pass") and _SECRET.search(joined))
    ):
        return True
    before = "".join(words[-3:-1])
    if words[-1] in _QUALIFIERS and len(words) > 1:
        return bool(_SECRET.search(before)) or words[-2] in _WORDS
    return any(before.endswith(name) and words[-1] in allowed for name, allowed in _ADDRESSES.items())


def mask(value: Any, *, hidden: bool = False) -> Any:
    """Return a JSON value with *** for what stands under a secret key, at any depth.

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
            return _LOGIN.sub(lambda found: f"{found['user']}:{variables_only(found['password'])}@", value)
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


def shown(value: Any, *, hidden: bool = False) -> Any:
    """Return a value as it is written in the file as it may be shown: as `mask`, but secret variables stay as they are written."""
    match value:
        case Mapping():
            return {key: shown(item, hidden=hidden or is_secret(key)) for key, item in value.items()}
        case list() | tuple():
            return [shown(item, hidden=hidden) for item in value]
        case str() if hidden and value:
            return variables_only(value)
    return mask(value, hidden=hidden)


def restored(value: Any, before: Any) -> Any:
    """Return a value in which what is shown as *** is again what it was `before`; the opposite of `shown` and `mask`.

    Examples:
        >>> restored({"user": "you", "password": "***"}, {"user": "me", "password": "hunter2"})
        {'user': 'you', 'password': 'hunter2'}
    """
    if isinstance(value, Mapping):
        known = before if isinstance(before, Mapping) else {}
        return {key: restored(item, known.get(key)) for key, item in value.items()}
    if isinstance(value, list):
        known = before if isinstance(before, list) else []
        return [restored(item, known[index] if index < len(known) else None) for index, item in enumerate(value)]
    if (
        isinstance(value, str)
        and MASK in value
        and before is not None
        and not isinstance(before, (Mapping, list, bool))
    ):
        return before if value in (MASK, shown(before), shown(before, hidden=True)) else value
    return value


def stars_left(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the paths at which *** would be written as a secret itself."""
    match value:
        case Mapping():
            for key, item in value.items():
                yield from stars_left(item, (*path, key))
        case list() | tuple():
            for index, item in enumerate(value):
                yield from stars_left(item, (*path, index))
        case str() if MASK in value and any(map(is_secret, path)):
            yield path


def secret_values(value: Any, *, hidden: bool = False) -> Iterator[str]:
    """Yield the texts of what `mask` hides, variables among them as they are written."""
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
            yield from (found["password"] for found in _LOGIN.finditer(value))
