"""The Chinese of what tables, indicators and strategies declare about themselves, found by the whole text.

A unit such as `shares` is a common word: it is translated where it is shown as a unit only, never within a message.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from mystocks_dagster.texts.catalogue import translate

#: A name and its number, and a detail that has only such.
_VALUE = re.compile(r"([^\W\d]\w*) (-?\d+(?:\.\d+)?)(?!\S)")
_VALUES = re.compile(rf"{_VALUE.pattern}(?: {_VALUE.pattern})*")
#: Names such as ma5, dif and rsi6, which people write in capitals.
_ABBREVIATION = re.compile(r"[a-z]{1,4}\d*")
#: Begins why a ranking strategy sells a stock that has no rank.
_NOT_RANKED = "not_ranked "
_FOLDER = Path(__file__).parent / "zh" / "declared"
_COLUMN_NAMES, _STRATEGY_NAMES = "column_names", "strategy_names"


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


def strategy_name(name: str, language: str) -> str:
    """Return what people call a shipped strategy; of a strategy or label of the user's own, its name."""
    return name if language == "en" else strategy_names().get(name, name)


def signal_detail(detail: str, language: str) -> str:
    """Return the values that decided a signal as people read them; what is no list of values stays as it is.

    Examples:
        >>> signal_detail("ma5 24.8 ma20 24.717", "zh"), signal_detail("close_hfq 25.7235 dif -1.0777", "zh")
        ('MA5 24.80 · MA20 24.72', '后复权收盘价 25.72 · DIF -1.08')
        >>> signal_detail("k 16.4992 d 0.0013", "en"), signal_detail("三日连涨", "zh")
        ('K 16.50 · D 0.0013', '三日连涨')
        >>> signal_detail("rank 25 ranked 4800", "zh"), signal_detail("not_ranked no_trade", "zh")
        ('名次 25 · 参与排名 4800', '未参与排名：当日无成交')
    """
    if not _VALUES.fullmatch(detail):
        return translate(detail, language) if detail.startswith(_NOT_RANKED) else detail
    return " · ".join(f"{_short_name(name, language)} {_rounded(value)}" for name, value in _VALUE.findall(detail))


def _short_name(name: str, language: str) -> str:
    known = column_names().get(name, "") if language == "zh" else ""
    return known or (name.upper() if _ABBREVIATION.fullmatch(name) else name)


def _rounded(value: str) -> str:
    if "." not in value:
        return value
    number = float(value)
    return f"{number:.2f}" if abs(number) >= 1 else value  # a ratio has its first digits behind the point


@cache
def texts() -> Mapping[str, str]:
    """Return all declared texts: English to Chinese."""
    files = sorted(file for file in _FOLDER.glob("*.json") if file.stem not in (_COLUMN_NAMES, _STRATEGY_NAMES))
    return {english: chinese for file in files for english, chinese in _read(file).items()}


@cache
def column_names() -> Mapping[str, str]:
    """Return the Chinese names of columns, by `column` or, where a table means something else by it, `table.column`."""
    return _read(_FOLDER / f"{_COLUMN_NAMES}.json")


@cache
def strategy_names() -> Mapping[str, str]:
    """Return the Chinese names of the shipped strategies."""
    return _read(_FOLDER / f"{_STRATEGY_NAMES}.json")


def _read(file: Path) -> dict[str, str]:
    return json.loads(file.read_text(encoding="utf-8"))
