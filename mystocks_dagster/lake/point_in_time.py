"""Read a table as of a day: the rows that were known on that day, in their newest version of then.

A table declares how it is known in `Table.known_by`, `Table.version_key` and `Table.ends`.
"""

from datetime import date

import polars as pl

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.market.table import MOMENT, Table

_KNOWN = "_known"


def check_known(schema: Table) -> None:
    """Raise an error for a table that cannot be read as of a day.

    Raises:
        UnknownName: The table does not state since when its rows are known.
    """
    if not schema.known_by:
        remedy = "; `mystocks data universe` has the stocks of a day" if schema.name == "stocks" else ""
        raise UnknownName(
            f"{schema.name} does not state since when its rows are known, so it cannot be read as of a day{remedy}."
        )


def is_known_by_date(schema: Table) -> bool:
    """Return whether rows are known on the day of the date column and never replaced: then a last day says it all."""
    return schema.known_by == (schema.date_column,) and not schema.version_key and not schema.ends


def known(schema: Table, rows: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """Keep the rows that were known on the day `as_of`, and of several versions the newest.

    A row that becomes known after that day changes nothing. Of rows that agree in `version_key`, those with the newest
    day remain: one version of a statement, or all rows of a list that is published as a whole.

    Args:
        schema: The table.
        rows: All columns, as readers get them.
        as_of: The day, up to its end.

    Raises:
        UnknownName: The table does not state since when its rows are known.
    """
    check_known(schema)
    rows = rows.with_columns(pl.coalesce(_day(schema, name) for name in schema.known_by).alias(_KNOWN))
    rows = rows.filter(pl.col(_KNOWN) <= as_of)
    if schema.version_key:
        rows = rows.filter(pl.col(_KNOWN) == pl.col(_KNOWN).max().over(schema.version_key))
    ends = [pl.when(pl.col(name) <= as_of).then(pl.col(name)).alias(name) for name in schema.ends]
    return rows.drop(_KNOWN).with_columns(ends)


def _day(schema: Table, name: str) -> pl.Expr:
    column = pl.col(name)
    return column.dt.convert_time_zone(SHANGHAI.key).dt.date() if schema.dtypes[name] == MOMENT else column
