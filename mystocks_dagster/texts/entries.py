"""The texts of the program with their Chinese, and the forms by which a text with values is recognised."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

_FOLDER = Path(__file__).parent / "zh"
#: A place for a value: `{0}`, `{1}` …; doubled braces stand for themselves. In Chinese, `{0:word}` is a value that is
#: translated although it is a single word, which otherwise is a name.
PLACE = re.compile(r"\{(\d+)(?::word)?\}")
_WORD_PLACE = re.compile(r"\{(\d+):word\}")
#: A value directly before another, which is a remark behind it or empty: a name, or a whole text.
_NAME = re.compile(r"([^\s,;(]*)")
_SAID = re.compile(r"([^\s,;(]+ .*?)(?: \([^()]*\)| and \S+ more[^,;.]*)?\Z", re.DOTALL)
#: A word that touches no value, which a NUL character stands for.
_WHOLE_WORD = re.compile(r"(?<![\w\0])(\w+)(?![\w\0])")
#: The mark between two texts, in Chinese.
MARKS = {".": "。", ",": "，", ";": "；", ":": "："}


class Form(NamedTuple):
    """A text with values: what recognises it, and its Chinese.

    Attributes:
        size: Characters between the values.
        pieces: What stands before, between and behind the values.
        places: The number of each value in the order of the English text.
        words: The numbers of those that are words of the program, such as `task`, and no names.
    """

    size: int
    pieces: tuple[str, ...]
    places: tuple[str, ...]
    chinese: str
    words: frozenset[str] = frozenset()

    def values_in(self, text: str) -> Iterator[list[str]]:
        """Yield the values of a text of this form, each as short as possible; none for a text of another form.

        Where a value stands directly before another, it may be a name with a remark, or a whole text with one.
        """
        first, *middle, last = self.pieces
        if text.startswith(first) and text.endswith(last):
            cuts = (self._cut(text, said) for said in ((_NAME, _SAID) if "" in middle else (_NAME,)))
            yield from (values for values in cuts if values is not None)

    def _cut(self, text: str, said: re.Pattern[str]) -> list[str] | None:
        """Return the values of a text; `said` finds one that stands directly before another."""
        first, *middle, last = self.pieces
        values, start, end = [], len(first), len(text) - len(last)
        for number, piece in enumerate(middle, 1):
            if piece:
                found = text.find(piece, start, end)
            else:
                following = next(filter(None, middle[number:]), "")
                stop = text.find(following, start, end) if following else end
                value = said.match(text, start, stop) if start <= stop else None
                found = value.end(1) if value else -1
            if found < 0:
                return None
            values.append(text[start:found])
            start = found + len(piece)
        return [*values, text[start:end]] if start <= end else None


class Catalogue(NamedTuple):
    """The entries, so that a text meets few of them.

    Attributes:
        fixed: English to Chinese, of texts without values.
        forms: Texts with values, by their rarest word.
    """

    fixed: Mapping[str, str]
    forms: Mapping[str, Sequence[Form]]


@cache
def entries() -> Mapping[str, str]:
    """Return the whole catalogue: English to Chinese, with `{0}`, `{1}` … for the values."""
    files = sorted(_FOLDER.glob("*.json"))
    return {
        english: chinese for file in files for english, chinese in json.loads(file.read_text(encoding="utf-8")).items()
    }


@cache
def catalogue() -> Catalogue:
    """Return the whole catalogue by what recognises its texts."""
    known = dict(chain.from_iterable(_variants(*entry) for entry in entries().items())) | dict(entries())
    fixed = {english: chinese for english, chinese in known.items() if not PLACE.search(english)}
    forms = [_form(english, chinese) for english, chinese in known.items() if PLACE.search(english)]
    counts = Counter(word for form in forms for word in _words(form))
    by_word: dict[str, list[Form]] = {}
    for form in forms:
        by_word.setdefault(min(_words(form), key=lambda word: counts[word], default=""), []).append(form)
    return Catalogue({unbraced(english): unbraced(chinese) for english, chinese in fixed.items()}, by_word)


def _variants(english: str, chinese: str) -> Iterator[tuple[str, str]]:
    """Yield an entry, and the forms in which its text also meets a reader."""
    yield english, chinese
    if english[0].isascii() and english[0].isalpha() and " " in english:  # as a sentence, or as the part of one
        yield f"{english[0].swapcase()}{english[1:]}", chinese
    if english[0] in MARKS and english[1:2] == " ":  # it continues a text, and is read behind the joint
        yield english[2:], chinese.lstrip("".join(MARKS.values()))
    remark = f"{{{len(PLACE.findall(english)) - 1}}}"
    if english.endswith(f". {remark}") and chinese.endswith(remark):  # there may be no remark
        yield english.removesuffix(f" {remark}"), chinese.removesuffix(remark).rstrip()
    if english.startswith("{0} {1}") and chinese.startswith("{0} {1}"):  # a name, and what is said of it
        yield english.replace("{0} {1}", "{0}", 1), chinese.replace("{0} {1}", "{0}", 1)


def _words(form: Form) -> set[str]:
    """Return the words that each text of a form has, whatever its values: those that touch no value."""
    return {match[1] for match in _WHOLE_WORD.finditer("\0".join(form.pieces))}


def _form(english: str, chinese: str) -> Form:
    pieces = tuple(unbraced(piece) for piece in PLACE.split(english)[::2])
    places, words = tuple(PLACE.findall(english)), frozenset(_WORD_PLACE.findall(chinese))
    return Form(sum(map(len, pieces)), pieces, places, chinese, words)


def unbraced(text: str) -> str:
    """Return a text of the catalogue with its doubled braces as single ones."""
    return text.replace("{{", "{").replace("}}", "}")
