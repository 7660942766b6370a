"""SQL over the lake's tables: DuckDB with the tables as views, unable to write or to reach a file."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import polars as pl

from mystocks_dagster.errors import LakeError, TableDamaged
from mystocks_dagster.lake.damage import damage_message, find_damage
from mystocks_dagster.lake.location import local_path
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.market.table import MOMENT, Column
from mystocks_dagster.market.tables import TABLES

_SQL_TYPES = {
    pl.String: "VARCHAR",
    pl.Date: "DATE",
    pl.Float64: "DOUBLE",
    pl.Int64: "BIGINT",
    pl.Boolean: "BOOLEAN",
    MOMENT: "TIMESTAMPTZ",
}

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection


def query(tables: Mapping[str, "DeltaTable"], sql: str) -> pl.DataFrame:
    """Answer one SELECT (or WITH, FROM, DESCRIBE, SHOW, EXPLAIN) over the tables.

    Raises:
        LakeError: It is not one such statement, or DuckDB refuses it; the message is DuckDB's.
        TableDamaged: A file of a table that it names is lost or damaged.
    """
    import duckdb

    try:
        with duckdb.connect(":memory:", config={"python_enable_replacements": "false"}) as connection:
            _prepare(connection, tables)
            statements = connection.extract_statements(sql)
            kinds = [statement.type.name for statement in statements]
            if kinds not in (["SELECT"], ["EXPLAIN"]):
                raise LakeError(
                    f"The lake answers one SELECT and is read-only; this is {' and '.join(kinds) or 'empty'}."
                )
            answer = connection.sql(statements[0].query).to_arrow_table()
            return pl.DataFrame(answer.rename_columns(_distinct(answer.column_names)))
    except duckdb.Error as error:
        for name, table in tables.items():
            if name in sql.lower() and (damage := find_damage(_uri(table))):
                raise TableDamaged(damage_message(*damage)) from None
        raise LakeError(f"The query cannot be answered: {error}") from None


def _distinct(names: list[str]) -> list[str]:
    """Number repeated names, which SQL allows and a frame does not: a, a_1, a_2."""
    return [f"{name}_{before}" if (before := names[:at].count(name)) else name for at, name in enumerate(names)]


def _uri(table: "DeltaTable") -> str:
    uri = table.table_uri.rstrip("/")
    return local_path(uri) or uri


def _column(column: Column, stored: Collection[str]) -> str:
    """Return a column of a view; one that the table does not have on disk yet is null."""
    if column.name in stored:
        return f'"{column.name}"'
    kind = next(sql for dtype, sql in _SQL_TYPES.items() if column.dtype == dtype)
    return f'NULL::{kind} AS "{column.name}"'


def _prepare(connection: "DuckDBPyConnection", tables: Mapping[str, "DeltaTable"]) -> None:
    for name, table in tables.items():
        stored = {field.name for field in table.schema().fields}
        columns = ", ".join(_column(column, stored) for column in TABLES[name].columns)
        connection.from_arrow(table.to_pyarrow_dataset()).select(columns).create_view(name)
    connection.execute(f"SET TimeZone = '{SHANGHAI.key}'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
