"""The forms in which a secret turns up in texts: as it is, escaped, percent-encoded, in hexadecimal, and within base64."""

import base64
import html
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

#: Shorter values are masked only where they stand alone: within words they would blacken half of every line.
_SHORTEST = 4
#: Fewer letters of base64 occur by chance.
_SHORTEST_BASE64 = 5
#: A line of a secret of several lines, such as a private key; shorter ones are not secret by themselves.
_SHORTEST_LINE = 12


def pattern(values: Iterable[str], short: Iterable[str] = ()) -> str | None:
    """Return the regular expression that finds secrets in any form; None when there is nothing to find.

    Args:
        values: The secrets; of those with less than four characters none is looked for.
        short: Secrets that are looked for however short they are: below four characters, where no letter or digit
            stands beside them.
    """
    values = set(values)
    found = {form for value in values if len(value) >= _SHORTEST for form in plain_forms(value)}
    parts = [re.escape(form) for form in sorted(found, key=len, reverse=True)]
    cores = {core for value in values if len(value) >= _SHORTEST for core in _base64_cores(value)}
    # With a few letters on each side, which hold some of its bits.
    parts += [
        f"[A-Za-z0-9+/_-]{{0,2}}{re.escape(core)}[A-Za-z0-9+/_-]{{0,2}}={{0,2}}"
        for core in sorted(cores, key=len, reverse=True)
    ]
    alone = {form for value in short if 0 < len(value) < _SHORTEST for form in plain_forms(value, least=1)}
    parts += [rf"(?<![A-Za-z0-9_]){re.escape(form)}(?![A-Za-z0-9_])" for form in sorted(alone, key=len, reverse=True)]
    return "|".join(parts) or None


def plain_forms(value: str, *, least: int = _SHORTEST) -> set[str]:
    """Return a secret as it is, and as JSON, Python, HTML, URLs and hexadecimal dumps write it."""
    raw = value.encode("utf-8", "surrogatepass")
    lines = [line.strip() for line in value.splitlines()] if "\n" in value else []
    escaped = [
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        html.escape(value),
    ]
    escaped += [json.dumps(one)[1:-1] for one in escaped[:2]]
    coded = [code(raw, safe=safe) for code in (quote, quote_plus) for safe in ("", "/")]
    coded += [re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), one) for one in coded]
    dumps = [raw.hex(), raw.hex().upper()] if len(raw) >= _SHORTEST else []
    kept = [line for line in lines if len(line) >= _SHORTEST_LINE]
    return {form for form in (value, *escaped, *coded, *dumps, *kept) if len(form) >= least}


def _base64_cores(value: str) -> set[str]:
    """Return the letters that base64 has for a secret whatever stands around it, as in `user:password` of a Basic login.

    A secret may begin at each of three places of a group of three bytes; the letters at its ends share bits with its
    neighbours.
    """
    raw = value.encode("utf-8", "surrogatepass")
    found = set()
    for before in range(3):
        text = base64.b64encode(bytes(before) + raw).decode().rstrip("=")
        core = text[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        if len(core) >= _SHORTEST_BASE64:
            found |= {core, core.replace("+", "-").replace("/", "_")}
    return found
