"""Convert the columns of a source to the columns of a dataset: labels, types, units, and nothing lost silently."""

import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

import polars as pl

from mystocks_dagster.datasets.declared_table import DTYPES
from mystocks_dagster.datasets.model import ColumnSpec, ColumnType
from mystocks_dagster.datasets.placeholders import Value, fill
from mystocks_dagster.datasets.reader import Dataset
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.market.symbols import board_expr, normalise_expr
from mystocks_dagster.market.table import MOMENT
from mystocks_dagster.sources.dates import AmbiguousDate, days_expr

#: Texts of an unknown value.
MISSING = ("", "-", "--", "None", "nan", "NaN", "null")
_TRUE = ("1", "true", "yes", "y", "是")
_FALSE = ("0", "false", "no", "n", "否")
_SIX_DIGITS = r"^[0-9]{6}$"
#: A number with commas between groups of three digits; any other comma may be a decimal point.
_THOUSANDS = r"^[+-]?[0-9]{1,3}(,[0-9]{3})+(\.|%|$)"
#: Columns that are named where one is missing.
_MOST_SHOWN = 30
#: Types of a value that says something; a name, a code or a moment alone does not.
_TELLING = ("number", "count", "text", "day", "flag")


class ColumnError(ValueError):
    """A value or a column that does not fit the dataset; the message says which."""


def convert(
    dataset: Dataset,
    columns: Mapping[str, pl.Series],
    values: Mapping[str, Value],
    *,
    lacks: Sequence[str] = (),
    exchange: str | None = None,
    left_out: list[str] | None = None,
) -> pl.DataFrame:
    """Return the table's columns out of a source's columns, without rows in which nothing stands.

    Args:
        dataset: The dataset.
        columns: The columns of the source by label.
        values: The values of placeholders.
        lacks: Columns of the dataset that this call does not have; they are null.
        exchange: The exchange of bare codes, if it does not follow from their first digits.
        left_out: Takes a sentence about the rows whose security cannot be read.

    Raises:
        ColumnError: A column is missing or unknown, or a value has the wrong type.
    """
    spec = dataset.spec.columns
    labels = {name: _label(name, column, columns, lacks) for name, column in spec.items() if column.source}
    known = {*dataset.spec.unused, *(label for column in spec.values() for label in column.source)}
    unknown = [] if "*" in known else [label for label in columns if label not in known]
    if unknown:
        shown = ", ".join(label or "''" for label in sorted(unknown))
        raise ColumnError(f"unknown column {shown}")
    height = next((len(series) for series in columns.values()), 0)
    series = [
        _read(
            name, _with_exchange(columns[label], dataset.types[name], exchange), dataset.types[name], spec[name].scale
        )
        if (label := labels.get(name))
        else _constant(name, spec[name], kind, values, height)
        for name, kind in dataset.types.items()
    ]
    series = [
        values if (default := spec[values.name].default) is None else values.fill_null(default) for values in series
    ]
    frame = pl.DataFrame(series)
    given = {name: columns[label] for name, label in labels.items() if label}
    if left_out is not None:
        left_out += _unread_codes(dataset, frame, given)
    return _of_securities(dataset, _without_blank_rows(frame, given))


def without_bare_names(dataset: Dataset, frame: pl.DataFrame) -> pl.DataFrame:
    """Leave out the rows of a list of numbers that only name something, such as a delisted security.

    Raises:
        ColumnError: There are rows, and all of them are such.
    """
    telling = [
        name
        for name, kind in dataset.types.items()
        if kind in _TELLING and dataset.spec.columns[name].source and name not in dataset.table.key
    ]
    if frame.is_empty() or not any(dataset.types[name] in ("number", "count") for name in telling):
        return frame
    kept = frame.filter(pl.any_horizontal(pl.col(telling).is_not_null()))
    if kept.is_empty():
        raise ColumnError(f"every number is unknown in {frame.height} rows")
    return kept


def to_series(label: str, values: Sequence[object]) -> pl.Series:
    """Return Python values as a series of one type; values of several types become text."""
    # NaN and NaT are the only values that differ from themselves.
    present = [None if value is None or value != value else value for value in values]
    try:
        return pl.Series(label, present, strict=True)
    except (TypeError, pl.exceptions.PolarsError):
        return pl.Series(label, [None if value is None else str(value) for value in present], dtype=pl.String)


