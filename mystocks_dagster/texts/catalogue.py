"""The Chinese of a text that the program said in English, found by the text's form (decision 59)."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from mystocks_dagster.texts.entries import MARKS, PLACE, Form, catalogue, unbraced

#: Where a text of several sentences may be divided.
_JOINT = re.compile(r"(?<=[.,;:!?…]) +|(?<=\S) +(?=[A-Z][a-z]+ [a-z])")
#: Texts with more joints are not divided at commas, then into sentences only, and of these only the first.
_MOST_PARTS = 16
_NO_COMMA = re.compile(r"(?<=[.;:!?…]) +")
_NEXT_SENTENCE = re.compile(r"[.!?] [A-Z]")
_SENTENCE = re.compile(r"(?<=[.!?]) +")
#: What a character of an entry counts against a joint within a value.
_WEIGHT = 10
_LINE_END = "\n"
_WORD = re.compile(r"\w+")
_BRACKET = re.compile("[()]")
#: A name of a source, host, table, task or day, perhaps with a remark, of which something is said.
_SUBJECT = re.compile(r"([\w.:/-]*\w|`[^`]*`)(?: (\([^()]*\)))? (?=\S+ \S)")
#: The beginning of a path or of the address of a file, in whose names there may be blanks.
_PATH = re.compile(r"(?:~|\.{1,2}|\w+:/)?/")
#: Where a path may end and what is said of it begins.
_PATH_END = re.compile(r" (?=[a-z]+ \S)")
#: A text with so few characters beside its values does not have values that are sentences.
_SMALL = 6
#: A line of a user's file below a message, or the marks under it.
_EXCERPT = re.compile(r"[0-9]* ?\| ")
#: Names with commas between them, each perhaps with its number; a part of JSON or of a path does not begin or end one.
_LIST = re.compile(r"(?!line \d+, column \d+\Z)(?:[^\s,;()\[\]{}\"']+(?: [0-9][0-9,.]*)?(?:, (?!\Z)|\Z)){2,}")
#: From the first to the last of numbers or days.
_SPAN = re.compile(r"(\d[\d.,:-]*) to (\d[\d.,:-]*)")
#: Names with `or` or `and` between them: 'load' or 'lead', zh or en, 'a', 'b' or 'c'.
_NAMED = r"(?:'[^']*'|\"[^\"]*\"|[^\s,;:()'\"]+)"
_JOINTS = {" or ": " 或 ", " and ": " 和 ", ", ": "、"}
_CHOICE = re.compile(rf"{_NAMED}(?:, {_NAMED})*(?: or {_NAMED})+|{_NAMED}(?:, {_NAMED})*(?: and {_NAMED})+")
_JOINED = re.compile(" or | and |(?<=['\"\\w]), ")
#: A name in quotes, in which a bracket is part of the name.
_QUOTE = re.compile(r"(?<![A-Za-z])'[^']*'(?![A-Za-z])|\"[^\"]*\"")
#: A whole text in a colour.
_COLOURED = re.compile(r"(\[[a-z]+\](?:→ )?)([^\[\]]+ [^\[\]]+)(\[/\])")
#: The colour of a value: a state, which is a word of the program.
_COLOUR = re.compile(r"\[[a-z]+\]")
#: Before a value that another program may have said: it stays where the value is not in Chinese, as a quotation.
_QUOTED = "原文："
_CHINESE_START = re.compile(r"[\u4e00-\u9fff]")
_CHINESE_END = re.compile(r"[\u3000-\u303f\uff00-\uff5e]\Z")
#: Where a value meets the Chinese around it: a space beside Latin letters, none between Chinese ones.
_CHINESE, _LATIN = re.compile(r"[\u4e00-\u9fff]"), re.compile(r"[A-Za-z/`'\"]")
#: What ends a part of a sentence, or a bracket.
_MARKED_END = re.compile(r"[.,;:!?…)\]\u3000-\u303f\uff00-\uff5e]\Z")
#: A mark before one that ends the same part of a sentence: a value ended with a mark of its own.
_DOUBLED = re.compile(r"[.,;。，；](?=[。，；：])")
#: Those within a sentence, as a tuple: an empty text is in every text.
_WITHIN = (",", ";")


def translate(text: str, language: str) -> str:
    """Return what the program says in a language; a part of which the catalogue has nothing stays English.

    Args:
        text: A text as the program said it, perhaps in another process or long ago: its values are in it.
        language: `zh` or `en`.
    """
    return text if language == "en" or (not text.isprintable() and not text.strip()) else _translated(text)


@lru_cache(maxsize=4096)
def _translated(text: str) -> str:
    bare = text.strip()
    if _EXCERPT.match(bare):
        return text
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :] if bare else ""
    reading = _reading_of_lines(bare) if _LINE_END in bare else _reading(bare)
    coloured = None if reading.score else _COLOURED.fullmatch(bare)
    chinese = f"{coloured[1]}{_translated(coloured[2])}{coloured[3]}" if coloured else reading.chinese
    return f"{before}{_DOUBLED.sub('', chinese)}{after}"


class _Reading(NamedTuple):
    """One way to read a text as entries of the catalogue; the best covers most of it, with least joints in values."""

    score: int
    chinese: str


def _reading_of_lines(text: str) -> _Reading:
    """Return the best reading of a text of several lines: as one entry, or line by line."""
    lines = [_reading(line.strip()) for line in text.split(_LINE_END)]
    by_line = _Reading(sum(line.score for line in lines), _LINE_END.join(map(_translated, text.split(_LINE_END))))
    excerpts = [line for line in text.split(_LINE_END) if _EXCERPT.match(line.strip())]
    whole = _whole(text)
    # A form that reaches into an excerpt takes the user's own words for its own.
    fits = whole is not None and all(line in whole.chinese for line in excerpts)
    return max(by_line, whole if whole and fits else by_line, key=lambda way: way.score)


@lru_cache(maxsize=4096)
def _reading(text: str) -> _Reading:
    """Return the best reading of a text: as one entry, or as several with joints between them."""
    joints = list(_JOINT.finditer(text))
    if len(joints) >= _MOST_PARTS:
        joints = list(_NO_COMMA.finditer(text))
    if len(joints) >= _MOST_PARTS:
        joints = list(_SENTENCE.finditer(text))[: _MOST_PARTS - 1]
    starts, ends = [0, *(joint.end() for joint in joints)], [*(joint.start() for joint in joints), len(text)]
    best = [_Reading(0, "")]  # of the last 0, 1, 2 … parts
    for first in reversed(range(len(starts))):
        ways = [_joined(_Reading(0, text[starts[first] : ends[first]]), best[-1])]
        for last in range(first, len(starts)):
            part = text[starts[first] : ends[last]]
            # A single word among others is a name, which may be the same as a word of the program.
            rest = best[len(starts) - last - 1]
            if (" " in part or len(starts) == 1) and (piece := _marked(part, goes_on=rest.score > 0)) is not None:
                ways.append(_joined(piece, rest))
        best.append(max(ways, key=lambda way: way.score))
    return best[-1]


def _joined(first: _Reading, rest: _Reading) -> _Reading:
    before = first.chinese
    if before[-1:] in _WITHIN and _CHINESE_START.match(rest.chinese):  # a part that is data, as +4.1%, before a text
        before = before[:-1] + MARKS[before[-1]]
    elif first.score and _CHINESE_START.match(rest.chinese) and not _MARKED_END.search(before):
        before += MARKS["."]  # a fault and its hint: English tells where a sentence begins by a capital letter
    space = "" if not rest.chinese or _CHINESE_END.search(before) else " "
    return _Reading(first.score + rest.score, f"{before}{space}{rest.chinese}")


def _marked(text: str, *, goes_on: bool) -> _Reading | None:
    """Return the reading of a text as one entry, with or without the mark at its end; `goes_on` before another one."""
    whole, bare = _whole(text), _whole(text[:-1]) if text[-1:] in MARKS else None
    # On equal terms a colon belongs to the value before it, and so does a comma unless another text follows.
    keeps = text.endswith(":") or (text.endswith(",") and not goes_on)
    if bare is None or (whole and (whole.score, keeps) > (bare.score, False)):
        return whole
    return _Reading(bare.score, bare.chinese + MARKS[text[-1]])


@lru_cache(maxsize=4096)
def _whole(text: str) -> _Reading | None:
    """Return the best reading of a text: as one entry, as a name with one, or as a text with one in brackets."""
    ways = (_entry(text), _with_subject(text), _with_brackets(text))
    return max((way for way in ways if way), key=lambda way: way.score, default=None)


def _entry(text: str) -> _Reading | None:
    """Return the best reading of a text as one entry of the catalogue."""
    known = catalogue()
    if (fixed := known.fixed.get(text)) is not None:
        return _Reading(_WEIGHT * len(text), fixed)
    forms = (form for word in {"", *_WORD.findall(text)} for form in known.forms.get(word, ()))
    matches = ((form, values) for form in forms for values in form.values_in(text))
    ways = ((_filled(form, values), form.size) for form, values in matches if all(map(_is_closed, values)))
    # On equal terms one form says more than two, one within a value of the other.
    best = max(((way.score, size, way) for way, size in ways if way), key=lambda found: found[:2], default=None)
    return best[2] if best else None


def _with_subject(text: str) -> _Reading | None:
    """Return the reading of a name and what is said of it, such as `tdx has no stock list`; None for other texts."""
    subject = _SUBJECT.match(text)
    subjects = [(subject[1], subject[2] or "", text[subject.end() :])] if subject else []
    if _PATH.match(text):
        subjects += ((text[: end.start()], "", text[end.end() :]) for end in _PATH_END.finditer(text))
    ways = (_said_of(*subject) for subject in subjects)
    return max((way for way in ways if way), key=lambda way: way.score, default=None)


def _said_of(name: str, remark: str, rest: str) -> _Reading | None:
    said = _entry(rest) or _with_brackets(rest)
    if not said or not _is_ours(said, rest):
        return None
    between = f"（{_value(remark[1:-1], word=False).chinese}）" if remark else " "
    return _Reading(said.score - 1, f"{name}{between}{said.chinese}")


def _is_ours(reading: _Reading, text: str) -> bool:
    """Return whether most of a text is what the program says."""
    return reading.score >= _WEIGHT * len(text) / 3


def _with_brackets(text: str) -> _Reading | None:
    """Return the reading of a text whose end stands in brackets, if what stands there can be read."""
    start = _opening(text)
    if start < 1:
        return None
    inside, before = _value(text[start + 1 : -1], word=False), _value(text[:start].rstrip(), word=False)
    if inside.score + before.score <= 0:
        return None
    return _Reading(inside.score + before.score - 1, f"{before.chinese}（{inside.chinese}）")


def _opening(text: str) -> int:
    """Return where the bracket opens that closes at the end of a text; -1 if none does."""
    depth = 0
    for mark in reversed(list(_BRACKET.finditer(text if text.endswith(")") else ""))):
        depth += 1 if mark[0] == ")" else -1
        if depth == 0:
            return mark.start()
    return -1


def _filled(form: Form, values: Sequence[str]) -> _Reading | None:
    """Return the reading of a text of this form; None if its values say more than the form and cannot be read."""
    coloured = _COLOUR.fullmatch(form.pieces[0]) is not None
    readings = [
        _value(value, word=coloured or place in form.words) for place, value in zip(form.places, values, strict=True)
    ]
    within = zip(values[:-1], readings, strict=False)
    if any(_NEXT_SENTENCE.search(value) and not _is_ours(reading, value) for value, reading in within):
        return None  # it reaches over the end of a sentence
    unread = (
        value
        for value, reading in zip(values, readings, strict=True)
        if not (reading.score or _CHOICE.fullmatch(value))
    )
    if form.size <= _SMALL and any(" " in value for value in unread):
        return None
    named = {place: reading.chinese for place, reading in zip(form.places, readings, strict=True)}
    # Not by str.format: a value may hold braces.
    pieces = PLACE.split(form.chinese)
    read = {place for place, reading in zip(form.places, readings, strict=True) if reading.score}
    parts = [
        named[piece] if number % 2 else unbraced(_before(piece, [*pieces, ""][number + 1] in read))
        for number, piece in enumerate(pieces)
    ]
    chinese = _spaced(parts, [number % 2 == 1 and piece in read for number, piece in enumerate(pieces)])
    joints = sum(map(_joints_in, values))
    return _Reading(_WEIGHT * form.size + sum(reading.score for reading in readings) - joints, chinese)


def _joints_in(value: str) -> int:
    """Return the joints of a value; those of a list of names count for it, as they do not divide a text."""
    count = len(_JOINT.findall(value))
    return -count if _LIST.fullmatch(value) or _CHOICE.fullmatch(value) else count


def _spaced(parts: Sequence[str], translated: Sequence[bool]) -> str:
    """Return the parts of a text and its values, with a space where Chinese and Latin letters meet.

    Args:
        parts: The texts between the values and the values, in turn.
        translated: Whether each is a value in Chinese: between it and Chinese there is no space.
    """
    text = ""
    for number, piece in enumerate(parts):
        part = piece
        if translated[number] or (number and translated[number - 1]):
            if _CHINESE.match(part) and text[-1:] == " " and _CHINESE.match(text[-2:-1]):
                text = text[:-1]
            elif part[:1] == " " and _CHINESE.match(part[1:2]) and _CHINESE.match(text[-1:]):
                part = part[1:]
        if _CHINESE_END.search(text) or _CHINESE_END.match(part.lstrip(" ")[:1]):
            text, part = text.rstrip(" "), part.lstrip(" ")
        apart = (_CHINESE, _LATIN) if _CHINESE.match(text[-1:]) else (_LATIN, _CHINESE)
        meet = apart[0].match(text[-1:]) and apart[1].match(part[:1])
        text += f" {part}" if meet else part
    return text


def _before(piece: str, in_chinese: bool) -> str:
    return piece.removesuffix(_QUOTED) if in_chinese else piece


def _is_closed(value: str) -> bool:
    """Return whether each bracket of a value is closed in it; else it reaches from one text into the next."""
    depth = 0
    for mark in _BRACKET.findall(_QUOTE.sub("", value)):
        depth += 1 if mark == "(" else -1
        if depth < 0:
            return False
    return depth == 0


def _value(text: str, *, word: bool) -> _Reading:
    """Return a value within a text: a text of the program is translated too, such as the error that caused another.

    A single word is a name, which may be the same as a word of the program: only as a coloured one it is translated.
    """
    bare = text.strip()
    if not (word or " " in bare):
        return _Reading(0, text)
    if _LIST.fullmatch(bare):
        return _Reading(0, text.replace(", ", "、"))
    if _SPAN.fullmatch(bare):
        return _Reading(0, text.replace(" to ", " 至 "))
    if _CHOICE.fullmatch(bare) and bare not in catalogue().fixed:
        return _Reading(0, _JOINED.sub(lambda joint: _JOINTS[joint[0]], text))
    return (_reading_of_lines(bare) if _LINE_END in bare else _reading(bare))._replace(chinese=_translated(text))
