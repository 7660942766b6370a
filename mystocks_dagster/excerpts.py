"""What messages say about a text: the faulty line with a caret, the remedy, names similar to a misspelt one."""

import difflib
import unicodedata
from collections.abc import Iterable, Sequence, Set

#: Columns of a source line that are printed around the caret; longer lines are cut.
_COLUMNS = 120
#: Longer names are not compared, since comparing is quadratic.
_LONGEST_NAME = 100


def excerpt(line: str, number: int, column: int, width: int) -> list[str]:
    r"""Return a source line with its number, and a line of carets below.

    Args:
        line: The line without its end.
        number: Its number in the file.
        column: The first faulty character, from 1.
        width: How many characters are faulty.

    Examples:
        >>> print("\n".join(excerpt("A:=MAA(C,5);", 1, 4, 3)))
            1 | A:=MAA(C,5);
              |    ^^^
    """
    start = column - 1
    cut = max(0, start - _COLUMNS // 2)
    part, before = line[cut : cut + _COLUMNS], line[cut:start]
    faulty = line[start : min(start + width, cut + _COLUMNS)] or " "
    head = f"{number:>5} | "
    # A tab must stay a tab for the caret to stand under its character.
    indent = "".join(character if character == "\t" else " " * _cells(character) for character in before)
    caret = "^" * max(1, sum(_cells(character) for character in faulty))
    return [head + _printable(part), " " * (len(head) - 2) + "| " + indent + caret]


def with_remedy(message: str, remedy: str) -> str:
    """Return a message and its remedy, if there is one, as sentences of one line.

    Examples:
        >>> with_remedy("title is missing", "Add title.")
        'title is missing. Add title.'
    """
    return f"{sentence(message)} {remedy}" if remedy else message


def sentence(text: str) -> str:
    """Return a text with a stop at its end, unless it has one.

    Examples:
        >>> sentence("title is missing"), sentence("Did you mean 'title'?")
        ('title is missing.', "Did you mean 'title'?")
    """
    return text if text.endswith((".", "?", "!")) else f"{text}."


def near(name: str, candidates: Iterable[str]) -> list[str]:
    """Return the candidates most similar to a misspelt `name`, the best first.

    Examples:
        >>> near("shedule", ["schedule", "params"])
        ['schedule']
    """
    if not 0 < len(name) <= _LONGEST_NAME:
        return []
    folded = {candidate.casefold(): candidate for candidate in candidates if len(candidate) <= _LONGEST_NAME}
    matches = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)
    ratios = [difflib.SequenceMatcher(None, match, name.casefold()).ratio() for match in matches]
    return [folded[match] for match, ratio in zip(matches, ratios, strict=True) if ratio > ratios[0] - 0.05]


def suggest(name: str, candidates: Iterable[str], *, allowed: str = "Allowed") -> str:
    """Return `Did you mean 'x'?`, or the list of candidates when none is similar."""
    # A set has another order in each process.
    names = sorted(candidates) if isinstance(candidates, Set) else list(dict.fromkeys(candidates))
    if matches := near(name, names):
        return f"Did you mean {' or '.join(map(repr, matches))}?"
    return f"{allowed}: {abbreviate(names, 30)}." if names else ""


def abbreviate(items: Sequence[object], most: int = 3) -> str:
    """Return the first `most` items as text, and the number of the others.

    Examples:
        >>> abbreviate(["load", "check", "report"], 2)
        'load, check and 1 more'
    """
    text = ", ".join(f"{item}" for item in items[:most])
    return text if len(items) <= most else f"{text} and {len(items) - most} more"


def _cells(character: str) -> int:
    """Return the width of a character in terminal cells: 2 for Chinese, 0 for combining characters."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _printable(line: str) -> str:
    return "".join(
        character if character.isprintable() or character == "\t" else "\N{REPLACEMENT CHARACTER}" for character in line
    )
