"""Characters that look like YAML's own: a full-width colon, a no-break space, a curly quote."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Any, NamedTuple

from mystocks_dagster.taskfile.problems import Fault

#: Lookalikes that Unicode's compatibility forms (full-width letters, special spaces) do not cover.
_ASCII = {
    "“": '"', "”": '"', "„": '"', "‟": '"', "「": '"', "」": '"', "『": '"', "』": '"',
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "′": "'", "´": "'",
    "、": ",", "∶": ":", "˸": ":", "ː": ":", "【": "[", "】": "]", "〔": "[", "〕": "]", "〈": "<", "〉": ">",
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-", "─": "-", "。": ".", "∗": "*", "×": "*",
}  # fmt: skip
#: Invisible characters. Joiners are among them: they occur in emojis, but not in a key, code or number.
_INVISIBLE = {
    "\u200b",
    "\u200c",
    "\u200d",
    "\u2060",
    "\ufeff",
    "\u00ad",
    "\u200e",
    "\u200f",
    "\u202a",
    "\u202c",
    "\u180e",
}
#: Scripts with letters that look like Latin ones.
_SCRIPTS = ("CYRILLIC", "GREEK")
_NON_ASCII = re.compile(r"[^\x00-\x7f]")
#: Text in quotes and comments, where every character is allowed.
_FREE = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?:^|(?<=\s))#.*""")
#: Fields of free text.
_PROSE = frozenset({"task_name", "group_name", "description"})
#: Characters of a line that are checked; the patterns are slow on longer ones.
_LONGEST = 1000
_KEY = r"[\w.$/{}-]+"


class Lookalike(NamedTuple):
    """One such character: its offset in the text, and its replacement (empty to remove it)."""

    offset: int
    character: str
    instead: str

    def __str__(self) -> str:
        """Return its name in messages, such as "'：' (fullwidth colon, U+FF1A)"."""
        name = unicodedata.name(self.character, "character").lower()
        shown = self.character.isprintable() and not self.character.isspace()
        return f"{self.character!r} ({name}, U+{self._code})" if shown else f"U+{self._code} ({name})"

    @property
    def _code(self) -> str:
        return f"{ord(self.character):04X}"

    @property
    def message(self) -> str:
        """The message about a character where only YAML's own is allowed."""
        if not self.instead:
            return f"{self} is invisible"
        instead = "a plain space" if self.instead == " " else repr(self.instead)
        return f"{self} is used in place of {instead}"

    @property
    def remedy(self) -> str:
        """What to do about it."""
        if self.character.isalpha() and not self.instead.isascii():
            return "Write the Latin letter that looks like it."
        return {"": "Remove it.", " ": "Write a plain space."}.get(self.instead, f"Write {self.instead!r}.")


def first(text: str) -> Lookalike | None:
    """Return the first such character of a text that is not prose; None when there is none.

    Examples:
        >>> str(first("600519，000001"))
        "'，' (fullwidth comma, U+FF0C)"
        >>> first("每日同步") is None
        True
    """
    for match in _NON_ASCII.finditer(text):
        character = match.group()
        instead = _instead(character, text)
        if instead is not None:
            return Lookalike(match.start(), character, instead)
    return None


def named(fault: Fault, values: Iterable[Any]) -> Fault:
    """Add such a character of the faulty values to a fault's hint; prose may contain any character."""
    texts = (value for value in values if isinstance(value, str))
    character = None if _PROSE.intersection(fault.path) else next(filter(None, map(first, texts)), None)
    if character is None:
        return fault
    # The fault's own hint may repeat the character, unless it proposes a known name.
    hint = fault.hint if fault.hint.startswith("Did you mean") else ""
    found = f"It contains {character}."
    return fault._replace(hint=f"{found} {character.remedy} {hint}".strip())


def structural(line: str) -> Lookalike | None:
    """Return the first such character of a line of YAML where only YAML's own is allowed, not in prose.

    Examples:
        >>> structural("    timeout：600").instead
        ':'
        >>> structural("    task_name: 收盘：清理") is None
        True
    """
    plain = _FREE.sub(lambda match: "x" * len(match.group()), line[:_LONGEST])
    places = [match.start(1) for pattern in _PLACES if (match := pattern.search(plain)) and first(match.group(1))]
    places += [bracket.start() for bracket in [_BRACKET.search(plain)] if bracket and first(plain[bracket.start() :])]
    if not places:
        return None
    offset = min(places)
    lookalike = first(plain[offset:])
    return lookalike._replace(offset=offset + lookalike.offset) if lookalike else None


_PLACES = (
    re.compile(rf"^[ \t]*([^\x00-\x7f])\s*(?:{_KEY}|-\s)"),  # in the indentation, or in place of a dash
    re.compile(rf"^\s*(?:-\s+)*{_KEY}\s*([：﹕∶︰˸ː\u00a0\u3000\u2000-\u200f\u2060\ufeff])"),  # after a key
    re.compile(rf"^\s*(?:-\s+)*{_KEY}:([\s\u200b-\u200f\u2060\ufeff])"),  # after its colon
    re.compile(r"([\u200b-\u200f\u2060\ufeff\u00ad])"),
    re.compile(r"(?::|-)\s+([“”„‘’「『【［｛])"),  # where a value begins
)
_BRACKET = re.compile(r"[\[{]")


def _instead(character: str, text: str) -> str | None:
    if character in _ASCII:
        return _ASCII[character]
    if character in _INVISIBLE:
        return ""
    plain = unicodedata.normalize("NFKC", character)
    if plain.isascii() and plain != character:
        return plain
    if unicodedata.category(character) == "Zs":
        return " "
    beside_latin = re.search(r"[A-Za-z]", text)
    if character.isalpha() and beside_latin and unicodedata.name(character, "").startswith(_SCRIPTS):
        return character
    return None
