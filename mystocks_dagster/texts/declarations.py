"""The Chinese of what tables, indicators and strategies declare about themselves, found by the whole text.

A unit such as `shares` is a common word: it is translated where it is shown as a unit only, never within a message.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from mystocks_dagster.texts.catalogue import translate

_FOLDER = Path(__file__).parent / "zh" / "declared"
_COLUMN_NAMES = "column_names"


def declared(text: str, language: str) -> str:
    """Return a unit, the meaning of a column, or the description of an indicator or a strategy in a language.

    Args:
        text: As declared; line breaks within a paragraph do not matter.
        language: `zh` or `en`.

    Returns:
        The Chinese; for a text of the user's own, the text itself.
    """
    if language == "en":
        return text
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
    return "\n\n".join(texts().get(paragraph) or translate(paragraph, language) for paragraph in paragraphs)


def column_name(table: str, column: str, label: str, language: str) -> str:
    """Return the name of a column for people: Chinese, or empty if it has none in that language.

    Args:
        table: The name of its table.
        column: Its name in the table.
        label: What its dataset file's source calls it; it is used before a name that many tables share.
        language: `zh` or `en`.
    """
    if language == "en":
        return ""
    names = column_names()
    return names.get(f"{table}.{column}") or label or names.get(column, "")


@cache
def texts() -> Mapping[str, str]:
    """Return all declared texts: English to Chinese."""
    files = sorted(file for file in _FOLDER.glob("*.json") if file.stem != _COLUMN_NAMES)
    return {english: chinese for file in files for english, chinese in _read(file).items()}


@cache
def column_names() -> Mapping[str, str]:
    """Return the Chinese names of columns, by `column` or, where a table means something else by it, `table.column`."""
    return _read(_FOLDER / f"{_COLUMN_NAMES}.json")


def _read(file: Path) -> dict[str, str]:
    return json.loads(file.read_text(encoding="utf-8"))
