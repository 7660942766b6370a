"""Migrate the tables of a lake to the format of this version, one commit at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl
from deltalake import CommitProperties, DeltaTable, write_deltalake

from mystocks_dagster.errors import WrongFormat
from mystocks_dagster.lake import delta
from mystocks_dagster.lake.commits import PARQUET
from mystocks_dagster.lake.formats import Migration, format_of, newest_format, pending, stamp
from mystocks_dagster.lake.layout import WATERMARKS_ONLY, YEAR, date_column, stream
from mystocks_dagster.lake.location import has_wildcards
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.table import Table
from mystocks_dagster.market.tables import TABLES


@dataclass(frozen=True, kw_only=True)
class Step:
    """One commit of a migration: the table, its format afterwards, and what the step does."""

    table: str
    number: int
    about: str


def plan(lake: Lake) -> list[Step]:
    """Return the steps that `migrate` would take, in order; empty when the lake has the newest format.

    Raises:
        WrongFormat: A newer version wrote a table.
        TableDamaged: The transaction log of a table is missing or damaged.
    """
    return [step for step, _ in _steps(lake)]


def migrate(lake: Lake, on_step: Callable[[Step], None] = lambda step: None) -> list[Step]:
    """Migrate all tables with one atomic commit per table and migration.

    A call after a kill continues where the last one stopped.

    Args:
        lake: The lake; readers see each table before or after a step, never in between.
        on_step: Called with each step before it begins.

    Raises:
        WrongFormat, TableDamaged: As `plan`.
        LakeUnavailable: The lake cannot be written.
    """
    done = []
    for step, migration in _steps(lake):
        on_step(step)
        _commit(lake, step, migration)
        done.append(step)
    return done


def _steps(lake: Lake) -> Iterator[tuple[Step, Migration | None]]:
    newest = newest_format()
    for name in TABLES:
        opened = lake.log(name)
        number = newest if opened is None else format_of(opened)
        if number > newest:
            raise WrongFormat(
                f"The table {name} has format {number}, and this version of MyStocks supports formats up to {newest}. "
                "Install a newer version."
            )
        for migration in pending(name, number):
            yield Step(table=name, number=migration.number, about=migration.about), migration
            number = migration.number
        if number < newest:
            yield Step(table=name, number=newest, about="no rows change; the format number is recorded"), None


def _commit(lake: Lake, step: Step, migration: Migration | None) -> None:
    schema, uri = TABLES[step.table].stored, f"{lake.location}/{step.table}"

    def attempt(existing: DeltaTable | None) -> None:
        if existing is None or format_of(existing) >= step.number:
            return  # another process has done it
        if migration is None:
            metadata = {WATERMARKS_ONLY: "true"}
            properties = CommitProperties(app_transactions=[stamp(step.number)], custom_metadata=metadata)
            no_rows = pl.scan_delta(existing, use_pyarrow=has_wildcards(lake.location)).head(0).collect()
            write_deltalake(existing, stream(no_rows), mode="append", commit_properties=properties)
            return
        rows = pl.scan_delta(existing, use_pyarrow=has_wildcards(lake.location)).drop(YEAR, strict=False)
        write_deltalake(
            existing,
            stream(_partitioned(schema, migration.change(rows).collect())),
            mode="overwrite",
            schema_mode="overwrite",
            writer_properties=PARQUET,
            commit_properties=CommitProperties(app_transactions=[stamp(step.number)]),
        )

    delta.commit(uri, attempt)


def _partitioned(schema: Table, frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(date_column(schema)).dt.year().alias(YEAR)) if schema.partitioned else frame
