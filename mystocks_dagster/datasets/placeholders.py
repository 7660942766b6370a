"""Placeholders in the arguments of a call: `{day:%Y%m%d}`, `{period}`, `{symbol:code}`.

They are replaced by a fixed set of values in a fixed set of forms, without Python's formatting.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date

from mystocks_dagster.excerpts import suggest

#: Names with a fixed meaning; further names come from a call's `each`.
DAYS = ("day", "start", "end", "period")
FIXED = (*DAYS, "symbol")
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?::([^{}]*))?\}")
_BRACE = re.compile(r"[{}]")
#: The forms of a symbol: 600519, sh600519, SH600519.
_SYMBOL_FORMS = ("code", "lower", "upper")
_DAY_FORM = re.compile(r"(%[YmdyjU]|[-/._ ])+")

Value = str | date


def names_in(text: str) -> list[str]:
    """Return the names of the placeholders in a text, in order."""
    return [match[1] for match in _PLACEHOLDER.finditer(text)]


def faults(text: str, further: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the faults of a text, each with a hint; `further` are the names of `each`."""
    known = (*FIXED, *further)
    for match in _PLACEHOLDER.finditer(text):
        name, form = match[1], match[2]
        if name not in known:
            yield f"there is no placeholder {{{name}}}", suggest(name, known)
        elif form and name in DAYS and not _DAY_FORM.fullmatch(form):
            yield f"{form!r} is not the form of a day", "Write {day:%Y%m%d} or {day}."
        elif form and name == "symbol" and form not in _SYMBOL_FORMS:
            yield f"{form!r} is not the form of a symbol", suggest(form, _SYMBOL_FORMS)
        elif form and name in further:
            yield f"{{{name}}} has no forms", f"Write {{{name}}}."
    if _BRACE.search(_PLACEHOLDER.sub("", text)):
        yield "a brace that belongs to no placeholder", "Write {day}, {day:%Y%m%d}, {period} or {symbol}."


def fill(text: str, values: Mapping[str, Value]) -> str:
    """Return the text with its placeholders replaced.

    Examples:
        >>> fill("{day:%Y%m%d} {day} {symbol:lower}", {"day": date(2024, 3, 1), "symbol": "600519.SH"})
        '20240301 2024-03-01 sh600519'
    """
    return _PLACEHOLDER.sub(lambda match: _text(values[match[1]], match[2] or ""), text)


def _text(value: Value, form: str) -> str:
    if isinstance(value, date):
        return value.strftime(form) if form else value.isoformat()
    if form == "code":
        return value[:6]
    if form in ("lower", "upper"):
        exchange = value[-2:].lower() if form == "lower" else value[-2:]
        return f"{exchange}{value[:6]}"
    return value
