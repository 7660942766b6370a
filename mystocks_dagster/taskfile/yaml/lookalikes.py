"""Characters that look like YAML's own and are not: a full-width colon, a no-break space, a curly quote."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Any, NamedTuple

from mystocks_dagster.taskfile.problems import Fault

#: Compatibility forms of ASCII (full-width letters, odd spaces) are found by Unicode itself; these are not.
_ASCII = {
    "“": '"', "”": '"', "„": '"', "‟": '"', "「": '"', "」": '"', "『": '"', "』": '"',
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "′": "'", "´": "'",
    "、": ",", "∶": ":", "˸": ":", "ː": ":", "【": "[", "】": "]", "〔": "[", "〕": "]", "〈": "<", "〉": ">",
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-", "─": "-", "。": ".", "∗": "*", "×": "*",
}  # fmt: skip
#: Not to be seen at all. Joiners are among them: they make emojis, but no key, code or number.
_UNSEEN = {"\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u200e", "\u200f", "\u202a", "\u202c", "\u180e"}
#: Scripts whose letters are taken for Latin ones.
_SCRIPTS = ("CYRILLIC", "GREEK")
_SUSPECT = re.compile(r"[^\x00-\x7f]")
#: Text in quotes and comments: there any character is right.
_FREE = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?:^|(?<=\s))#.*""")
#: Fields whose text people read.
_PROSE = frozenset({"task_name", "group_name", "description"})
#: Longer lines are no person's, and patterns take their time on them.
_LONGEST = 1000
_KEY = r"[\w.$/{}-]+"


class Lookalike(NamedTuple):
    """One such character: where in the text it stands, and what to write in its place (empty: nothing)."""

    offset: int
    character: str
    instead: str

    def __str__(self) -> str:
        """Return how a message names it, such as "the fullwidth colon '：' (U+FF1A)"."""
        shown = f" {self.character!r}" if self.character.isprintable() and not self.character.isspace() else ""
        return f"the {unicodedata.name(self.character, 'character').lower()}{shown} (U+{ord(self.character):04X})"

    @property
    def message(self) -> str:
        """What is wrong, for a character that only YAML's own could have stood for."""
        place = {"": "is invisible", " ": "is used in place of a plain space"}
        return f"{self} {place.get(self.instead, f'is used in place of {self.instead!r}')}"

    @property
    def remedy(self) -> str:
        """What to do about it."""
        if self.character.isalpha() and not self.instead.isascii():
            return "Write the Latin letter that looks like it."
        return {"": "Remove it.", " ": "Write a plain space."}.get(self.instead, f"Write {self.instead!r}.")


def first(text: str) -> Lookalike | None:
    """Return the first such character of a text that is no prose; None when there is none.

    Examples:
        >>> str(first("600519，000001"))
        "the fullwidth comma '，' (U+FF0C)"
        >>> first("每日同步") is None
        True
    """
    for match in _SUSPECT.finditer(text):
        character = match.group()
        instead = _instead(character, text)
        if instead is not None:
            return Lookalike(match.start(), character, instead)
    return None


def named(fault: Fault, values: Iterable[Any]) -> Fault:
    """Return a fault whose remedy names such a character in the values that are to blame; prose may hold any."""
    texts = (value for value in values if isinstance(value, str))
    character = None if _PROSE.intersection(fault.path) else next(filter(None, map(first, texts)), None)
    if character is None:
        return fault
    # The fault's own hint may repeat the character, unless it proposes a known name.
    hint = fault.hint if fault.hint.startswith("Did you mean") else ""
    return fault._replace(hint=f"It contains {character}. {character.remedy} {hint}".strip())


def structural(line: str) -> Lookalike | None:
    """Return the first such character of a line of YAML that stands where only YAML's own can: not in prose.

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
    seen = first(plain[offset:])
    return seen._replace(offset=offset + seen.offset) if seen else None


_ODD = r"([^\x00-\x7f])"
_PLACES = (
    re.compile(rf"^[ \t]*{_ODD}\s*(?:{_KEY}|-\s)"),  # in the indentation, or in the place of a dash
    re.compile(rf"^\s*(?:-\s+)*{_KEY}\s*([：﹕∶︰˸ː\u00a0\u3000\u2000-\u200f\u2060\ufeff])"),  # behind a key
    re.compile(rf"^\s*(?:-\s+)*{_KEY}:([\s\u200b-\u200f\u2060\ufeff])"),  # behind its colon
    re.compile(r"([\u200b-\u200f\u2060\ufeff\u00ad])"),
    re.compile(r"(?::|-)\s+([“”„‘’「『【［｛])"),  # where a value begins
)
_BRACKET = re.compile(r"[\[{]")


def _instead(character: str, text: str) -> str | None:
    if character in _ASCII:
        return _ASCII[character]
    if character in _UNSEEN:
        return ""
    plain = unicodedata.normalize("NFKC", character)
    if plain.isascii() and plain != character:
        return plain
    if unicodedata.category(character) == "Zs":
        return " "
    alone = not re.search(r"[A-Za-z]", text)
    if character.isalpha() and not alone and unicodedata.name(character, "").startswith(_SCRIPTS):
        return character
    return None
