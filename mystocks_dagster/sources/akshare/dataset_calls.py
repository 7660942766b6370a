"""Call akshare for a dataset file, and check what it read: keys, completeness, columns, types, and the session."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import product
from typing import TYPE_CHECKING, Any

import polars as pl

from mystocks_dagster.datasets.model import CallSpec
from mystocks_dagster.datasets.placeholders import Value, fill
from mystocks_dagster.datasets.reader import Dataset
from mystocks_dagster.errors import SourceUnavailable
from mystocks_dagster.sources.akshare.call import Call, Field, Kind
from mystocks_dagster.sources.akshare.frames import changed, check_responses
from mystocks_dagster.sources.akshare.source import AkshareSource
from mystocks_dagster.sources.dataset_frames import ColumnError, convert, to_series, without_bare_names
from mystocks_dagster.sources.transport import EmptyResponse
from mystocks_dagster.sources.upstream_responses import UpstreamResponse

if TYPE_CHECKING:
    import pandas as pd

_LISTS = "/api/qt/clist/get"


def fetch_rows(
    source: AkshareSource, dataset: Dataset, values: Mapping[str, Value], each: Mapping[str, Sequence[str]]
) -> pl.DataFrame:
    """Return the rows of all calls of a dataset, before its value rules; empty if the upstream has none.

    Args:
        source: The source.
        dataset: A dataset with calls.
        values: The values of placeholders.
        each: The values of the calls' own placeholders, by name.

    Raises:
        SourceUnavailable, SourceChanged: A call failed, or its result does not fit the dataset.
    """
    by_call = {
        index: _of_call(source, dataset, call, values, each) for index, call in enumerate(dataset.spec.call or ())
    }
    frames = [frame for frames in by_call.values() for frame in frames]
    absent = [call.function for index, call in enumerate(dataset.spec.call or ()) if not by_call[index]]
    if frames and absent and not dataset.spec.may_be_empty:
        raise SourceUnavailable(
            f"akshare's {absent[0]}() has no rows yet for {dataset.name}, while its other calls have some. "
            "Try again later."
        )
    return pl.concat(frames) if frames else pl.DataFrame(schema=_schema(dataset))


def _of_call(
    source: AkshareSource,
    dataset: Dataset,
    call: CallSpec,
    values: Mapping[str, Value],
    each: Mapping[str, Sequence[str]],
) -> list[pl.DataFrame]:
    frames = (_fetch(source, dataset, call, {**values, **own}) for own in _combinations(call, each))
    return [frame for frame in frames if frame is not None]


def _combinations(call: CallSpec, each: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    for chosen in product(*(each[name] for name in call.each)):
        yield dict(zip(call.each, chosen, strict=True))


def _fetch(source: AkshareSource, dataset: Dataset, call: CallSpec, values: Mapping[str, Value]) -> pl.DataFrame | None:
    arguments = {
        name: fill(value, values) if isinstance(value, str) else value for name, value in call.arguments.items()
    }
    try:
        result, responses = source.call(call.function, arguments)
    except EmptyResponse:
        return None
    if not len(result.columns) or not len(result):
        return None
    check_responses(_expected(dataset, call), [_with_rows(response) for response in responses])
    if dataset.spec.is_present_only and any(response.request.path == _LISTS for response in responses):
        day = values["day"]
        source.check_shown(day if isinstance(day, date) else date.fromisoformat(day))
    return _convert(dataset, call, result, values)


def _convert(dataset: Dataset, call: CallSpec, result: "pd.DataFrame", values: Mapping[str, Value]) -> pl.DataFrame:
    columns = {str(label): to_series(str(label), result[label].tolist()) for label in result.columns}
    try:
        rows = convert(dataset, columns, values, lacks=call.lacks, exchange=call.exchange)
        return without_bare_names(dataset, rows)
    except ColumnError as error:
        raise changed(call.function, f"{error} (dataset {dataset.name})") from None


def _expected(dataset: Dataset, call: CallSpec) -> Call:
    """Return the dataset's columns in the form in which the source's own calls are checked."""
    fields = tuple(
        Field(column.source[0], name, _kind(dataset, name), column.key)
        for name, column in dataset.spec.columns.items()
        if column.source and column.key and name not in call.lacks
    )
    return Call(call.function, fields, keys=call.keys)


def _kind(dataset: Dataset, name: str) -> Kind:
    return "number" if dataset.types[name] in ("number", "count") else "text"


def _with_rows(response: UpstreamResponse) -> UpstreamResponse:
    """Return a response with its rows, which only East Money's lists and reports have already."""
    if response.total is not None:
        return response
    try:
        body = json.loads(response.content)
    except ValueError:
        return response
    rows = next((rows for rows in _lists(body) if rows), None)
    return replace(response, rows=tuple(rows), total=len(rows)) if rows else response


def _lists(body: Any) -> Iterator[list[dict[str, Any]]]:
    """Yield the lists of rows where the exchanges and the limit-up pools have them."""
    data = body.get("data") if isinstance(body, dict) else None
    for rows in (data.get("pool") if isinstance(data, dict) else None, isinstance(body, dict) and body.get("result")):
        if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
            yield rows


def _schema(dataset: Dataset) -> dict[str, Any]:
    return {name: dataset.table.dtypes[name] for name in dataset.spec.columns}
