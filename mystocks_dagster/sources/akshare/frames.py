"""From what an akshare function gives to a checked polars frame with our names and units.

The upstream's own rows are looked at too: akshare turns whatever it cannot read into NaN, which here would be taken
for "did not trade".
"""

import unicodedata
from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import cache
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import polars as pl

from mystocks_dagster.errors import SourceChanged, SourceUnavailable
from mystocks_dagster.sources.akshare.columns import Call, Field
from mystocks_dagster.sources.upstream_responses import UpstreamResponse

if TYPE_CHECKING:
    import pandas as pd

SHARES_PER_LOT = 100
#: Share of the rows that paging over a moving list may lose, and that may look odd without meaning a changed unit.
TOLERANCE = 0.01
#: So many odd rows are never taken for a changed unit, however short the frame is.
_FEW = 3
_MISSING = ("-", "", None)
_DTYPES = MappingProxyType({"number": pl.Float64, "lots": pl.Int64, "day": pl.Date})


def changed(function: str, what: str) -> SourceChanged:
    """Return the error that says: this akshare function no longer gives what it gave."""
    return SourceChanged(
        f"akshare {_version()} {function}(): {what}. The upstream's format has changed: "
        "upgrade akshare, and if that does not help, report it."
    )


@cache
def _version() -> str:
    return version("akshare")


def read_frame(call: Call, frame: "pd.DataFrame", answers: Sequence[UpstreamResponse] = ()) -> pl.DataFrame:
    """Return the used columns under our names, in our units and types.

    Args:
        call: What the function must give.
        frame: What it gave.
        answers: The upstream's answers behind it, where they are lists.

    Raises:
        SourceChanged: A column or an upstream key is missing, new or moved, or a value cannot be what it should be.
        SourceUnavailable: Pages of the list are missing.
    """
    lists = [answer for answer in answers if answer.total is not None]
    for answer in lists:
        _check_rows(call, answer)
    if lists:
        _check_complete(call, lists)
    missing = sorted({field.label for field in call.fields} - set(frame.columns))
    unknown = sorted(set(map(str, frame.columns)) - call.known)
    if missing or unknown:
        faults = [f"no column {', '.join(missing)}"] * bool(missing) + [f"unknown column {', '.join(unknown)}"] * bool(
            unknown
        )
        raise changed(call.function, " and ".join(faults))
    return pl.DataFrame({field.name: _series(call, field, frame[field.label].tolist()) for field in call.fields})


def refuse(call: Call, frame: pl.DataFrame, bad: pl.Expr, why: str, most: float = 0.0) -> None:
    """Raise `SourceChanged` when more than the share `most` of the rows are bad (and more than a few, unless none may be)."""
    found = frame.filter(bad)
    if found.height > (max(_FEW, most * frame.height) if most else 0):
        shown = ", ".join(f"{name}={value}" for name, value in found.row(0, named=True).items() if value is not None)
        raise changed(call.function, f"{why} in {found.height} of {frame.height} rows, e.g. {shown}")


def _check_rows(call: Call, answer: UpstreamResponse) -> None:
    used = {field.key for field in call.fields if field.key}
    for keys in {tuple(row) for row in answer.rows}:
        if call.keys and keys[: len(call.keys)] != call.keys:
            at, expected, got = next(
                (n, *pair)
                for n, pair in enumerate(zip(call.keys, [*keys, *[None] * len(call.keys)], strict=False))
                if pair[0] != pair[1]
            )
            raise changed(call.function, f"upstream key {at + 1} is {got}, must be {expected}")
        if lost := sorted(used - set(keys)):
            raise changed(call.function, f"the upstream no longer sends {', '.join(lost)}")
    for field in call.fields:
        if field.key and field.kind in ("number", "lots"):
            for row in answer.rows:
                if row[field.key] not in _MISSING and not isinstance(row[field.key], int | float):
                    raise changed(
                        call.function, f"{field.label} ({field.key}) is {row[field.key]!r}, which is no number"
                    )


def _check_complete(call: Call, lists: Sequence[UpstreamResponse]) -> None:
    pages = {answer.question.page: answer for answer in lists}
    rows = [row for answer in pages.values() for row in answer.rows]
    # A ranking moves while it is read page by page: a row may come twice and another not at all.
    distinct = len({row["f12"] for row in rows}) if rows and "f12" in rows[0] else len(rows)
    total = lists[-1].total or 0
    if distinct < total * (1 - TOLERANCE):
        host = lists[-1].question.host
        raise SourceUnavailable(
            f"{host} sent {distinct} of {total} rows for akshare's {call.function}(); try again later."
        )


def _series(call: Call, field: Field, values: list[Any]) -> pl.Series:
    reader = _READERS[field.kind]
    read = []
    for value in values:
        # NaN and NaT are the only values that differ from themselves.
        if value != value or value in _MISSING:
            if field.kind in ("code", "name", "text"):
                raise changed(call.function, f"{field.label} is empty")
            read.append(None)
            continue
        try:
            read.append(reader(value))
        except ValueError:
            raise changed(call.function, f"{field.label} is {value!r}, which is no {field.kind}") from None
    return pl.Series(field.name, read, _DTYPES.get(field.kind, pl.String))


def _code(value: object) -> str:
    if isinstance(value, str) and len(value) == 6 and value.isascii() and value.isdigit():
        return value
    raise ValueError


def _text(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    raise ValueError


def _name(value: object) -> str:
    name = "".join(unicodedata.normalize("NFKC", _text(value)).split())
    if not name or name.replace(".", "").replace("-", "").isdigit():
        raise ValueError
    return name


def _number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError


def _lots(value: object) -> int:
    return round(_number(value) * SHARES_PER_LOT)


def _day(value: object) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    return date.fromisoformat(_text(value)[:10])


_READERS: MappingProxyType[str, Callable[[object], Any]] = MappingProxyType(
    {"code": _code, "name": _name, "text": _text, "number": _number, "lots": _lots, "day": _day}
)
