"""Compare the stored rows of a dataset with its witness, a table of the same numbers from another source."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

import polars as pl

from mystocks_dagster.datasets import registry
from mystocks_dagster.datasets.model import Witness
from mystocks_dagster.datasets.reader import Dataset
from mystocks_dagster.errors import TableMissing
from mystocks_dagster.lake.comparisons import record_comparison
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.witnesses import Comparison, Tolerance, compare_columns, percent, value_differences
from mystocks_dagster.tags import State
from mystocks_dagster.tasks.run import TaskResult
from mystocks_dagster.tasks.stored_day import StoredDay

#: The tables that a comparison writes.
WRITTEN = ("source_differences", "source_comparisons")


def with_agreement(result: TaskResult, dataset: Dataset, lake: Lake) -> TaskResult:
    """Return the result with the agreement of the loaded days, and store it; a difference is a partial success.

    Each loaded day is compared and recorded in `source_comparisons`, its differences in `source_differences`. Rows that
    only one of the two tables has do not count, nor do rows that both have from the same source. Nothing is compared if
    the witness is not stored yet, or if it has another key: `compare_sources` compares those.
    """
    witness = dataset.spec.witness
    days = result.days.get(dataset.table.name, ())
    if not witness or witness.key or not days or witness.table not in TABLES or not lake.exists(witness.table):
        return result
    both = _joined(dataset, witness, lake, days)
    if both.is_empty():
        return result
    by_day = {day: both.filter(pl.col("date") == day) for day in both["date"].unique().sort()}
    compared = {day: _record(dataset, witness, lake, day, rows) for day, rows in by_day.items()}
    differing = sum(each.differing for each in compared.values())
    agreement = percent(both.height - differing, differing) or 0.0
    written = dict(
        zip(WRITTEN, (sum(each.differences.height for each in compared.values()), len(compared)), strict=True)
    )
    metadata = {**result.metadata, "witness": witness.table, "agreement_percent": round(agreement, 3)}
    result = replace(result, metadata=metadata, rows={**result.rows, **written})
    if not differing:
        return result
    day, example = next((day, each.differences.row(0, named=True)) for day, each in compared.items() if each.differing)
    text = (
        f"{differing:,} of {both.height:,} rows differ from {witness.table}, e.g. {day} {example['symbol']}: "
        f"{example['column']} {example['value_a']} and {example['value_b']}. See them: mystocks data truth."
    )
    status = State.PARTIAL_SUCCESS if result.status == State.SUCCESS else result.status
    return replace(result, status=status, message=f"{result.message} {text}".strip())


def _record(dataset: Dataset, witness: Witness, lake: Lake, day: date, rows: pl.DataFrame) -> Comparison:
    """Store the comparison of one day, and return it."""
    tolerance = Tolerance(relative=witness.within)
    differences = pl.concat([value_differences(rows, name, tolerance) for name in witness.columns])
    differing = differences["symbol"].n_unique()
    result = Comparison(
        rows_a=rows.height,
        rows_b=rows.height,
        agreeing=rows.height - differing,
        differing=differing,
        differences=differences.sort("symbol", "column"),
    )
    sources = _names(rows["source"], dataset.table.name), _names(rows["source_b"], witness.table)
    record_comparison(lake, dataset.table.name, day, sources, result)
    return result


def sampled(symbols: Iterable[str], size: int, seed: str) -> list[str]:
    """Return some symbols, the same ones for the same seed."""
    every = sorted(symbols)
    return sorted(random.Random(seed).sample(every, min(size, len(every))))


def sample_of(dataset: Dataset, lake: Lake, day: date) -> list[str]:
    """Return the symbols of a trading day's sample; empty if the dataset declares none.

    Raises:
        TableMissing: The table that the dataset witnesses is not stored yet.
    """
    witness = dataset.spec.witness
    if witness is None or witness.sample is None:
        return []
    if not lake.exists(witness.table):
        raise TableMissing(
            f"The dataset {dataset.name} witnesses a sample of {witness.table}, and there is no table {witness.table} "
            "yet: run the task that writes it before this one, or name symbols."
        )
    symbols = lake.read(witness.table, columns=["symbol"])["symbol"].unique()
    held = (symbol for symbol in symbols if symbol[-2:] in witness.exchanges)
    return sampled(held, witness.sample, f"{dataset.name} {day}")


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


def _joined(dataset: Dataset, witness: Witness, lake: Lake, days: Sequence[date]) -> pl.DataFrame:
    """Return the rows that both tables have of some days, from different sources.

    `symbol` is the key without the day, as a text if it is another one.
    """
    key = list(dataset.table.key)
    start, end = min(days), max(days)
    ours = lake.read(dataset.table.name, columns=[*key, *witness.columns, "source"], start=start, end=end)
    stated = [name for name in ("source",) if name in TABLES[witness.table].stored.dtypes]  # a computed one has none
    theirs = lake.read(witness.table, columns=[*key, *witness.columns.values(), *stated], start=start, end=end)
    values = {f"{name}_b": column for name, column in witness.columns.items()}
    theirs = theirs.select(*key, **values, source_b=pl.col("source") if stated else pl.lit(None, pl.String))
    both = ours.join(theirs, on=key).filter(pl.col("date").is_in(list(days)))
    both = both.filter(pl.col("source").ne_missing(pl.col("source_b")))
    return both.with_columns(symbol=pl.concat_str([name for name in key if name != "date"], separator=" "))


def _names(sources: pl.Series, otherwise: str) -> str:
    """Return the sources of some rows; `otherwise` if they are not known."""
    return ", ".join(sources.drop_nulls().unique().sort()) or otherwise
