"""Compare the stored rows of a dataset with its witness, a table of the same numbers from another source."""

from dataclasses import replace
from datetime import date

import polars as pl

from mystocks_dagster.datasets.model import Witness
from mystocks_dagster.datasets.reader import Dataset
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.tags import State
from mystocks_dagster.tasks.run import TaskResult


def with_agreement(result: TaskResult, dataset: Dataset, lake: Lake) -> TaskResult:
    """Return the result with the agreement of the loaded days; one that differs is a partial success.

    Rows that only one of the two tables has do not count. Nothing is compared if the witness is not stored yet.
    """
    witness = dataset.spec.witness
    days = result.days.get(dataset.table.name, ())
    if not witness or not days or witness.table not in TABLES or not lake.exists(witness.table):
        return result
    both = _joined(dataset, witness, lake, days)
    differing = both.filter(pl.any_horizontal(_differs(ours, witness.within) for ours in witness.columns))
    if both.is_empty():
        return result
    percent = 100 * (1 - differing.height / both.height)
    metadata = {**result.metadata, "witness": witness.table, "agreement_percent": round(percent, 3)}
    if differing.is_empty():
        return replace(result, metadata=metadata)
    row = differing.row(0, named=True)
    ours = next(name for name in witness.columns if _is_apart(row, name, witness.within))
    key = " ".join(f"{row[name]}" for name in dataset.table.key)
    text = (
        f"{differing.height:,} of {both.height:,} rows differ from {witness.table}, e.g. {key}: "
        f"{ours} {row[ours]} and {row[f'{ours}_witness']}."
    )
    status = State.PARTIAL_SUCCESS if result.status == State.SUCCESS else result.status
    return replace(result, status=status, message=f"{result.message} {text}".strip(), metadata=metadata)


def _joined(dataset: Dataset, witness: Witness, lake: Lake, days: tuple[date, ...]) -> pl.DataFrame:
    key = list(dataset.table.key)
    start, end = min(days), max(days)
    ours = lake.read(dataset.table.name, columns=[*key, *witness.columns], start=start, end=end)
    theirs = lake.read(witness.table, columns=[*key, *witness.columns.values()], start=start, end=end)
    theirs = theirs.rename({name: f"{ours}_witness" for ours, name in witness.columns.items()})
    return ours.join(theirs, on=key).filter(pl.col("date").is_in(list(days)))


def _differs(name: str, within: float) -> pl.Expr:
    ours, theirs = pl.col(name), pl.col(f"{name}_witness")
    larger = pl.max_horizontal(ours.abs(), theirs.abs())
    return ((ours - theirs).abs() > within * larger).fill_null(value=False)


def _is_apart(row: dict[str, float | None], name: str, within: float) -> bool:
    ours, theirs = row[name], row[f"{name}_witness"]
    return ours is not None and theirs is not None and abs(ours - theirs) > within * max(abs(ours), abs(theirs))
