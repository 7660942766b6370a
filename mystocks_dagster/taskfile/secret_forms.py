"""The forms of a secret in text: literal, escaped, percent-encoded, hexadecimal, and within base64."""

import base64
import html
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

#: Shorter values are masked only as whole words: within words they would hide half of every line.
_SHORTEST = 4
#: Fewer characters of base64 occur by chance.
_SHORTEST_BASE64 = 5
#: Least length of a line of a multi-line secret, such as a private key, that is masked by itself.
_SHORTEST_LINE = 12


def pattern(values: Iterable[str], short: Iterable[str] = ()) -> str | None:
    """Return a regular expression that matches secrets in all forms; None when there is no secret.

    Args:
        values: The secrets; those with fewer than four characters are ignored.
        short: Secrets that are matched at any length; below four characters as whole words only.
    """
    long = [value for value in set(values) if len(value) >= _SHORTEST]
    parts = [re.escape(form) for form in _longest_first(map(plain_forms, long))]
    # With up to two characters on each side, which hold some of its bits.
    beside = "[A-Za-z0-9+/_-]{0,2}"
    parts += [f"{beside}{re.escape(core)}{beside}={{0,2}}" for core in _longest_first(map(_base64_cores, long))]
    words = _longest_first(plain_forms(value, least=1) for value in short if 0 < len(value) < _SHORTEST)
    parts += [rf"(?<![A-Za-z0-9_]){re.escape(word)}(?![A-Za-z0-9_])" for word in words]
    return "|".join(parts) or None


def _longest_first(forms: Iterable[set[str]]) -> list[str]:
    return sorted(set().union(*forms), key=len, reverse=True)


def plain_forms(value: str, *, least: int = _SHORTEST) -> set[str]:
    """Return a secret literally, and as JSON, Python, HTML, URLs and hexadecimal dumps write it."""
    raw = value.encode("utf-8", "surrogatepass")
    lines = [line.strip() for line in value.splitlines()] if "\n" in value else []
    escaped = [
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        html.escape(value),
    ]
    escaped += [json.dumps(form)[1:-1] for form in escaped[:2]]
    coded = [quote(raw, safe=""), quote(raw, safe="/"), quote_plus(raw, safe=""), quote_plus(raw, safe="/")]
    coded += [re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), form) for form in coded]
    dumps = [raw.hex(), raw.hex().upper()] if len(raw) >= _SHORTEST else []
    kept = [line for line in lines if len(line) >= _SHORTEST_LINE]
    return {form for form in (value, *escaped, *coded, *dumps, *kept) if len(form) >= least}


def _base64_cores(value: str) -> set[str]:
    """Return the base64 characters of a secret that do not depend on its neighbours, as in `user:password` of a login.

    A secret may begin at each of the three bytes of a group; the characters at its ends share bits with its neighbours.
    """
    raw = value.encode("utf-8", "surrogatepass")
    cores = set()
    for before in range(3):
        text = base64.b64encode(bytes(before) + raw).decode().rstrip("=")
        core = text[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        if len(core) >= _SHORTEST_BASE64:
            cores |= {core, core.replace("+", "-").replace("/", "_")}
    return cores
