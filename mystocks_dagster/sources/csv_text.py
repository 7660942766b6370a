"""The text of a CSV file, as spreadsheets save it: its encoding and separator, where they are certain."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mystocks_dagster.errors import SourceChanged

#: The first bytes of a file that a spreadsheet saved as its own format (.xlsx and .xls).
_WORKBOOK = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
#: The byte order marks of UTF-16, in which Excel saves "Unicode text".
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
#: GB 18030 has all of GBK, in which Excel saves CSV in Chinese.
_ENCODINGS = ("utf-8", "gb18030")
_SEPARATORS = ("\t", ";")
#: What an input method for Chinese writes instead of a comma or a semicolon.
_FULL_WIDTH = ("，", "；")


class NotCsv(ValueError):
    """A file is not CSV that can be read with certainty; the message says what it is, and what to do."""


class CsvText(NamedTuple):
    """A text and what stands between its columns."""

    text: str
    separator: str


def read_csv_text(content: bytes) -> CsvText:
    """Return the text of a file.

    Raises:
        NotCsv: It is not text, or it cannot be known where its columns and numbers end.
    """
    text = _decoded(content).removeprefix("\ufeff")
    if not text.strip():
        raise NotCsv("is empty: not even a line with the names of the columns is in it")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    separator = separator_of(text.lstrip("\r\n").partition("\n")[0])
    if separator == ";" and "," in text:
        raise NotCsv(
            "has ; between its columns, and commas that may be decimal points. "
            "Save it with commas between the columns and points in the numbers"
        )
    if separator in _FULL_WIDTH:
        raise NotCsv(f"has full-width {separator!r} between the names of its columns. Write , in all lines")
    return CsvText(text, separator)


def separator_of(header: str) -> str:
    """Return what stands between the names of the columns."""
    return "," if "," in header else next((mark for mark in (*_SEPARATORS, *_FULL_WIDTH) if mark in header), ",")


def check_lines(path: Path, lines: Iterable[str], separator: str) -> None:
    """Check that each line has as many values as the first one has names; blank lines may have fewer.

    Args:
        path: The file, for the message.
        lines: Its lines with their ends.
        separator: What stands between the columns.

    Raises:
        SourceChanged: A line has more or fewer; the message names it.
    """
    rows = csv.reader(lines, delimiter=separator)
    names: list[str] = []
    try:
        for row in rows:
            names = names or row
            if len(row) != len(names) and any(value.strip() for value in row):
                raise SourceChanged(
                    f"{path}:{rows.line_num} has {len(row)} values, and the line with the names has {len(names)}. "
                    "Complete the line; a value with a comma stands in double quotes."
                )
    except csv.Error as error:
        raise SourceChanged(f"{path}:{rows.line_num} cannot be read: {error}.") from None


def _decoded(content: bytes) -> str:
    if content.startswith(_WORKBOOK):
        raise NotCsv("is a workbook of a spreadsheet, not text. Save it as `CSV UTF-8`")
    for encoding in ("utf-16",) if content.startswith(UTF_16) else _ENCODINGS:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text
    raise NotCsv("is neither UTF-8 nor GB 18030 text, nor UTF-16 with its mark. Save it as `CSV UTF-8`")
