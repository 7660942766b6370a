"""What is known about the truth of each dataset: its witnesses, their agreement, and the open differences."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from mystocks_dagster.lake.comparisons import comparisons, open_differences
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import BUILT_IN
from mystocks_dagster.market.witnesses import percent
from mystocks_dagster.sources.witnesses import compared_tables, states_ex_days, witnesses_of
from mystocks_dagster.tasks.dataset_witness import witnessing


@dataclass(frozen=True, kw_only=True)
class DatasetTruth:
    """One comparison of a dataset, or a dataset that was not compared.

    Attributes:
        table: Name of the dataset.
        witnesses: All sources and datasets that can be compared, as declared; those that give a sample only are marked.
            Empty if there is none.
        day: The compared trading day; None if nothing was compared.
        source: The source of the stored rows.
        witness: The other source.
        agreement: Percent of the rows that agree.
        rows: Number of compared rows.
        differences: Number of open differences of that comparison.
        note: What was found about the whole day; may be empty.
        checked_at: Time of the comparison.
    """

    table: str
    witnesses: tuple[str, ...]
    day: date | None = None
    source: str = ""
    witness: str = ""
    agreement: float | None = None
    rows: int = 0
    differences: int = 0
    note: str = ""
    checked_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields of `--json`."""
        return {
            **vars(self),
            "witnesses": list(self.witnesses),
            "day": self.day and self.day.isoformat(),
            "checked_at": self.checked_at and self.checked_at.isoformat(),
        }


def truth(lake: Lake, day: date | None = None) -> list[DatasetTruth]:
    """Return the newest comparison of each dataset and pair of sources, or those of `day`.

    A dataset without one is listed too, a declared dataset that was compared with its witness when it was loaded, and
    the trading calendar if a source differs from it.
    """
    rows, differences = comparisons(lake, day), open_differences(lake)
    result = []
    for table in _tables():
        declared = witness_names(table)
        found = rows.filter(pl.col("table") == table).to_dicts()
        result += [_compared(row, declared, differences) for row in found]
        if not found:
            result.append(DatasetTruth(table=table, witnesses=declared))
    declared = [row for row in rows.to_dicts() if row["table"] not in compared_tables()]
    result += [_compared(row, (row["source_b"],), differences) for row in declared]
    calendar = differences.filter(pl.col("table") == "trading_calendar")
    for source in calendar["source_b"].unique().sort():
        count = calendar.filter(pl.col("source_b") == source).height
        result.append(
            DatasetTruth(
                table="trading_calendar",
                witnesses=(source,),
                source="trading_calendar",
                witness=source,
                differences=count,
                note=f"{source} has other trading days.",
            )
        )
    return result


def witness_names(table: str) -> tuple[str, ...]:
    """Return the sources of a table that can be compared with each other; `(sample)` marks those without whole days."""
    datasets = [
        dataset.name for dataset in witnessing() if dataset.spec.witness and dataset.spec.witness.table == table
    ]
    if table not in compared_tables():
        return tuple(datasets)
    sources = (f"{witness.source}{'' if witness.in_bulk else ' (sample)'}" for witness in witnesses_of(table))
    return (*sources, *(f"{name} (ex-days)" for name in states_ex_days(table)), *datasets)


def _tables() -> list[str]:
    """Return the tables whose rows are compared, then the others that come from outside."""
    outside = [name for name, table in BUILT_IN.items() if table.origin in ("source", "snapshot")]
    return list(dict.fromkeys([*compared_tables(), *outside]))


def _compared(row: dict[str, Any], declared: tuple[str, ...], differences: pl.DataFrame) -> DatasetTruth:
    same = [pl.col(name) == row[name] for name in ("table", "date", "source_a", "source_b")]
    return DatasetTruth(
        table=row["table"],
        witnesses=declared,
        day=row["date"],
        source=row["source_a"],
        witness=row["source_b"],
        agreement=percent(row["agreeing"], row["differing"]),
        rows=row["agreeing"] + row["differing"],
        differences=differences.filter(same).height,
        note=row["note"],
        checked_at=row["checked_at"],
    )