def _with_exchange(series: pl.Series, kind: ColumnType, exchange: str | None) -> pl.Series:
    return series.cast(pl.String) + f".{exchange}" if exchange and kind == "symbol" else series


def _label(name: str, column: ColumnSpec, columns: Mapping[str, pl.Series], lacks: Sequence[str]) -> str | None:
    label = next((label for label in column.source if label in columns), None)
    if label is None and name not in lacks:
        raise ColumnError(_missing(column.source, columns))
    return label


def _missing(labels: Sequence[str], columns: Collection[str]) -> str:
    """Return a sentence about a column that is not there, and what is there instead."""
    wanted, alike = " or ".join(labels), {_plain(label) for label in labels}
    for other in columns:
        if _plain(other) in alike:
            return f"no column {wanted}; {other!r} looks like it, and has other characters"
    shown = [*map(repr, columns)][:_MOST_SHOWN]
    return f"no column {wanted}; there are {', '.join(shown)}" if shown else f"no column {wanted}"


def _plain(label: str) -> str:
    """Return a name without what hardly shows: blanks, invisible characters, full width, capitals."""
    text = unicodedata.normalize("NFKC", label).casefold()
    return "".join(mark for mark in text if not mark.isspace() and unicodedata.category(mark) != "Cf")


def _unread_codes(dataset: Dataset, frame: pl.DataFrame, given: Mapping[str, pl.Series]) -> list[str]:
    """Return a sentence about the rows whose security cannot be read from what stands there."""
    sentences = []
    for name in (name for name, kind in dataset.types.items() if kind == "stock" and name in given):
        texts = given[name].cast(pl.String).str.strip_chars()
        unread = (frame[name].is_null() & texts.is_not_null() & ~texts.is_in(MISSING)).arg_true()
        if len(unread):
            row, number = unread[0], len(unread)
            sentences.append(
                f"rows left out because {name} is no code of a security: {number:,}; the first is {texts[row]!r} in "
                f"row {row + 1}"
            )
    return sentences


def _without_blank_rows(frame: pl.DataFrame, given: Mapping[str, pl.Series]) -> pl.DataFrame:
    says = [~_is_blank(series) for series in given.values()]
    return frame.filter(pl.any_horizontal(says)) if says else frame


def _is_blank(series: pl.Series) -> pl.Series:
    if series.dtype != pl.String:
        return series.is_null()
    return series.is_null() | series.str.strip_chars().is_in(MISSING)


def _of_securities(dataset: Dataset, frame: pl.DataFrame) -> pl.DataFrame:
    """Leave out the rows of other securities, if a column is of type `stock`."""
    for name, kind in dataset.types.items():
        if kind == "stock" and frame.height:
            kept = frame.filter(board_expr(name).is_not_null())
            if kept.is_empty():
                raise ColumnError(f"{name}: no code of an A share in {frame.height} rows")
            frame = kept
    return frame


def _constant(name: str, column: ColumnSpec, kind: ColumnType, values: Mapping[str, Value], height: int) -> pl.Series:
    if column.value is None:
        return pl.Series(name, [None] * height, dtype=DTYPES[kind])
    text = fill(column.value, values)
    return _read(name, pl.Series(name, [text] * height, dtype=pl.String), kind, column.scale)


def _read(name: str, series: pl.Series, kind: ColumnType, scale: float) -> pl.Series:
    if series.dtype == pl.Null:
        return pl.Series(name, [None] * len(series), dtype=DTYPES[kind])
    if series.dtype == pl.String:
        stripped = series.str.strip_chars()
        series = stripped.set(stripped.is_in(MISSING).fill_null(value=False), None)
    elif series.dtype.is_float():
        series = series.fill_nan(None)
    try:
        converted = _READERS[kind](series, scale)
    except pl.exceptions.PolarsError:
        raise ColumnError(f"{name} has values of type {series.dtype}, which are not a {kind}") from None
    lost = converted.is_null() & series.is_not_null()
    if lost.any() and kind not in ("symbol", "stock"):
        row = lost.arg_true()[0]
        example = series[row]
        shown = f"of type {series.dtype}" if isinstance(example, pl.Series | dict) else repr(example)
        raise ColumnError(f"{name} is {shown}, which is not a {kind} (row {row + 1})")
    return converted.alias(name)


