"""Compare the stored rows of a dataset with its witness, a table of the same numbers from another source."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import polars as pl

from mystocks_dagster.datasets import registry
from mystocks_dagster.datasets.model import Witness
from mystocks_dagster.datasets.reader import Dataset
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.witnesses import Comparison, Tolerance, compare_columns
from mystocks_dagster.tags import State
from mystocks_dagster.tasks.run import TaskResult
from mystocks_dagster.tasks.stored_day import StoredDay


def with_agreement(result: TaskResult, dataset: Dataset, lake: Lake) -> TaskResult:
    """Return the result with the agreement of the loaded days; one that differs is a partial success.

    Rows that only one of the two tables has do not count. Nothing is compared if the witness is not stored yet, or if
    it has another key: `compare_sources` compares those.
    """
    witness = dataset.spec.witness
    days = result.days.get(dataset.table.name, ())
    if not witness or witness.key or not days or witness.table not in TABLES or not lake.exists(witness.table):
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


def witnessing() -> Iterator[Dataset]:
    """Yield the datasets that are a witness of another table."""
    yield from (dataset for dataset in registry.usable() if dataset.spec.witness)


def compare_stored(dataset: Dataset, lake: Lake, day: date | None) -> tuple[StoredDay, Comparison] | None:
    """Compare a table with the dataset that is its witness, without a request.

    Args:
        dataset: A dataset with a witness.
        lake: The lake.
        day: The trading day or period; None is the newest one that both have.

    Returns:
        The rows of the table, with those sources that gave them, and the result; None if one of the two has no rows.
    """
    witness = dataset.spec.witness
    if witness is None or witness.table not in TABLES:
        return None
    names = (witness.table, dataset.table.name)
    if not all(lake.exists(name) for name in names):
        return None
    common = sorted(set(lake.days(names[0])) & set(lake.days(names[1])))
    chosen = day if day in common else common[-1] if common and day is None else None
    if chosen is None:
        return None
    theirs, ours = (_newest_rows(lake, name, chosen) for name in names)
    ours = ours.select("symbol", *(pl.col(own).alias(name) for own, name in witness.columns.items()))
    tolerances = {name: Tolerance(relative=witness.within) for name in witness.columns.values()}
    result = compare_columns(tolerances, theirs, ours, same_rows=witness.same_rows)
    givers = tuple(theirs["source"].drop_nulls().unique().sort()) if "source" in theirs.columns else ()
    return StoredDay(table=names[0], day=chosen, rows=theirs, givers=givers or (names[0],)), result


def _newest_rows(lake: Lake, name: str, day: date) -> pl.DataFrame:
    """Return one row for each symbol of a day or period: the version that became known last."""
    rows = lake.read(name, start=day, end=day)
    known = [column for column in TABLES[name].known_by if column in rows.columns]
    return rows.sort("symbol", *known, nulls_last=False).unique("symbol", keep="last", maintain_order=True)


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
