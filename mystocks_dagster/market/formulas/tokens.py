"""The words of a formula. Characters typed with a Chinese keyboard are read as their plain forms where these are clear.

Full-width letters, digits, brackets, commas, colons, semicolons and comparison signs become ASCII one for one, so that
positions stay those of the text as written. Characters that nobody sees, as pages hold them, are no part of a word.
"""

import math
import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from typing import Literal

from mystocks_dagster.market.formulas.problems import FormulaProblem
from mystocks_dagster.market.formulas.syntax import Position

Kind = Literal["number", "name", "text", "symbol", "end"]

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
#: What stands for each character that nobody sees: spaces without width, joiners, directions, hyphens and marks.
_UNSEEN = "\u200b"
_UNSEEN_CODES = (
    0xAD, 0x180E, 0xFEFF,
    *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10),
)  # fmt: skip
_PLAIN = _FULL_WIDTH | dict.fromkeys(_UNSEEN_CODES, _UNSEEN) | {
    ord(odd): plain
    for odd, plain in {
        "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2212": "-", "\u00d7": "*", "\u00f7": "/",
        "\u3000": " ", "\u00a0": " ",
    }.items()
}  # fmt: skip
#: Other spellings of operators, and the one that the tree has.
_SPELLINGS = {
    "&&": "AND", "||": "OR", "==": "=", "!=": "<>", "\u2260": "<>", "\u2265": ">=", "\u2264": "<=",
    "\u2267": ">=", "\u2266": "<=",
}  # fmt: skip
_KEYWORDS = {"AND", "OR", "NOT"}
_TOKEN = re.compile(
    r"(?P<blank>[\s\u200b]+)|(?P<comment>\{[^}]*\}|//[^\n]*)|(?P<number>[0-9]+\.?[0-9]*|\.[0-9]+)"
    r"|(?P<name>[^\W\d](?:\u200b*\w)*)|(?P<text>'[^'\n]*'|\"[^\"\n]*\")"
    r"|(?P<symbol>:=|<=|>=|<>|!=|==|&&|\|\||[-+*/<>=(),;:&\u2260\u2265\u2264\u2266\u2267])"
)
#: What stands in double quotes in 通达信: another formula's output, another symbol's bars, or another period's.
_REFERENCE = re.compile(r"\s*\w+\s*[.$#]")
_UNCLOSED = {
    "{": ("'{' opens a comment that is not closed", "Write } at its end."),
    "'": ("a text is not closed", "Write ' at its end, in the same line."),
}
_REMEDIES = {
    '"': 'References to other formulas, such as "MACD.DEA", are not supported: write the formula itself. '
    "Texts stand in single quotes.",
    ".": "References to other formulas, such as MACD.DEA, are not supported: write the formula itself.",
    "#": "Other periods, such as CLOSE#WEEK, are not supported: compute the formula for that period.",
    "\u3002": "A statement ends with ;",
    "\u3001": "Arguments are separated by ,",
    "&": "Write && or AND.",
    "|": "Write || or OR.",
    "!": "Write NOT(...), or <> for unequal.",
    "[": "Use round brackets.",
    "]": "Use round brackets.",
    "\u3010": "Use round brackets.",
    "\u3011": "Use round brackets.",
    "%": "Divide by 100, or use MOD(A,B) for a remainder.",
    "^": "Use POW(A,B).",
    "\u2013": "Write - to subtract.",
    "\u2014": "Write - to subtract.",
    "\u00b7": "Write * to multiply; a name has no point.",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A word with its place; `value` is in upper case and plain characters, except in texts."""

    kind: Kind
    value: str
    position: Position
    width: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else f"'{self.value}'"


def tokenize(text: str) -> tuple[list[Token], list[FormulaProblem]]:
    """Split a formula into its words, ending with an `end`, and the characters that the language does not have."""
    plain = text.translate(_PLAIN)
    starts = [0, *(index + 1 for index, character in enumerate(plain) if character == "\n")]
    tokens: list[Token] = []
    problems: list[FormulaProblem] = []
    offset = 0
    while offset < len(plain):
        match = _TOKEN.match(plain, offset)
        position = _position(starts, offset)
        if match is None:
            problems.append(unknown_character(text[offset], plain[offset], position))
            # What follows an unclosed comment or text is not a formula.
            offset = len(plain) if plain[offset] in _UNCLOSED else offset + 1
            continue
        if match.lastgroup not in ("blank", "comment"):
            tokens.append(_token(match, text, position))
            problems.extend(_faults(match, text, position))
        offset = match.end()
    tokens.append(Token("end", "", _position(starts, len(plain)), 1))
    return tokens, problems


def _position(starts: list[int], offset: int) -> Position:
    line = bisect_right(starts, offset)
    return Position(line, offset - starts[line - 1] + 1)


def _token(match: re.Match[str], text: str, position: Position) -> Token:
    kind, value, width = match.lastgroup, match.group(), match.end() - match.start()
    match kind:
        case "number":
            return Token("number", value, position, width)
        case "text":
            return Token("text", text[match.start() + 1 : match.end() - 1], position, width)
        case "name":
            name = value.replace(_UNSEEN, "").upper()
            return Token("symbol" if name in _KEYWORDS else "name", name, position, width)
        case _:
            return Token("symbol", _SPELLINGS.get(value, value), position, width)


def _faults(match: re.Match[str], text: str, position: Position) -> list[FormulaProblem]:
    """Return what is wrong with a word by itself."""
    written, width = match.group(), match.end() - match.start()
    if match.lastgroup == "text" and _is_reference(match, text):
        quoted = text[match.start() : match.end()]
        return [FormulaProblem(position, f"{quoted} stands in double quotes", _REMEDIES['"'], width)]
    if match.lastgroup != "number":
        return []
    if rest := re.match(r"\w+", match.string[match.end() : match.end() + 100]):
        name = written + rest.group()
        return [FormulaProblem(position, f"'{name}' begins with a digit", "A name begins with a letter.", len(name))]
    if math.isinf(float(written)):
        return [FormulaProblem(position, f"the number {written[:9]}… of {width} digits is too large", "", width)]
    return []


def _is_reference(match: re.Match[str], text: str) -> bool:
    """Return whether a word in double quotes refers to another formula; curly ones also stand around texts.

    Chinese keyboards type them where a text was meant.
    """
    if not match.group().startswith('"'):
        return False
    return text[match.start()] == '"' or _REFERENCE.match(match.group()[1:]) is not None


def unknown_character(written: str, plain: str, position: Position) -> FormulaProblem:
    """Return the problem of a character that the language does not have, and its remedy.

    Args:
        written: The character as written.
        plain: Its plain form.
        position: Where it stands.
    """
    if plain in _UNCLOSED:
        return FormulaProblem(position, *_UNCLOSED[plain])
    name = unicodedata.name(written, "a control character")
    message = f"unexpected character {written!r} (U+{ord(written):04X}, {name})"
    return FormulaProblem(position, message, _REMEDIES.get(plain, ""))
