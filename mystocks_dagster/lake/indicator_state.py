"""The state of indicators in the lake: what a calculation carries on from the last closed period to the next bar.

A state names the versions of the tables from which it was computed. It depends on them only, not on the stored rows: so
a run that was killed between writing rows and state computes the same rows again from the older state.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import Version
from mystocks_dagster.market.tables.indicators import INDICATOR_STATE

#: A state that ends so long before the newest one belongs to a formula that is no longer calculated.
_KEPT = timedelta(days=200)


@dataclass(frozen=True)
class Stored:
    """The state of one calculation after all bars before the day `until`.

    Attributes:
        inputs: The versions of the tables that it was computed from.
        symbols: The symbols, one for each row of the arrays.
        steps: The state of each step by its version.
    """

    inputs: tuple[Version, ...]
    until: date
    symbols: tuple[str, ...]
    steps: Mapping[str, np.ndarray]


def read_states(lake: Lake, periods: Collection[str], calculations: Collection[str]) -> dict[tuple[str, str], Stored]:
    """Return the stored states of calculations by period and calculation; those that do not exist are left out."""
    rows = _rows(lake, periods, calculations, [*INDICATOR_STATE.dtypes])
    return {(row["period"], row["calculation"]): _decoded(row) for row in rows.iter_rows(named=True)}


def states_end(lake: Lake, periods: Collection[str], calculations: Collection[str]) -> date | None:
    """Return the earliest day that no stored state of calculations contains; None if none of them has a state."""
    day = _rows(lake, periods, calculations, ["period", "calculation", "until"])["until"].min()
    return day if isinstance(day, date) else None


def _rows(lake: Lake, periods: Collection[str], calculations: Collection[str], columns: list[str]) -> pl.DataFrame:
    if not lake.exists(INDICATOR_STATE.name):
        return INDICATOR_STATE.empty().select(columns)
    wanted = pl.col("period").is_in(periods) & pl.col("calculation").is_in(calculations)
    return lake.scan(INDICATOR_STATE.name, columns=columns).filter(wanted).collect()


def write_states(
    lake: Lake, states: Mapping[tuple[str, str], Stored], before_commit: Callable[[], object] = lambda: None
) -> None:
    """Store states by period and calculation; those that were not carried on for some months go.

    `before_commit` is as in `Lake.replace_matching`.
    """
    if not states:
        return
    rows = [_encoded(period, name, state) for (period, name), state in states.items()]
    frame = pl.DataFrame(rows, schema=INDICATOR_STATE.dtypes, orient="row")
    same = pl.any_horizontal((pl.col("period") == period) & (pl.col("calculation") == name) for period, name in states)
    forgotten = max(state.until for state in states.values()) - _KEPT
    matching = same | (pl.col("until") < forgotten)
    lake.replace_matching(INDICATOR_STATE.name, frame, matching, before_commit=before_commit)


def _encoded(period: str, name: str, state: Stored) -> tuple[object, ...]:
    content = b"".join(np.ascontiguousarray(values, "<f8").tobytes() for values in state.steps.values())
    inputs = [[version.table, version.id, version.number] for version in state.inputs]
    layout = {version: values.shape[1] for version, values in state.steps.items()}
    symbols = ",".join(state.symbols).encode()
    return period, name, json.dumps(inputs), state.until, json.dumps(layout), len(state.symbols), symbols, content


def _decoded(row: Mapping[str, object]) -> Stored:
    count = int(f"{row['symbols']}")
    steps, offset = {}, 0
    values = np.frombuffer(_bytes(row["content"]), "<f8")
    for version, size in json.loads(f"{row['layout']}").items():
        steps[version] = values[offset : offset + count * size].reshape(count, size).copy()
        offset += count * size
    return Stored(
        inputs=tuple(Version(*item) for item in json.loads(f"{row['inputs']}")),
        until=date.fromisoformat(f"{row['until']}"),
        symbols=tuple(_bytes(row["codes"]).decode().split(",")) if count else (),
        steps=steps,
    )


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"{value!r} is not binary.")
    return value
