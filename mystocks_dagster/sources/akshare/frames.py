"""Convert the result of an akshare function to a checked polars frame with our names and units.

The upstream's rows are checked too: akshare turns an unreadable value into NaN, which would mean "did not trade".
"""

import unicodedata
from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import cache
from importlib.metadata import version
from itertools import zip_longest
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import polars as pl

from mystocks_dagster.errors import SourceChanged, SourceUnavailable
from mystocks_dagster.sources.akshare.call import Call, Field
from mystocks_dagster.sources.upstream_responses import UpstreamResponse

if TYPE_CHECKING:
    import pandas as pd

SHARES_PER_LOT = 100
#: Share of the rows that may be lost while a changing list is read by pages, and share of implausible rows that does
#: not yet mean a changed unit.
TOLERANCE = 0.01
#: Up to this number implausible rows never mean a changed unit, however short the frame is.
_FEW = 3
_MISSING = ("-", "", None)
_DTYPES = MappingProxyType({"number": pl.Float64, "lots": pl.Int64, "shares": pl.Float64, "day": pl.Date})


def changed(function: str, what: str) -> SourceChanged:
    """Return the error for a changed format of an akshare function's result."""
    return SourceChanged(
        f"akshare {_version()} {function}(): {what}. The upstream's format has changed: "
        "upgrade akshare, and if that does not help, report it."
    )


@cache
def _version() -> str:
    return version("akshare")


def read_frame(call: Call, frame: "pd.DataFrame", responses: Sequence[UpstreamResponse] = ()) -> pl.DataFrame:
    """Return the used columns with our names, units and types.

    Args:
        call: The function and its expected columns.
        frame: The result of the function.
        responses: The upstream's responses to the call.

    Raises:
        SourceChanged: A column or an upstream key is missing, new or moved, or a value has the wrong kind.
        SourceUnavailable: Pages of the list are missing.
    """
    check_responses(call, responses)
    missing = sorted({field.label for field in call.fields} - set(frame.columns))
    unknown = sorted(set(map(str, frame.columns)) - call.known)
    faults = {"no column": missing, "unknown column": unknown}
    if missing or unknown:
        texts = (f"{fault} {', '.join(labels)}" for fault, labels in faults.items() if labels)
        raise changed(call.function, " and ".join(texts))
    return pl.DataFrame({field.name: _series(call, field, frame[field.label].tolist()) for field in call.fields})


def check_responses(call: Call, responses: Sequence[UpstreamResponse]) -> None:
    """Check the keys, the numbers and the number of rows of the upstream's lists; raises as `read_frame` does."""
    lists = [response for response in responses if response.total is not None]
    for response in lists:
        _check_rows(call, response)
    if lists:
        _check_complete(call, lists)


def refuse(call: Call, frame: pl.DataFrame, bad: pl.Expr, reason: str, tolerance: float = 0.0) -> None:
    """Raise `SourceChanged` if too many rows are bad.

    Args:
        call: The function that gave the frame.
        frame: The rows.
        bad: The expression that is true in bad rows.
        reason: What is wrong with them.
        tolerance: The share of bad rows that is accepted, and at least `_FEW` rows; 0 accepts none.
    """
    bad_rows = frame.filter(bad)
    if bad_rows.height > (max(_FEW, tolerance * frame.height) if tolerance else 0):
        values = bad_rows.row(0, named=True).items()
        example = ", ".join(f"{name}={value}" for name, value in values if value is not None)
        raise changed(call.function, f"{reason} in {bad_rows.height} of {frame.height} rows, e.g. {example}")


def _check_rows(call: Call, response: UpstreamResponse) -> None:
    used = {field.key for field in call.fields if field.key}
    for keys in {tuple(row) for row in response.rows}:
        _check_key_order(call, keys)
        if missing := sorted(used - set(keys)):
            raise changed(call.function, f"the upstream no longer sends {', '.join(missing)}")
    for field in call.fields:
        if field.key and field.kind in ("number", "lots"):
            _check_numbers(call, field, [row[field.key] for row in response.rows])


def _check_key_order(call: Call, keys: Sequence[str]) -> None:
    for number, (expected, key) in enumerate(zip_longest(call.keys, keys[: len(call.keys)]), start=1):
        if key != expected:
            raise changed(call.function, f"upstream key {number} is {key}, must be {expected}")


def _check_numbers(call: Call, field: Field, values: Sequence[object]) -> None:
    for value in values:
        if value not in _MISSING and not isinstance(value, int | float):
            raise changed(call.function, f"{field.label} ({field.key}) is {value!r}, which is not a number")


def _check_complete(call: Call, lists: Sequence[UpstreamResponse]) -> None:
    pages = {response.request.page: response for response in lists}
    rows = [row for response in pages.values() for row in response.rows]
    # A ranking changes while it is read page by page: a row may come twice and another may be missing.
    distinct = len({row["f12"] for row in rows}) if rows and "f12" in rows[0] else len(rows)
    total = lists[-1].total or 0
    if distinct < total * (1 if call.by_code else 1 - TOLERANCE):
        host = lists[-1].request.host
        raise SourceUnavailable(
            f"{host} sent {distinct} of {total} rows for akshare's {call.function}(); try again later."
        )


def _series(call: Call, field: Field, values: list[Any]) -> pl.Series:
    reader = _READERS[field.kind]
    parsed = []
    for value in values:
        # NaN and NaT are the only values that differ from themselves.
        if value != value or value in _MISSING:
            if field.kind in ("code", "name", "text"):
                raise changed(call.function, f"{field.label} is empty")
            parsed.append(None)
            continue
        try:
            parsed.append(reader(value))
        except ValueError:
            raise changed(call.function, f"{field.label} is {value!r}, which is not a {field.kind}") from None
    return pl.Series(field.name, parsed, _DTYPES.get(field.kind, pl.String))


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


def _shares(value: object) -> float:
    return float(value.replace(",", "")) if isinstance(value, str) else _number(value)


def _day(value: object) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    return date.fromisoformat(_text(value)[:10])


_READERS: MappingProxyType[str, Callable[[object], Any]] = MappingProxyType(
    {"code": _code, "name": _name, "text": _text, "number": _number, "lots": _lots, "shares": _shares, "day": _day}
)