def _number(series: pl.Series, scale: float) -> pl.Series:
    if series.dtype == pl.String:
        unclear = series.str.contains(",", literal=True) & ~series.str.contains(_THOUSANDS)
        series = series.set(unclear.fill_null(value=False), None).str.replace_all(",", "", literal=True)
        series = series.str.strip_suffix("%").cast(pl.Float64, strict=False)
    elif not series.dtype.is_numeric():
        return pl.Series([None] * len(series), dtype=pl.Float64)
    number = series.cast(pl.Float64).fill_nan(None)
    number = number.set(number.is_infinite().fill_null(value=False), None)
    return number * scale if scale != 1 else number


def _count(series: pl.Series, scale: float) -> pl.Series:
    number = _number(series, scale)
    rounded = number.round(0)
    # A scaled number such as 1.1 lots may be off by a rounding error, and no more.
    wrong = ((number - rounded).abs() > 1e-6 * number.abs().clip(1)).fill_null(value=False)
    return rounded.set(wrong, None).cast(pl.Int64)


def _text(series: pl.Series, _: float) -> pl.Series:
    return series.cast(pl.String)


def _name(series: pl.Series, _: float) -> pl.Series:
    text = series.cast(pl.String)
    distinct = text.drop_nulls().unique()
    names = ["".join(unicodedata.normalize("NFKC", value).split()) for value in distinct]
    # A number is a moved column, not a name.
    names = [None if name.replace(".", "").replace("-", "").isdigit() else name for name in names]
    return text.replace_strict(distinct, pl.Series(names, dtype=pl.String), default=None, return_dtype=pl.String)


def _code(series: pl.Series, _: float) -> pl.Series:
    # Leading zeros are lost where a code is read as a number.
    text = series.cast(pl.Int64).cast(pl.String).str.zfill(6) if series.dtype.is_numeric() else series.cast(pl.String)
    return text.set(~text.str.contains(_SIX_DIGITS).fill_null(value=True), None)


def _symbol(series: pl.Series, _: float) -> pl.Series:
    text = series.cast(pl.Int64).cast(pl.String).str.zfill(6) if series.dtype.is_numeric() else series
    return pl.DataFrame({"code": text}).select(normalise_expr("code")).to_series()


def _day(series: pl.Series, _: float) -> pl.Series:
    if isinstance(series.dtype, pl.Datetime) and series.dtype.time_zone is None:
        series = series.dt.date()
    try:
        return pl.DataFrame({"day": series}).select(days_expr("day", series.dtype)).to_series()
    except AmbiguousDate as error:
        # polars adds the expression to the message.
        raise ColumnError(f"{series.name}: {f'{error}'.splitlines()[0]}") from None


def _moment(series: pl.Series, _: float) -> pl.Series:
    if isinstance(series.dtype, pl.Datetime):
        local = series if series.dtype.time_zone else series.dt.replace_time_zone(SHANGHAI.key)
        return local.dt.convert_time_zone(SHANGHAI.key).cast(MOMENT)
    return pl.Series([_parsed(value) for value in series.cast(pl.String)], dtype=MOMENT)


def _parsed(value: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if value else None
    except ValueError:
        return None
    return moment.replace(tzinfo=SHANGHAI) if moment and moment.tzinfo is None else moment


def _flag(series: pl.Series, _: float) -> pl.Series:
    if series.dtype == pl.Boolean:
        return series
    text = series.cast(pl.String).str.to_lowercase()
    values = {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}
    return text.replace_strict(values, default=None, return_dtype=pl.Boolean)


_READERS: Mapping[ColumnType, Callable[[pl.Series, float], pl.Series]] = MappingProxyType(
    {
        "symbol": _symbol,
        "stock": _symbol,
        "code": _code,
        "name": _name,
        "text": _text,
        "number": _number,
        "count": _count,
        "day": _day,
        "moment": _moment,
        "flag": _flag,
    }
)
